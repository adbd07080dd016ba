// Every line of casework.md § 14 in Chromium. Each check has cases of its own, so that one that
// fails does not fail others.
import { createHash } from "node:crypto";
import { accessible, act, api, check, elsewhere, eventually, given, is, journal, must, ok, opened, proposed, shown, start, stop, upload } from "./office.mjs";

const [whole, stale, lost, keyboard, words, pasted, live, wrong, armed, strict, printed, voided, once, small, spare] = given.cases;
const at = (no) => `/case/${no}`;
const text = (page, selector) => page.locator(selector).first().innerText();

await start();

await check("1 log in, lists with counts, statistics", async () => {
  const page = await opened();
  await page.go("/");
  ok(page.url().endsWith("/login"), `at ${page.url()}`);
  await page.fill("#login", "ann");
  await page.locator("#pass").evaluate((f, v) => { f.focus(); document.execCommand("insertText", false, v); }, given.password); // as a paste does
  await page.keyboard.press("Enter");
  await page.waitForURL((u) => !u.pathname.startsWith("/login"));
  for (const name of ["next", "mine", "overdue", "approve"]) {
    await page.go(`/list/${name}`);
    const n = (await must("ann", `/v1/work/lists/${name}`)).cases.length;
    is(await text(page, `[data-count="${name}"]`), String(n), `count of ${name}`);
    is(await page.locator("[data-row]").count(), Math.min(n, 200), `rows of ${name}`);
  }
  await page.go("/stats");
  ok(/\d{4}-\d\d-\d\d/.test(await page.content()), "no dates");
  is(page.errors.join(), "", "errors");
});

await check("1 take next is one key away", async () => {
  const page = await opened("bea");
  await page.go("/list/next");
  const first = (await must("bea", "/v1/work/lists/next")).cases[0];
  await page.keyboard.press("n");
  await page.waitForURL(`**${at(first)}`);
  is((await shown(first)).owner, "bea", "owner");
  await act("bea", first, "release");
});

// A case from its first sight to its right end, by three people, in the page alone.
const pick = (page, order, on = true) => page.locator(`fieldset[data-order="${order}"] [data-pick]`).setChecked(on);
const send = async (page, form, no) => {
  const before = (await shown(no)).version;
  await page.locator(`#form-${form} button.main[type=submit]`).click();
  await eventually(`${form} is done: ${await page.locator(`#form-${form} .answer`).innerText().catch(() => "")}`, async () => (await shown(no)).version > before && Number(await page.locator("body").getAttribute("data-version")) > before);
};
const open = async (page, name) => {
  const panel = page.locator(`#panel-${name}`);
  if (!(await panel.isVisible())) await page.locator(`[data-open="${name}"]`).first().click();
  await panel.waitFor({ state: "visible" });
};
const approve = async (page, no) => {
  await page.go(at(no));
  await page.locator("#approve:enabled").waitFor();
  await page.locator("#approve").click();
  await eventually("approved", async () => (await shown(no)).proposal === null && !(await page.locator("#proposal").count()));
};
await check("1 a shop of three does its whole work here", async () => {
  const [ann, sue] = [await opened("ann"), await opened("sue")];
  await ann.go(at(whole));
  await ann.locator('[data-direct="claim"]').first().click();
  await ann.locator(".owner .who").waitFor();
  await open(ann, "propose");
  await pick(ann, "request");
  await ann.selectOption("#p-request-route", "acquirer");
  await ann.fill("#propose-text", "another card got the money");
  await send(ann, "propose", whole);
  await approve(sue, whole);
  is((await shown(whole)).state, "working", "state");
  const statement = await upload("ann", whole, "the acquirer's statement");
  await ann.go(at(whole));
  await open(ann, "received");
  is(await ann.inputValue("#received-amount"), "350.00", "the amount in yuan");
  await ann.selectOption("#received-file", String(statement));
  await send(ann, "received", whole);
  is((await shown(whole)).recovery.state, "recovered", "recovery");
  await open(ann, "propose");
  await pick(ann, "finding", false);
  await pick(ann, "reissue");
  await ann.fill("#propose-text", "to the card that paid");
  await send(ann, "propose", whole);
  await approve(sue, whole);
  await ann.go(at(whole));
  await open(ann, "sent");
  await ann.fill("#sent-number", "P-2026-1");
  await send(ann, "sent", whole);
  await open(ann, "contact");
  await ann.fill("#contact-text", "the money has arrived");
  await ann.locator('#form-contact button[name="result"][value="confirmed"]').click();
  await eventually("the contact", async () => (await shown(whole)).contacts === 1);
  await ann.go(at(whole));
  await open(ann, "settled");
  await ann.locator("#settled-contact").selectOption({ index: 1 });
  await send(ann, "settled", whole);
  await open(ann, "propose");
  await pick(ann, "finding", false);
  await pick(ann, "close");
  await ann.selectOption("#close-outcome", "wrong");
  await ann.fill("#propose-text", "all is right again");
  await send(ann, "propose", whole);
  await approve(sue, whole);
  const end = await shown(whole);
  is(`${end.state} ${end.outcome}`, "closed recovered_reissued", "end");
  is(ann.errors.concat(sue.errors).join(), "", "errors");
});

await check("2 one screen, and the void window announced at 30, 10 and 5 minutes", async () => {
  const page = await opened("ann");
  await page.clock.install();
  await page.go(at(voided));
  for (const id of ["head", "sides", "why", "timeline", "tracks", "evidence", "actions"]) ok(await page.locator(`#${id}`).isVisible(), `no ${id}`);
  is(await page.locator('[role="tab"]').count(), 0, "tabs");
  ok(await page.locator("details.rules, #why .reasons").count(), "no reasons");
  const left = Date.parse((await shown(voided)).void_until) - Date.now();
  ok(left > 60_000 && left <= 35 * 60_000, `${left} ms to the end of the window`);
  await page.evaluate(() => { globalThis.told = []; new MutationObserver(() => told.push(document.getElementById("live").textContent)).observe(document.getElementById("live"), { childList: true, characterData: true, subtree: true }); });
  for (const minutes of [30, 10, 5]) {
    const now = Date.parse((await shown(voided)).void_until) - (await page.evaluate(() => Date.now()));
    await page.clock.runFor(Math.max(1000, now - minutes * 60_000 + 5000));
    await eventually(`${minutes} minutes`, async () => (await page.evaluate(() => told.join("|"))).includes(String(minutes)));
  }
  ok(/^\d+:\d\d:\d\d$/.test(await text(page, ".head .count")), "no countdown");
});

await check("3 what differs has a sign, a word, a border and a colour", async () => {
  for (const [lang, word] of [["en-US", "Different"], ["zh-CN", "不同"]]) {
    const page = await opened("ann", { lang });
    await page.go(at(spare));
    const differ = page.locator("tr.different").first(), equal = page.locator("tr.equal").first();
    const mark = await differ.innerText();
    ok(mark.includes("≠") && mark.includes(word), mark);
    const look = (row) => row.locator("td").first().evaluate((e) => { const s = getComputedStyle(e), r = getComputedStyle(e.parentElement); return { border: Math.max(...[s, r].flatMap((x) => ["Top", "Left", "Bottom", "Right"].map((d) => (x[`border${d}Style`] === "none" ? 0 : parseFloat(x[`border${d}Width`]))))), colour: s.color, ground: s.backgroundColor + r.backgroundColor, edge: s.borderLeftColor + r.borderLeftColor + s.boxShadow + r.boxShadow }; });
    const [d, e] = [await look(differ), await look(equal)];
    ok(d.border > 0 || /px/.test(d.edge), `no border: ${JSON.stringify(d)}`);
    ok(d.colour !== e.colour || d.ground !== e.ground, "the same colours");
    ok(await equal.isVisible() && d.colour !== e.colour, "equal is not dimmed");
    const digits = page.locator("tr.different .mono", { hasText: "****" }).first();
    ok(/mono/i.test(await digits.evaluate((n) => getComputedStyle(n).fontFamily)), "masked digits in no fixed width");
    for (const m of await page.locator(".money").allInnerTexts()) ok(/CNY|¥|[A-Z]{3}/.test(m), `money without currency: ${m}`);
    ok((await page.locator("#sides").innerText()).includes("350.00"), "fen on the screen");
  }
});

await check("4 one suggested step, what a role has not is absent, what cannot be now has its reason", async () => {
  const page = await opened("ann");
  await page.go(at(spare));
  is(await page.locator("#actions > p + button.main, #actions > button.main").count(), 1, "suggested steps");
  await page.locator("#actions details.disabled summary").click();
  const off = page.locator("#actions .disabled li");
  ok(await off.count() > 0, "nothing is disabled");
  for (const one of await off.all()) ok(await one.locator("button").isDisabled() && (await one.locator("span").innerText()).length > 5, await one.innerText());
  const cashier = await opened("cas");
  await cashier.go(at(spare));
  const offered = await cashier.locator("#actions [data-open], #actions [data-direct], #actions .disabled button").allInnerTexts();
  ok(!offered.some((t) => /Take|Propose|Wait|Assign/.test(t)) && offered.some((t) => /Note/.test(t)), offered.join());
});

await check("5 only the right person approves, in the page and by curl", async () => {
  const c = await proposed("bea", wrong);
  for (const [who, code] of [["bea", "same_person"], ["olga", "involved"]]) {
    const page = await opened(who);
    await page.go(at(wrong));
    ok((await text(page, "#why-not")).length > 10 && (await page.locator("#why-not").innerText()).includes(code), `${who} does not see ${code}: ${await text(page, "#why-not")}`);
    ok(await page.locator("#approve").isDisabled(), `${who} can approve`);
    await page.locator("#approve").evaluate((b) => { b.disabled = false; b.click(); }); // somebody helps himself
    const r = await api(who, "/v1/work/approve", { case: wrong, expect: c.version, proposal: c.proposal.seq });
    is(`${r.status} ${r.body.error.code}`, `403 ${code}`, who);
  }
  for (const who of ["ann", "cas", "aud"]) {
    const page = await opened(who);
    await page.go(at(wrong));
    is(await page.locator("#approve").count(), 0, `${who} is offered it`);
    is((await api(who, "/v1/work/approve", { case: wrong, expect: c.version, proposal: c.proposal.seq })).body.error.code, "not_allowed", who);
  }
  is((await shown(wrong)).proposal.seq, c.proposal.seq, "the proposal");
  const page = await opened("chen");
  await page.go(at(wrong));
  const said = await page.locator("#proposal").innerText();
  for (const part of ["bea", "350.00", c.refunds[0].id, "another card"]) ok(said.includes(part), `no ${part} in ${said}`);
  await page.locator("#approve:enabled").click();
  await eventually("approved", async () => (await shown(wrong)).state === "working");
});

await check("5 needs a supervisor", async () => {
  await proposed("ann", strict);
  await act("sue", strict, "approve", { proposal: (await shown(strict)).proposal.seq });
  await act("ann", strict, "propose", { commands: [{ do: "write_off", bearer: "merchant" }], text: "too small" });
  const page = await opened("chen");
  await page.go(at(strict));
  ok((await text(page, "#why-not")).includes("needs_supervisor"), await text(page, "#why-not"));
  ok(await page.locator("#approve").isDisabled(), "can approve");
});

await check("5 approve works only at the version that was shown", async () => {
  const c = await proposed("ann", armed);
  const page = await opened("chen");
  await page.go(at(armed));
  await page.locator("#approve:enabled").waitFor();
  await act("ann", armed, "note", { text: "added while it was shown" });
  await page.locator("#approve:disabled").waitFor();
  await page.locator('#changed [data-act="refresh"]').click();
  await page.locator("#approve:enabled").waitFor();
  ok((await page.locator("#proposal .added").innerText()).length > 0 || (await page.locator("#timeline").innerText()).includes("added while it was shown"), "what was added is not shown");
  const [sent] = await Promise.all([page.waitForRequest((r) => r.url().endsWith("/v1/work/approve")), page.locator("#approve").click()]);
  is(JSON.parse(sent.postData()).expect, c.version + 1, "the version");
  await eventually("approved", async () => (await shown(armed)).state === "working");
});

await check("6 stale keeps what was typed", async () => {
  const page = await opened("ann");
  await page.go(at(stale));
  await page.locator('[data-direct="claim"]').first().click();
  await page.locator(".owner .who").waitFor();
  await open(page, "propose");
  await page.fill("#propose-text", "typed before it was stale");
  await act("sue", stale, "note", { text: "a note meanwhile" });
  await page.locator("#form-propose button.main").click();
  const answer = page.locator("#form-propose .answer");
  await answer.locator("[data-again]").waitFor();
  ok((await answer.innerText()).includes("a note meanwhile") && (await answer.innerText()).includes("stale"), await answer.innerText());
  is(await page.inputValue("#propose-text"), "typed before it was stale", "what was typed");
  await answer.locator("[data-again]").click();
  await eventually("proposed", async () => (await shown(stale)).proposal !== null);
  ok((await journal(stale)).at(-1).data.text === "typed before it was stale", "the text");
});

await check("6 no answer: the same key again, no double entry", async () => {
  const page = await opened("ann");
  await page.go(at(lost));
  const keys = [];
  await page.route("**/v1/work/note", async (route) => {
    keys.push(route.request().headers()["idempotency-key"]);
    if (keys.length === 1) { await route.fetch(); await route.abort(); } else await route.continue();
  });
  await open(page, "note");
  await page.fill("#note-text", "written once");
  await page.locator("#form-note button.main").click();
  const again = page.locator("#form-note .answer button");
  await again.waitFor();
  is(await page.inputValue("#note-text"), "written once", "what was typed");
  await again.click();
  await eventually("sent again", async () => keys.length === 2 && !(await page.locator("#panel-note").isVisible()));
  ok(keys[0] && keys[0] === keys[1], `keys ${keys}`);
  is((await journal(lost)).filter((e) => e.what === "noted").length, 1, "notes");
});

await check("7 a contact in three steps, a picture by paste and by drop, its hash shown", async () => {
  const page = await opened("ann");
  await page.go(at(pasted));
  await page.keyboard.press("c"); // 1
  await page.keyboard.type("spoke to the payer"); // 2
  await page.locator('#form-contact button[value="reached"]').click(); // 3
  await eventually("the contact", async () => (await shown(pasted)).contacts === 1);
  await page.locator("ol.contacts").waitFor();
  for (const [n, how] of [[1, "paste"], [2, "drop"]]) {
    const bytes = Buffer.concat([Buffer.from("89504e470d0a1a0a", "hex"), Buffer.from(how)]);
    const hash = createHash("sha256").update(bytes).digest("hex");
    await page.evaluate(([kind, list]) => {
      const data = new DataTransfer();
      data.items.add(new File([new Uint8Array(list)], "screen.png", { type: "image/png" }));
      document.body.dispatchEvent(kind === "paste" ? new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }) : new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
    }, [how, [...bytes]]);
    await eventually(how, async () => (await shown(pasted)).files === n && (await page.locator("#evidence").innerText()).includes(hash));
  }
  const [saved] = await Promise.all([page.waitForEvent("download"), page.locator("ol.files a").first().click()]);
  is(saved.suggestedFilename(), "screen.png", "the name");
});

await check("8 times with date, weekday, time, offset; sequence beside records; nothing ranked", async () => {
  const page = await opened("ann");
  await page.go(at(spare));
  const times = await page.locator("main time").allInnerTexts();
  ok(times.length > 2, "no times");
  for (const t of times) ok(/^\d{4}-\d\d-\d\d (Mon|Tue|Wed|Thu|Fri|Sat|Sun)\s+\d\d:\d\d:\d\d\s+[+-]\d\d:\d\d$/.test(t.replace(/\s+/g, " ")), t);
  ok(/\d{20}/.test(await page.locator("#timeline").innerText()), "no sequence");
  const zh = await opened("ann", { lang: "zh-CN" });
  await zh.go(at(spare));
  ok(/周[一二三四五六日]/.test((await zh.locator("main time").allInnerTexts())[0]), "no weekday");
  await page.go("/stats");
  ok((await page.content()).includes("Unusual, not proof"), "no warning above the training list");
});

await check("9 by keys alone: lists, a case, a contact, approving", async () => {
  const page = await opened("ann");
  await page.go("/list/next");
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await page.keyboard.press("k");
  const no = await page.locator("tr.at").getAttribute("data-case");
  is(no, await page.locator("[data-row]").first().getAttribute("data-case"), "the first row");
  await page.keyboard.press("Enter");
  await page.waitForURL(`**${at(no)}`);
  await page.go(at(keyboard));
  await page.keyboard.press("1"); // the suggested step: claim
  await eventually("claimed", async () => (await shown(keyboard)).owner === "ann");
  await page.locator(".owner .who").waitFor();
  await page.keyboard.press("j");
  is(await page.evaluate(() => document.activeElement.id.slice(0, 2)), "h-", "a heading is focused");
  await page.keyboard.press("w");
  ok(await page.locator("#panel-wait").isVisible(), "w");
  await page.keyboard.press("Escape");
  await page.keyboard.press("f");
  ok(await page.locator("#panel-file").isVisible(), "f");
  await page.keyboard.press("Escape");
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press("/");
  is(await page.evaluate(() => document.activeElement.id), "find", "/");
  await page.keyboard.type("C-2");
  is(await page.inputValue("#find"), "C-2", "keys in a field are letters");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/find**");
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press("?");
  await page.waitForURL("**/help");
  const c = await proposed("ann", keyboard);
  const chen = await opened("chen");
  await chen.go(at(keyboard));
  await chen.locator("#approve:enabled").waitFor();
  await chen.keyboard.press("a");
  is(await chen.evaluate(() => document.activeElement.id), "approve", "a");
  await chen.keyboard.press("x");
  ok(await chen.locator("#panel-reject").isVisible(), "x");
  await chen.keyboard.type("look again");
  await chen.keyboard.press("Tab");
  await chen.keyboard.press("Enter");
  await eventually("rejected", async () => (await journal(keyboard)).some((e) => e.what === "rejected" && e.data.proposal === c.proposal.seq && e.data.text === "look again"));
});

await check("9 no keys in a field, while composing, with Ctrl, or switched off; each has a button", async () => {
  const page = await opened("ann");
  await page.go(at(spare));
  const nothing = async (why) => { ok(!(await page.locator("#panel-contact").isVisible()) && page.url().endsWith(at(spare)), why); };
  for (const how of [{ isComposing: true }, { keyCode: 229 }, { ctrlKey: true }, { altKey: true }, { metaKey: true }]) {
    await page.evaluate((o) => document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "c", bubbles: true, ...o })), how);
    await nothing(JSON.stringify(how)); // one more would close it again
  }
  // A real input method, in a field: nothing but the text.
  await page.keyboard.press("c");
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("Input.imeSetComposition", { text: "ka", selectionStart: 2, selectionEnd: 2 });
  await cdp.send("Input.insertText", { text: "卡" });
  is(await page.inputValue("#contact-text"), "卡", "composed");
  await page.locator('[data-shut="contact"]').click();
  await page.go("/help");
  await page.locator("#keys-on").setChecked(false);
  await page.go(at(spare));
  await page.keyboard.press("c");
  await nothing("switched off");
  await page.go("/help");
  await page.locator("#keys-on").setChecked(true);
  await page.go(at(spare));
  for (const s of ['[data-open="contact"]', '[data-open="file"]', '[data-step]', '#find', '[data-act="lang"]', 'a[href="/help"]']) ok(await page.locator(s).first().isVisible(), `no button: ${s}`);
  await page.keyboard.press("g");
  await page.keyboard.press("l");
  await eventually("g l", async () => (await page.locator("html").getAttribute("lang")) === "zh-CN");
});

await check("10 a bill is imported, and what was refused has its place", async () => {
  const page = await opened("ann");
  await page.go("/days?month=2026-08");
  const head = "商户号,终端号,交易日期,交易时间,交易类型,交易批次号,凭证号,参考号,卡号,交易金额,交易单号,原交易单\n";
  const row = (rrn, amount) => `898000000000009,10000009,2026-08-22,12:00:00,退货,,,${rrn},,${amount},,\n`;
  await page.locator("#bill-file").setInputFiles({ name: "<img src=x>.csv", mimeType: "text/csv", buffer: Buffer.from(head + row("900000000001", "3.50") + row("900000000002", "abc")) });
  await page.locator("#form-bill button[type=submit]").click();
  await eventually("the answer", async () => (await text(page, "#answer-bill")).includes(".csv:3:10: amount"));
  ok((await text(page, "#answer-bill")).includes("2 rows, 1 accepted, 1 refused"), await text(page, "#answer-bill"));
  is(await page.locator("#answer-bill img").count(), 0, "markup");
  await accessible(page, "a month with a bill");
  is(page.errors.join(), "", "errors");
});

await check("10 axe, light and dark", async () => {
  await proposed("ann", small);
  for (const scheme of given.schemes) {
    const ann = await opened("ann", { scheme }), chen = await opened("chen", { scheme }), adm = await opened("adm", { scheme }), none = await opened(null, { scheme }), aud = await opened("aud", { scheme });
    for (const [page, path] of [[none, "/login"], [ann, "/list/next"], [ann, at(small)], [ann, at(whole)], [ann, "/stats"], [ann, "/days"], [ann, "/day/2026-08-22"], [ann, "/help"], [ann, `${at(whole)}/print`], [ann, `${at(whole)}/export?for=store`], [chen, at(small)], [adm, "/people"], [aud, "/reads"], [ann, "/password"], [ann, "/find?text=C-2"], [ann, "/case/C-1999-000001"]]) {
      await page.go(path);
      await accessible(page, `${scheme} ${path}`);
    }
    await ann.go(at(spare));
    for (const name of ["contact", "file", "note"]) await open(ann, name);
    await accessible(ann, `${scheme} panels`);
  }
});

await check("10 200 %, 320 px, reduced motion, focus and targets", async () => {
  for (const [how, o] of [["200 %", { width: 640, height: 450, scale: 2 }], ["320 px", { width: 320, height: 640, reduced: true }], ["320 px, Chinese", { width: 320, height: 640, lang: "zh-CN" }]]) {
    const page = await opened("chen", o);
    for (const path of ["/list/approve", at(small), "/stats", "/days", "/help", "/password"]) {
      await page.go(path);
      const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      ok(over <= 1, `${how} ${path}: ${over} px beyond the edge`);
    }
    await page.go(at(small));
    await page.locator("#approve").scrollIntoViewIfNeeded();
    ok(await page.locator("#approve").isVisible(), `${how}: no approve`);
    const tiny = await page.evaluate(() => [...document.querySelectorAll("button, a.button, input, select, summary, nav a")].filter((e) => e.checkVisibility() && !e.closest(".hidden") && !e.matches(".hidden, [type=checkbox]")).map((e) => [e.getBoundingClientRect(), e]).filter(([r]) => r.width > 0 && (r.width < 24 || r.height < 23.5)).map(([r, e]) => `${e.outerHTML.slice(0, 90)} ${r.width}x${r.height}`));
    is(tiny.join("\n"), "", `${how}: targets below 24 px`);
    // Focus goes through the page, visible and never covered.
    await page.evaluate(() => { scrollTo(0, 0); document.activeElement.blur(); });
    for (let i = 0; i < 30; i++) {
      await page.keyboard.press("Tab");
      const bad = await page.evaluate(() => {
        const e = document.activeElement;
        if (!e || e === document.body) return "";
        const s = getComputedStyle(e), r = e.getBoundingClientRect();
        if (s.outlineStyle === "none" && s.boxShadow === "none") return `no outline: ${e.outerHTML.slice(0, 120)}`;
        const x = Math.min(Math.max(r.left + r.width / 2, 0), innerWidth - 1), y = Math.min(Math.max(r.top + Math.min(r.height / 2, 10), 0), innerHeight - 1);
        const top = document.elementFromPoint(x, y);
        return !top || e.contains(top) || top.contains(e) ? "" : `covered: ${e.outerHTML.slice(0, 120)} by ${top.outerHTML.slice(0, 80)}`;
      });
      is(bad, "", how);
    }
  }
});

await check("11 both languages, without losing what was typed", async () => {
  const page = await opened("ann");
  await act("ann", words, "note", { text: "Wrote in English, 也有中文" });
  await page.go(at(words));
  await page.keyboard.press("c");
  await page.fill("#contact-text", "half a sentence, 半句");
  await page.selectOption("#contact-party", "bank");
  for (const [lang, word] of [["zh-CN", "联系记录"], ["en", "Contact"]]) {
    await page.locator('[data-act="lang"]').click();
    await eventually(lang, async () => (await page.locator("html").getAttribute("lang")) === lang);
    is(await page.inputValue("#contact-text"), "half a sentence, 半句", "what was typed");
    is(await page.inputValue("#contact-party"), "bank", "what was chosen");
    ok(await page.locator("#panel-contact").isVisible() && (await page.locator("#panel-contact h3").innerText()).includes(word), word);
    ok((await page.locator("#timeline").innerText()).includes("Wrote in English, 也有中文"), "what people wrote");
  }
  const zh = await opened("ann", { lang: "zh-CN" });
  await zh.go(at(words));
  const left = await zh.evaluate(() => { // words of the page itself, not of people or terminals
    const own = document.body.cloneNode(true);
    for (const e of own.querySelectorAll(".mono, .written, .quote, code, kbd, time, .who, .me, .small.hash, abbr, .money, svg, [lang=en]")) e.remove();
    return (own.textContent.match(/[A-Za-z]{4,}/g) || []).filter((w) => !/^(English|RC|card|https?|CNY|sha)$/i.test(w));
  });
  ok(left.length < 3, `English on the Chinese page: ${[...new Set(left)].join(" ")}`);
});

await check("12 print: both languages, hashes, who, when, version, page numbers", async () => {
  await proposed("ann", printed);
  await act("sue", printed, "approve", { proposal: (await shown(printed)).proposal.seq });
  const page = await opened("ann", { scheme: "dark" });
  await page.go(`${at(printed)}/print`);
  await page.emulateMedia({ media: "print" });
  const paper = await page.locator("article.paper").innerText();
  const c = await shown(printed);
  for (const part of [printed, c.hash, "Printed by", "打印人", "ann", "不同", "Different", "620550", "622848", ...(await journal(printed)).map((e) => e.hash)]) ok(paper.includes(part), `no ${part}`);
  ok(new RegExp(`version ${c.version}\\b`).test(paper), "no version");
  const [ink, ground] = await page.evaluate(() => [getComputedStyle(document.querySelector("article.paper")).color, getComputedStyle(document.body).backgroundColor]);
  const light = (c) => (c.match(/[\d.]+/g) || []).slice(0, 3).reduce((a, b) => a + Number(b), 0);
  ok(light(ink) < 150 && (light(ground) > 700 || /, 0\)$/.test(ground)), `${ink} on ${ground}`);
  ok(!(await page.locator(".printacts").isVisible()), "buttons on paper");
  const css = await (await page.context().request.get(await page.locator('link[rel="stylesheet"]').evaluate((l) => l.href))).text();
  ok(/@page[^}]*counter\(page\)/.test(css), "no page numbers");
  ok((await page.pdf()).length > 10_000, "no paper");
});

await check("13 an evidence pack: what goes out is shown, then it is made once and saved", async () => {
  await act("ann", spare, "note", { text: "only for us" });
  const page = await opened("ann");
  await page.go(at(spare));
  await page.locator(`a[href="${at(spare)}/export"]`).click();
  await page.waitForURL(`**${at(spare)}/export`);
  ok(!(await page.content()).includes("only for us"), "a bank gets the note");
  await page.selectOption("#profile", "court");
  await page.locator(".listhead button[type=submit]").click();
  await page.waitForURL("**for=court");
  ok((await page.content()).includes("only for us"), "a court gets no note");
  await page.fill("#export-reader", "法院");
  page.asked.length = 0;
  const saved = page.waitForEvent("download");
  await page.locator("#form-export button.main").dblclick();
  const file = await saved;
  const chunks = [];
  for await (const part of await file.createReadStream()) chunks.push(part);
  const said = await text(page, "#form-export .answer");
  ok(said.includes(createHash("sha256").update(Buffer.concat(chunks)).digest("hex")), `another file than ${said}`);
  ok(said.includes(file.suggestedFilename().replace(".asice", "")) && said.includes("Not signed."), said);
  is(page.asked.filter((r) => r.startsWith("POST")).length, 1, "packs");
  is(page.errors.join(), "", "errors");
});

await check("13 no request twice; live without a reload", async () => {
  const page = await opened("ann");
  // A stream and an icon belong to each page, and may begin after the page before was left.
  const twice = () => page.asked.filter((r, i) => page.asked.indexOf(r) !== i && !/ \/v1\/stream|icon\.svg/.test(r));
  await page.go("/list/next");
  is(twice().join(), "", "a list");
  page.asked.length = 0;
  await page.locator(`[data-row][data-case="${once}"] a`).first().click();
  await page.waitForURL(`**${at(once)}`);
  await page.waitForLoadState("load");
  is(twice().join(), "", "a case");
  ok(page.asked.length < 8, page.asked.join("\n"));
  const bea = await proposed("bea", once);
  const chen = await opened("chen");
  await chen.go(at(once));
  await chen.locator("#approve:enabled").waitFor();
  chen.asked.length = 0;
  await chen.locator("#approve").dblclick();
  await eventually("approved", async () => (await shown(once)).state === "working" && !(await chen.locator("#proposal").count()));
  is(chen.asked.filter((r, i) => chen.asked.indexOf(r) !== i).join(), "", "an approval");
  is(chen.asked.filter((r) => r.startsWith("POST")).length, 1, "commands");
  ok(bea.version < (await shown(once)).version, "nothing happened");
});

await check("13 what others do is shown at once, and never what was typed lost", async () => {
  const page = await opened("ann");
  // What happens after the page was drawn and before its stream begins is shown, too.
  let begin;
  const held = new Promise((r) => { begin = r; });
  await page.route("**/v1/stream*", async (route) => { await held; await route.continue(); });
  await page.go(at(live));
  await act("sue", live, "claim");
  begin();
  await eventually("the new owner", async () => (await text(page, ".owner")).includes("sue"));
  await open(page, "note");
  await page.fill("#note-text", "being typed");
  await act("sue", live, "note", { text: "another note" });
  await page.locator("#changed").waitFor({ state: "visible" });
  is(await page.inputValue("#note-text"), "being typed", "what was typed");
  await page.locator('#changed [data-act="refresh"]').click();
  await eventually("the note", async () => (await page.locator("#timeline").innerText()).includes("another note"));
  is(await page.inputValue("#note-text"), "being typed", "what was typed");
});

await check("13 a page that is not seen holds no connection, and catches up", async () => {
  const page = await opened("ann");
  await page.go(at(spare));
  const see = (state) => page.evaluate((v) => { Object.defineProperty(document, "visibilityState", { value: v, configurable: true }); document.dispatchEvent(new Event("visibilitychange")); }, state);
  const streams = () => page.asked.filter((r) => r.startsWith("GET /v1/stream")).length;
  await eventually("a stream", async () => streams() === 1);
  await see("hidden");
  await act("sue", spare, "claim");
  await see("visible");
  await eventually("the new owner", async () => (await text(page, ".owner")).includes("sue"));
  is(streams(), 2, "streams");
});

await check("14 what terminals and people write is text", async () => {
  const m = given.markup, no = given.hostile;
  await act("ann", no, "claim");
  await act("ann", no, "note", { text: m });
  await act("ann", no, "contact", { party: "payer", direction: "out", channel: "phone", number: "", on_file: true, result: "confirmed", text: m });
  const p = given.people.ann;
  const r = await fetch(`${given.base}/v1/work/file?case=${no}&name=${encodeURIComponent(m)}&kind=letter`, { method: "POST", body: m, headers: { Cookie: `__Host-yuanlu=${p.cookie}`, "X-CSRF-Token": p.csrf, "Content-Type": "text/plain" } });
  is(r.status, 200, "the file");
  await act("ann", no, "escalate", { body: "acquirer", ref: m, text: m });
  const c = await shown(no);
  await act("ann", no, "propose", { commands: [{ do: "finding", wrong: [c.refunds[0].id], owed: 1 }, { do: "request", route: "acquirer", ref: m }], text: m });
  await must("adm", "/v1/work/person", { person: { id: "zoe", staff: m, roles: ["cashier"], stores: [m], operators: [{ merchant_id: m, terminal_id: m, operator: m }], active: true } });
  const ann = await opened("ann"), sue = await opened("sue"), adm = await opened("adm"), aud = await opened("aud");
  for (const [page, path] of [[sue, at(no)], [ann, at(no)], [ann, `${at(no)}/print`], [ann, `${at(no)}/changes?after=1`], [ann, `/find?text=${encodeURIComponent("<img")}`], [ann, "/list/mine"], [adm, "/people"], [aud, "/reads"], [ann, "/stats"], [ann, `/case/${encodeURIComponent(m)}`], [ann, `/login?to=${encodeURIComponent("javascript:alert(1)")}`]]) {
    await page.go(path);
    is(await page.locator("img").count(), 0, `${path}: pictures`);
    is(await page.evaluate(() => globalThis.pwned), undefined, `${path}: it ran`);
  }
  await sue.go(at(no));
  ok((await sue.locator("main").innerText()).includes(m), "it is not shown as written");
  await sue.locator("#approve:enabled").click();
  await eventually("approved", async () => (await shown(no)).state === "working");
  is(await sue.evaluate(() => globalThis.pwned), undefined, "it ran");
});

await check("an admin binds an identity of the provider", async () => {
  const page = await opened("adm");
  await page.go("/people");
  await page.locator('[data-open="bind"]').click();
  await page.selectOption("#b-person", "cas");
  await page.fill("#b-sub", "sub-of-cas");
  await page.locator("#form-bind button.main").click();
  await eventually("bound", async () => (await page.locator("table.people").innerText()).includes("sub-of-cas"));
  await accessible(page, "people");
  const door = await opened(null);
  await door.go("/login");
  is(await door.locator('a[href="/v1/oidc/login"]').count(), 1, "the way to the provider");
});

await check("13 nothing is loaded from elsewhere", async () => { is(elsewhere.join(), "", "requests"); });

await stop();
console.log(JSON.stringify({ done: true }));
