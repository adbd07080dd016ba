// What the checks of page.mjs share: the browser, people in windows of their own, and the desk
// by its API beside the page.
import { chromium } from "playwright-core";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const require = createRequire(import.meta.url);
export const given = JSON.parse(readFileSync(0, "utf8"));
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
export const patience = 30_000; // ms: the machine may be loaded

// A window is a browser context: cookies, language, colours and size of its own.
let browser;
export const start = async () => {
  browser = await chromium.launchPersistentContext(process.env.YUANLU_PROFILE, {
    executablePath: "/usr/bin/chromium", headless: true, ignoreHTTPSErrors: true,
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
};
export const stop = () => browser.close();

// Requests of every window: to where, and how often.
export const elsewhere = [];
const windows = [];
export const opened = async (who, { lang = "en-US", width = 1280, height = 900, scheme = "light", scale = 1, reduced = false } = {}) => {
  const w = await browser.browser().newContext({ ignoreHTTPSErrors: true, locale: lang, viewport: { width, height }, colorScheme: scheme,
    deviceScaleFactor: scale, reducedMotion: reduced ? "reduce" : "no-preference", acceptDownloads: true });
  if (who) await w.addCookies([{ name: "__Host-yuanlu", value: given.people[who].cookie, url: given.base, secure: true, httpOnly: true, sameSite: "Strict" }]);
  const page = await w.newPage();
  page.setDefaultTimeout(patience);
  page.errors = [];
  page.asked = [];
  page.on("pageerror", (e) => page.errors.push(String(e)));
  page.on("console", (m) => { if (m.type() === "error" && !/status of 4\d\d/.test(m.text())) page.errors.push(m.text()); });
  page.on("request", (r) => {
    if (!r.url().startsWith(given.base + "/")) elsewhere.push(r.url());
    page.asked.push(`${r.method()} ${r.url().slice(given.base.length)} ${r.postData() || ""}`);
  });
  page.go = async (path) => { const r = await page.goto(given.base + path); await page.waitForLoadState("load"); return r; };
  windows.push(w);
  return page;
};
export const closeWindows = async () => { for (const w of windows.splice(0)) await w.close(); };

// api asks the desk as somebody, beside the page.
export const api = async (who, path, body, key) => {
  const p = given.people[who];
  const r = await fetch(given.base + path, body === undefined ? { headers: { Cookie: `__Host-yuanlu=${p.cookie}` } }
    : { method: "POST", body: JSON.stringify(body), headers: { Cookie: `__Host-yuanlu=${p.cookie}`, "X-CSRF-Token": p.csrf, "Content-Type": "application/json", ...(key ? { "Idempotency-Key": key } : {}) } });
  return { status: r.status, body: await r.json() };
};
export const must = async (...asked) => {
  const r = await api(...asked);
  if (r.status !== 200) throw new Error(`${asked[1]}: ${r.status} ${JSON.stringify(r.body)}`);
  return r.body;
};
export const shown = async (no) => (await must("ann", `/v1/work/cases/${no}`)).case;
export const journal = async (no) => (await must("ann", `/v1/work/cases/${no}/journal`)).events;
// act gives a command at the version of now.
export const act = async (who, no, what, more = {}) => must(who, `/v1/work/${what}`, { case: no, expect: (await shown(no)).version, ...more });
// upload files a document beside the page, and returns its seq.
export const upload = async (who, no, text, kind = "statement") => {
  const p = given.people[who];
  const r = await fetch(`${given.base}/v1/work/file?case=${no}&name=a.txt&kind=${kind}`, { method: "POST", body: text, headers: { Cookie: `__Host-yuanlu=${p.cookie}`, "X-CSRF-Token": p.csrf, "Content-Type": "text/plain" } });
  if (r.status !== 200) throw new Error(await r.text());
  return (await r.json()).events.find((e) => e.what === "filed").seq;
};
// proposed brings a case to a finding that waits for approval, made by somebody.
export const proposed = async (who, no) => {
  const c = await shown(no);
  await act(who, no, "propose", { commands: [{ do: "finding", wrong: [c.refunds[0].id], owed: c.refunds[0].amount }], text: "another card" });
  return shown(no);
};

export const is = (got, want, what) => { if (got !== want) throw new Error(`${what}: got ${JSON.stringify(got)}, want ${JSON.stringify(want)}`); };
export const ok = (v, what) => { if (!v) throw new Error(what); };
export const eventually = async (what, fn) => {
  const end = Date.now() + patience;
  for (let last; ; ) {
    try { if (await fn()) return; } catch (e) { last = e; }
    if (Date.now() > end) throw new Error(`never: ${what}${last ? `: ${last}` : ""}`);
    await new Promise((r) => setTimeout(r, 50));
  }
};

// accessible runs axe with the rules of WCAG 2.2 AA; nothing serious may be found.
export const accessible = async (page, what) => {
  await page.evaluate(axe); // through the debugger: the page's own policy lets no script in
  const found = await page.evaluate(async () => (await globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] })).violations);
  const serious = found.filter((v) => ["serious", "critical"].includes(v.impact)).map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160) + " " + (n.any[0] ? n.any[0].message : "")).join(" | ")}`);
  if (serious.length) throw new Error(`${what}: ${serious.join("\n")}`);
};

// check runs one check and prints what came of it; YUANLU_CHECK is a regular expression for the
// names of those that run.
export const check = async (name, fn) => {
  if (!new RegExp(process.env.YUANLU_CHECK || "").test(name)) return;
  const begun = Date.now();
  let error = "";
  try { await fn(); } catch (e) { error = String(e && e.stack ? e.stack.split("\n").slice(0, 8).join("\n") : e); }
  await closeWindows().catch(() => {});
  console.log(JSON.stringify({ check: name, error, ms: Date.now() - begun }));
};
