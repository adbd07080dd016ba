// The case desk in the browser: sends commands, keeps what was typed, follows changes, keys.
// Every text that it shows comes from the page or from the desk's answer, as text.
"use strict";
(() => {
  const body = () => document.body;
  const say = (name) => body().dataset["say" + name[0].toUpperCase() + name.slice(1)] || "";
  const $ = (id) => document.getElementById(id);
  const answerTime = 20000; // ms until a command counts as not answered

  // announce puts a text into the live region for those who do not see the page.
  const announce = (text) => { const l = $("live"); if (l) { l.textContent = ""; l.textContent = text; } };
  let toastTimer;
  const toast = (text) => {
    const t = $("toast");
    if (!t) return;
    t.textContent = text;
    clearTimeout(toastTimer);
    toastTimer = setTimeout(() => { t.textContent = ""; }, 8000);
  };
  const element = (name, text, attributes = {}) => {
    const e = document.createElement(name);
    if (text) e.textContent = text;
    for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
    return e;
  };
  const cookie = (name, value) => { document.cookie = `${name}=${value}; path=/; max-age=31536000; SameSite=Strict${location.protocol === "https:" ? "; Secure" : ""}`; };

  // Keys of commands: the same one is sent again until an answer has come.
  const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");

  // ask sends a command and returns {status, body}; status 0: no answer came.
  const ask = async (url, sent, headers, time) => {
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), time || answerTime);
    try {
      const r = await fetch(url, { method: "POST", headers, body: sent, signal: stop.signal, credentials: "same-origin", redirect: "error" });
      let got = null;
      try { got = await r.json(); } catch { return { status: 0 }; } // half an answer is none
      return { status: r.status === 503 ? 0 : r.status, body: got };
    } catch { return { status: 0 }; } finally { clearTimeout(timer); }
  };

  // Values of fields, by their data-type.
  const money = (text, digits) => {
    const m = /^(\d{1,15})(?:[.](\d*))?$/.exec(text.replace(/[,\s]/g, ""));
    if (!m || (m[2] || "").length > digits) return NaN;
    return Number(m[1] + (m[2] || "").padEnd(digits, "0"));
  };
  const digitsOf = (currency) => {
    if (["BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"].includes(currency)) return 0;
    return ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"].includes(currency) ? 3 : 2;
  };
  const zone = () => (/[+-]\d\d:\d\d$/.exec(body().dataset.now || "") || ["+08:00"])[0];
  const value = (field) => {
    switch (field.dataset.type) {
      case "int": return Number(field.value);
      case "bool": return field.checked;
      case "money": return money(field.value, field.dataset.currencyFrom ? digitsOf($(field.dataset.currencyFrom).value) : Number(field.dataset.digits));
      case "moment": return (field.value.length === 16 ? field.value + ":00" : field.value) + zone();
      case "words": return field.value.split(/[,\s]+/).filter(Boolean);
      case "operators": return field.value.split(/[\n;]+/).map((l) => l.trim()).filter(Boolean).map((l) => {
        const [merchant, terminal, ...operator] = l.split("/");
        return { merchant_id: merchant, terminal_id: terminal || "", operator: operator.join("/") };
      });
    }
    return field.value;
  };
  const put = (into, name, v, list) => {
    const parts = name.split(".");
    while (parts.length > 1) { const p = parts.shift(); into = into[p] = into[p] || {}; }
    if (list) { into[parts[0]] = into[parts[0]] || []; if (v !== null) into[parts[0]].push(v); } else into[parts[0]] = v;
  };
  const collect = (fields, into) => {
    for (const f of fields) {
      if (!f.name || f.dataset.skip !== undefined || f.type === "submit") continue;
      if (f.dataset.type === "list") { put(into, f.name, f.checked ? f.value : null, true); continue; }
      if (f.dataset.optional !== undefined && f.value === "") continue;
      put(into, f.name, value(f), false);
    }
    return into;
  };
  const orders = (form) => Array.from(form.querySelectorAll("fieldset[data-order]")).filter((o) => o.querySelector("[data-pick]").checked)
    .map((o) => collect(o.querySelectorAll(".inner [name]"), { do: o.dataset.order }));

  // command makes the body of a form's command.
  const command = (form, button) => {
    const sent = form.dataset.case !== undefined ? { case: body().dataset.case } : {};
    // What is only added needs no version: it changes nothing that somebody must have seen.
    if (sent.case && !["note", "contact", "file"].includes(form.dataset.do)) sent.expect = Number(body().dataset.version);
    if (form.dataset.do === "propose") {
      sent.commands = orders(form);
      sent.text = form.elements.namedItem("text").value;
    } else {
      collect(Array.from(form.elements).filter((f) => !f.closest("fieldset[data-order]")), sent);
    }
    if (button && button.name) sent[button.name] = button.value;
    return sent;
  };

  const place = (form) => form.querySelector(".answer") || $("answer-actions") || $("answer-take");
  const clear = (where) => { if (where) where.replaceChildren(); };

  // refused shows a refusal, its code small beside it.
  const refused = (where, error) => {
    const p = element("p");
    const message = error && error.message && (error.message[body().dataset.lang] || error.message.en);
    p.append(message || String(error && error.message || "?"), " ", element("code", error ? error.code : "", { class: "small" }));
    where.replaceChildren(p);
  };
  const offerAgain = (where, text, again) => {
    const b = element("button", say("again"), { type: "button" });
    b.addEventListener("click", again, { once: true });
    where.replaceChildren(element("p", text), b);
    return b;
  };

  // stale keeps what was typed, shows what changed, and offers to send again.
  const stale = async (where, error, again) => {
    refused(where, error);
    const shown = await part(`/case/${encodeURIComponent(body().dataset.case)}/changes?after=${body().dataset.version}`);
    if (!shown) return;
    const changes = shown.querySelector("[data-version]");
    if (!changes) return;
    const b = element("button", say("again"), { type: "button", "data-again": "" });
    b.addEventListener("click", async () => { body().dataset.version = changes.dataset.version; await again(); }, { once: true });
    where.append(element("p", say("stale")), document.adoptNode(changes), b);
    b.focus();
  };
  const part = async (url) => {
    try {
      const r = await fetch(url, { credentials: "same-origin" });
      return r.ok ? new DOMParser().parseFromString(await r.text(), "text/html") : null;
    } catch { return null; }
  };

  // busy are forms whose command is on its way: none is sent twice.
  const busy = new WeakSet();
  const headers = (key) => ({ "Content-Type": "application/json", "X-CSRF-Token": body().dataset.csrf || "", ...(key ? { "Idempotency-Key": key } : {}) });

  // run sends a command of a form or a button until it is answered; key belongs to it.
  const run = async (of, url, make, where, done) => {
    if (busy.has(of)) return;
    busy.add(of);
    of.setAttribute("aria-busy", "true");
    const sent = make();
    const text = typeof sent === "string" ? sent : sent.body || JSON.stringify(sent);
    const same = typeof text === "string" ? text.replace(/"expect":\d+,?/, "") : of.dataset.same || "file";
    if (!of.dataset.key || of.dataset.same !== same) { of.dataset.key = newKey(); of.dataset.same = same; }
    announce(say("sending"));
    const got = await ask(url, text, { ...headers(of.dataset.key), ...(sent.headers || {}) }, Number(of.dataset.wait));
    busy.delete(of);
    of.removeAttribute("aria-busy");
    const again = () => run(of, url, make, where, done);
    if (got.status === 200) { delete of.dataset.key; clear(where); await done(got.body); return; } // it draws the page
    caught();
    if (got.status === 0) { offerAgain(where, say("none"), again).focus(); return; }
    const error = got.body && got.body.error;
    if (error && error.code === "stale" && body().dataset.case) { await stale(where, error, again); return; }
    refused(where, error);
    if (error && error.code === "login") { offerAgain(where, say("login"), async () => { await fresh(); await again(); }); }
  };
  // fresh takes the token of a session that was begun elsewhere meanwhile.
  const fresh = async () => {
    try {
      const r = await fetch("/v1/me", { credentials: "same-origin" });
      if (r.ok) body().dataset.csrf = (await r.json()).csrf;
    } catch { /* the next try tells */ }
  };

  // done empties a form whose command was answered, and closes its panel.
  const done = (form) => {
    form.reset();
    dirty.delete(form.id);
    const panel = form.closest(".panel");
    if (panel) panel.hidden = true;
  };
  const labelOf = (form, button) => {
    const h = form.querySelector("h2, h3");
    return (h ? h.textContent : (button ? button.textContent : "")).trim();
  };
  // exported tells what an evidence pack is, and saves it.
  const exported = (form, got) => {
    const say = form.dataset;
    const save = element("a", say.save, { class: "button", href: `/v1/work/cases/${encodeURIComponent(got.case)}/packs/${encodeURIComponent(got.pack)}`, download: `${got.pack}.asice` });
    const lines = [say.made.replace("{pack}", got.pack).replace("{hash}", got.sha256), `${got.signed ? say.signed : say.unsigned} ${got.stamped ? say.stamped : say.unstamped}`,
      ...got.lacks.map((l) => say.lack.replace("{terminal}", l.terminal).replace("{why}", l.why))];
    place(form).replaceChildren(...lines.map((l) => element("p", l)), save);
    save.click();
  };
  const doForm = (form, button) => {
    const name = form.dataset.do;
    run(form, form.dataset.at || `/v1/work/${name}`, () => command(form, button), place(form), async (got) => {
      const text = say("done").replace("{what}", labelOf(form, button));
      done(form);
      if (name === "export") { exported(form, got); return; }
      if (name === "open") { location.assign("/case/" + got.case.no); return; }
      await refresh();
      toast(text);
    });
  };
  const doButton = (button, name) => {
    const on = name !== "take";
    run(button, `/v1/work/${name}`, () => (on ? { case: body().dataset.case, expect: Number(body().dataset.version) } : {}), $("answer-actions") || $("answer-take"), async (got) => {
      if (name === "take") { location.assign("/case/" + got.case.no); return; }
      await refresh();
      toast(say("done").replace("{what}", button.firstChild.textContent.trim()));
    });
  };

  // upload files a document; the desk counts and hashes it itself.
  const upload = (of, file, kind, where, next) => {
    const name = (file.name || "picture").slice(0, 200);
    const url = `/v1/work/file?case=${encodeURIComponent(body().dataset.case)}&name=${encodeURIComponent(name)}&kind=${encodeURIComponent(kind)}`;
    of.dataset.same = `${name}/${file.size}/${file.lastModified}/${kind}`;
    if (of.dataset.sameFile !== of.dataset.same) { delete of.dataset.key; of.dataset.sameFile = of.dataset.same; }
    run(of, url, () => ({ body: file, headers: { "Content-Type": file.type || "application/octet-stream" } }), where, async (got) => {
      const filed = got.events.find((e) => e.what === "filed");
      done(of);
      await refresh();
      toast(say("uploaded").replace("{name}", name).replace("{hash}", filed ? filed.data.sha256 : ""));
      if (next) next();
    });
  };

  // bill imports a file of bills and shows what of it was refused, by line and column.
  const bill = (form) => {
    const file = form.elements.namedItem("file").files[0];
    const said = form.dataset.done;
    run(form, `/v1/work/bills?name=${encodeURIComponent(file.name)}`, () => ({ body: file, headers: { "Content-Type": "application/octet-stream" } }), place(form), async (got) => {
      done(form);
      await refresh();
      const places = got.refused.concat(...got.bills.map((b) => b.refused_at));
      const list = element("ul", "", { class: "mono small" });
      list.append(...places.map((p) => element("li", p)));
      $("answer-bill").replaceChildren(...got.bills.map((b) => element("p", said.replace(/\{(file|rows|entries|refused)\}/g, (_, k) => b[k]))), ...(places.length ? [list] : []));
    });
  };

  // Doors: login, password, logout.
  const door = async (form) => {
    const where = place(form);
    if (form.id === "form-password" && $("new").value !== $("again").value) { where.replaceChildren(element("p", say("differ"))); $("again").focus(); return; }
    if (busy.has(form)) return;
    busy.add(form);
    const got = await ask(form.dataset.post, JSON.stringify(collect(form.elements, {})), headers());
    busy.delete(form);
    if (got.status === 0) { offerAgain(where, say("none"), () => door(form)); return; }
    if (got.status !== 200) { refused(where, got.body.error); const p = form.querySelector("input[type=password]"); p.focus(); p.select(); return; }
    dirty.clear();
    const to = new URLSearchParams(location.search).get("to") || "/";
    location.assign(got.body.must_change ? "/password" : to.startsWith("/") && !to.startsWith("//") && !to.includes("\\") ? to : "/");
  };

  // What was typed: forms that differ from how they came.
  const dirty = new Set();
  const fieldsOf = (form) => Array.from(form.elements).filter((f) => f.name || f.dataset.pick !== undefined);
  // keyed names each field, also where several share a name.
  const keyed = (form) => {
    const fields = new Map();
    for (const f of fieldsOf(form)) {
      const order = f.closest("fieldset[data-order]");
      const name = `${order ? order.dataset.order : ""}/${f.name || "pick"}/${f.dataset.type === "list" ? f.value : ""}`;
      if (f.type !== "submit") fields.set(name, f);
    }
    return fields;
  };
  const keep = () => {
    const forms = {};
    for (const form of document.forms) {
      if (!form.id) continue;
      const panel = form.closest(".panel");
      const where = form.querySelector(".answer");
      forms[form.id] = { dirty: dirty.has(form.id), open: panel ? !panel.hidden : null, key: form.dataset.key, same: form.dataset.same,
        values: Array.from(keyed(form), ([name, f]) => (f.type === "file" ? { name, files: f.files } : { name, value: f.value, checked: f.checked })), answer: where ? Array.from(where.childNodes) : [] };
    }
    const at = document.activeElement;
    return { forms, details: Array.from(document.querySelectorAll("details[open]")).map((d) => d.className), x: scrollX, y: scrollY, path: location.pathname,
      focus: at && at.id, focused: at && at !== document.body, from: at && "selectionStart" in at && at.type !== "checkbox" ? [at.selectionStart, at.selectionEnd] : null,
      find: $("find") && $("find").value, row: marked() };
  };
  const restore = (kept) => {
    for (const [id, one] of Object.entries(kept.forms)) {
      const form = $(id);
      if (!form) { if (one.dirty) lost(one); continue; }
      if (one.dirty) {
        const fields = keyed(form);
        for (const v of one.values) {
          const f = fields.get(v.name);
          if (!f) continue;
          if (v.files) f.files = v.files; else { f.value = v.value; f.checked = v.checked; }
        }
        for (const pick of form.querySelectorAll("[data-pick]")) picked(pick);
        dirty.add(id);
        if (one.key) { form.dataset.key = one.key; form.dataset.same = one.same; }
        const where = form.querySelector(".answer");
        if (where) where.replaceChildren(...one.answer);
      }
      const panel = form.closest(".panel");
      if (panel && one.open) shown(panel, true, false);
    }
    for (const d of document.querySelectorAll("details")) if (kept.details.includes(d.className) && d.className !== "menu") d.open = true;
    if ($("find") && kept.find) $("find").value = kept.find;
    const at = kept.focus && $(kept.focus);
    if (at) {
      at.focus({ preventScroll: true });
      if (kept.from && kept.from[0] !== null) try { at.setSelectionRange(...kept.from); } catch { /* a field without a selection */ }
    }
    if (!at && kept.focused) { const h = $("h-actions") || $("main"); h.focus({ preventScroll: true }); }
    scrollTo(kept.x, kept.y);
    if (kept.row) mark(document.querySelector(`[data-row][data-case="${CSS.escape(kept.row)}"]`));
  };
  // lost shows what was typed into a form that is not offered any more.
  const lost = (one) => {
    const typed = one.values.map((v) => v.value).filter((v) => v && v.trim() && v.length > 8).join("\n");
    if (!typed) return;
    const box = element("div", "", { class: "notice" });
    const area = element("textarea", "", { rows: "4", readonly: "", "aria-label": say("kept") });
    area.value = typed;
    box.append(element("p", say("kept")), area);
    $("main").prepend(box);
  };

  // refresh draws the page again, with what was typed.
  let drawing = false;
  const refresh = async () => {
    if (drawing) return false;
    drawing = true;
    try {
      const got = await part(location.href);
      if (!got || !got.body) return false;
      const kept = keep();
      if (got.documentElement.lang !== document.documentElement.lang) toast("");
      document.documentElement.lang = got.documentElement.lang;
      document.title = got.title;
      const fresh = got.body;
      for (const a of Array.from(document.body.attributes)) document.body.removeAttribute(a.name);
      for (const a of Array.from(fresh.attributes)) document.body.setAttribute(a.name, a.value);
      for (const id of ["bar", "main"]) {
        const now = $(id), next = got.getElementById(id);
        if (now && next) now.replaceWith(document.adoptNode(next));
      }
      begin();
      restore(kept);
      return true;
    } finally { drawing = false; caught(); }
  };

  // Panels: forms that a button opens.
  const shown = (panel, open, focus) => {
    panel.hidden = !open;
    const name = panel.id.replace("panel-", "");
    for (const b of document.querySelectorAll(`[data-open="${CSS.escape(name)}"]`)) b.setAttribute("aria-expanded", String(open));
    if (!open || focus === false) return;
    const first = panel.querySelector("textarea, input:not([type=hidden]), select");
    if (first) first.focus();
    panel.scrollIntoView({ block: "nearest" });
  };
  const openPanel = (name) => {
    const panel = $("panel-" + name);
    if (!panel) return false;
    const was = !panel.hidden;
    for (const p of document.querySelectorAll(".panel:not([hidden])")) { const f = p.querySelector("form"); if (p !== panel && f && !dirty.has(f.id)) shown(p, false); }
    shown(panel, !was || dirty.has("form-" + name));
    return true;
  };
  const shut = (name) => {
    const panel = $("panel-" + name);
    const form = panel.querySelector("form");
    form.reset();
    clear(form.querySelector(".answer"));
    dirty.delete(form.id);
    shown(panel, false);
    const b = document.querySelector(`[data-open="${CSS.escape(name)}"]`);
    if (b) b.focus();
  };

  // Countdowns, by the desk's clock.
  let apart = 0; // ms that the desk's clock is ahead
  const announced = new Set();
  const tick = () => {
    for (const c of document.querySelectorAll(".count[data-until]")) {
      const left = Math.max(0, Math.floor((Date.parse(c.dataset.until) - Date.now() - apart) / 1000));
      const h = Math.floor(left / 3600), m = Math.floor(left / 60) % 60, s = left % 60;
      const two = (n) => String(n).padStart(2, "0");
      c.textContent = `${h}:${two(m)}:${two(s)}`;
      c.classList.toggle("soon", left <= 1800);
      if (c.dataset.quiet !== undefined) continue;
      for (const minutes of [30, 10, 5]) {
        const once = `${body().dataset.case}/${c.dataset.until}/${minutes}`;
        if (left <= minutes * 60 && left > (minutes - 1) * 60 && !announced.has(once)) {
          announced.add(once);
          announce(say("void").replace("{n}", String(minutes)));
        }
      }
      if (left === 0 && !announced.has(c.dataset.until)) { announced.add(c.dataset.until); announce(say("voidover")); }
    }
  };

  // Approving works once the page was shown at the version that it sends.
  const arm = () => {
    const b = $("approve");
    if (!b || b.dataset.never !== undefined) return;
    b.disabled = document.visibilityState !== "visible" || !!body().dataset.newer;
  };

  // Live: what changed elsewhere since the page was drawn. The stream begins behind the number
  // that the page was drawn at, so that nothing is missed in between.
  let stream = null;
  let upto = 0; // everything up to this number was seen
  const follow = () => {
    upto = Math.max(upto, Number(body().dataset.upto || 0));
    if (stream || !body().dataset.csrf || !window.EventSource || ["login", "password"].includes(body().dataset.place)) return;
    stream = new EventSource(upto ? `/v1/stream?after=${upto}` : "/v1/stream");
    const take = (e) => {
      upto = Math.max(upto, Number(e.lastEventId || 0));
      let news;
      try { news = JSON.parse(e.data); } catch { return; }
      if (news && typeof news.case === "string") changed(news.case, Number(news.version));
    };
    stream.addEventListener("message", take);
  };
  const leave = () => { if (stream) { stream.close(); stream = null; } };
  // A browser has six connections to a desk, and a person eight streams: a page that is not
  // seen lets go of its own. Seen again, it goes on behind what it saw last.
  const seen = () => { arm(); if (document.visibilityState === "visible") follow(); else leave(); };
  document.addEventListener("visibilitychange", seen);
  addEventListener("pagehide", leave);
  addEventListener("pageshow", (e) => { if (e.persisted) seen(); });
  let later;
  let missed = 0; // version of this case that came while the page was being drawn, or a command on its way
  const caught = () => { const v = missed; missed = 0; if (v) changed(body().dataset.case, v); };
  const changed = (no, version) => {
    if (body().dataset.place === "case") {
      if (no !== body().dataset.case || version <= Number(body().dataset.version)) return;
      if (drawing || document.querySelector("form[aria-busy], button[aria-busy]")) { missed = Math.max(missed, version); return; }
      if (dirty.size === 0 && !$("approve")) { refresh().then((ok) => { if (ok) toast(say("live")); }); return; }
      body().dataset.newer = String(version);
      if ($("changed")) $("changed").hidden = false;
      if ($("approve-version")) $("approve-version").textContent = say("look");
      announce(say("look"));
      arm();
      return;
    }
    if (!["next", "mine", "overdue", "approve"].includes(body().dataset.place) || dirty.size) return;
    clearTimeout(later);
    later = setTimeout(() => { if (document.visibilityState === "visible") { if (drawing) changed(no, version); else refresh(); } }, 2000);
  };

  // Rows of lists and sections of a case, for j and k.
  const marked = () => { const r = document.querySelector("tr.at"); return r && r.dataset.case; };
  const mark = (row) => {
    for (const r of document.querySelectorAll("tr.at")) r.classList.remove("at");
    if (row) row.classList.add("at");
  };
  const step = (by) => {
    const rows = Array.from(document.querySelectorAll("[data-row]"));
    if (rows.length) {
      const at = rows.findIndex((r) => r.classList.contains("at"));
      const row = rows[Math.min(rows.length - 1, Math.max(0, at < 0 ? (by > 0 ? 0 : rows.length - 1) : at + by))];
      mark(row);
      const to = row.querySelector("a, button");
      if (to) to.focus();
      return;
    }
    const sections = Array.from(document.querySelectorAll("[data-section] h1, [data-section] h2"));
    if (!sections.length) return;
    const at = sections.indexOf(document.activeElement);
    const to = sections[Math.min(sections.length - 1, Math.max(0, at < 0 ? (by > 0 ? 0 : sections.length - 1) : at + by))];
    to.focus();
    to.scrollIntoView({ block: "start" });
  };

  // Keys (casework.md § 14, 9).
  let before = "";
  const keysOn = () => localStorage.getItem("yuanlu-keys") !== "off";
  const press = (selector) => { const b = document.querySelector(selector); if (!b || b.disabled) return false; b.click(); return true; };
  const nothing = () => toast(say("nostep"));
  const keys = {
    j: () => step(1), k: () => step(-1), n: () => press("[data-act=take]") || takeFromHere(),
    1: () => nth(0), 2: () => nth(1), 3: () => nth(2), 4: () => nth(3),
    c: () => openPanel("contact") || nothing(), f: () => openPanel("file") || nothing(), w: () => openPanel("wait") || nothing(), x: () => openPanel("reject") || nothing(),
    a: () => { const b = $("approve"); if (!b) return nothing(); b.scrollIntoView({ block: "center" }); if (b.disabled) { const h = $("h-proposal"); h.focus(); announce(($("why-not") || $("approve-version")).textContent); } else b.focus(); },
    "/": () => { const f = $("find"); if (f) { f.focus(); f.select(); } }, "?": () => location.assign("/help"),
    l: () => { if (before === "g") switchLanguage(); },
  };
  const nth = (n) => { const b = document.querySelectorAll("[data-step]")[n]; if (!b) return nothing(); b.click(); if (b.hash) $(b.hash.slice(1)).querySelector("h2").focus(); };
  const takeFromHere = () => { if (document.querySelector("a[href='/list/next']")) doButton(document.querySelector("a[href='/list/next']"), "take"); else nothing(); };
  addEventListener("keydown", (e) => {
    if (e.isComposing || e.keyCode === 229 || e.ctrlKey || e.altKey || e.metaKey || e.defaultPrevented || !keysOn()) { before = ""; return; }
    const at = e.target;
    if (at instanceof HTMLElement && (at.isContentEditable || at.matches("input:not([type=checkbox]):not([type=radio]), textarea, select"))) {
      if (e.key === "Escape" && at.id !== "find") at.blur();
      return;
    }
    if (!body().dataset.csrf || ["login", "password"].includes(body().dataset.place)) return;
    const key = e.key;
    if (Object.hasOwn(keys, key) && (key !== "l" || before === "g") && !(key === "k" && before === "g")) { e.preventDefault(); keys[key](); }
    before = key === "g" ? "g" : "";
  });

  const switchLanguage = async () => {
    cookie("yuanlu-lang", body().dataset.lang === "zh" ? "en" : "zh");
    await refresh();
  };
  const switchTheme = () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    cookie("yuanlu-theme", root.dataset.theme);
  };
  const logout = async () => {
    const got = await ask("/v1/logout", "{}", headers());
    if (got.status === 200 || got.status === 401) { dirty.clear(); location.assign("/login"); } else toast(say("none"));
  };
  // firstPassword shows a new password once: to the admin, who hands it over.
  const firstPassword = (b) => {
    const person = b.dataset.first;
    run(b, "/v1/work/password", () => ({ person }), $("answer-people"), async (got) => {
      await refresh();
      $("answer-people").replaceChildren(element("p", say("first").replace("{who}", person)), element("output", got.password, { class: "mono secret" }));
      $("answer-people").scrollIntoView({ block: "nearest" });
    });
  };
  const editPerson = (b) => {
    const form = $("form-person");
    openPanel("person");
    const set = (name, v) => { form.elements.namedItem(name).value = v; };
    set("person.id", b.dataset.edit); set("person.staff", b.dataset.staff); set("person.stores", b.dataset.stores);
    set("person.operators", b.dataset.operators.split(";").filter(Boolean).join("\n"));
    for (const r of form.querySelectorAll("[name='person.roles']")) r.checked = b.dataset.roles.split(" ").includes(r.value);
    form.elements.namedItem("person.active").checked = b.dataset.active === "true";
  };

  document.addEventListener("submit", (e) => {
    const form = e.target;
    if (form.dataset.post) { e.preventDefault(); door(form); return; }
    if (!form.dataset.do) return;
    e.preventDefault();
    for (const f of form.querySelectorAll("[data-type=money]")) {
      const inner = f.closest("fieldset[data-order]");
      if (inner && !inner.querySelector("[data-pick]").checked) continue;
      if (!Number.isSafeInteger(value(f))) { f.setAttribute("aria-invalid", "true"); f.focus(); f.select(); return; }
      f.removeAttribute("aria-invalid");
    }
    if (form.dataset.bill !== undefined) { bill(form); return; }
    if (form.dataset.upload !== undefined) { upload(form, form.elements.namedItem("file").files[0], form.elements.namedItem("kind").value, place(form)); return; }
    doForm(form, e.submitter);
  });
  document.addEventListener("click", (e) => {
    const b = e.target.closest("button, a[data-step]");
    const menu = document.querySelector("details.menu[open]");
    if (menu && !menu.contains(e.target)) menu.open = false;
    if (!b || b.disabled) return;
    if (b.dataset.open) { openPanel(b.dataset.open); } else if (b.dataset.shut) { shut(b.dataset.shut); } else if (b.dataset.direct) { doButton(b, b.dataset.direct); } else if (b.dataset.edit) { editPerson(b); } else if (b.dataset.first) { firstPassword(b); }
    switch (b.dataset.act) {
      case "lang": switchLanguage(); break;
      case "theme": switchTheme(); break;
      case "logout": logout(); break;
      case "take": doButton(b, "take"); break;
      case "refresh": delete body().dataset.newer; refresh(); break;
      case "print": print(); break;
    }
  });
  const touch = (e) => {
    const form = e.target.closest && e.target.closest("form[id]");
    if (form && form.dataset.do) dirty.add(form.id);
    if (e.target.id === "keys-on") { localStorage.setItem("yuanlu-keys", e.target.checked ? "on" : "off"); body().classList.toggle("nokeys", !e.target.checked); }
    if (e.target.dataset && e.target.dataset.pick !== undefined) picked(e.target);
  };
  document.addEventListener("input", touch);
  document.addEventListener("change", touch);
  addEventListener("beforeunload", (e) => { if (dirty.size) e.preventDefault(); });
  // picked enables the fields of a command of a proposal, so that only those that are meant are checked.
  const picked = (pick) => { for (const f of pick.closest("fieldset").querySelectorAll(".inner [name]")) f.disabled = !pick.checked; };

  // A picture that is pasted or dropped is uploaded at once.
  const pictures = (data) => Array.from(data ? data.files : []);
  const add = (files) => {
    if (!$("panel-file") || !files.length) return false;
    const each = (i) => {
      const form = $("form-file"), f = files[i];
      if (!form || !f) return;
      shown($("panel-file"), true, false);
      upload(form, f, f.type.startsWith("image/") ? "screenshot" : "other", place(form), () => each(i + 1));
    };
    each(0);
    return true;
  };
  document.addEventListener("paste", (e) => { if (body().dataset.place === "case" && add(pictures(e.clipboardData))) e.preventDefault(); });
  let inside = 0;
  const dropping = (on) => { body().classList.toggle("dropping", on); };
  addEventListener("dragenter", (e) => { if (e.dataTransfer && Array.from(e.dataTransfer.types).includes("Files") && $("panel-file")) { inside++; dropping(true); } });
  addEventListener("dragleave", () => { if (inside && --inside === 0) dropping(false); });
  addEventListener("dragover", (e) => { if ($("panel-file")) e.preventDefault(); });
  addEventListener("drop", (e) => { inside = 0; dropping(false); if (body().dataset.place === "case") { e.preventDefault(); add(pictures(e.dataTransfer)); } });

  // begin prepares what was drawn.
  const begin = () => {
    if (body().dataset.now) apart = Date.parse(body().dataset.now) - Date.now();
    for (const z of document.querySelectorAll("[data-zone]")) z.textContent = z.textContent.replace("{zone}", zone());
    for (const p of document.querySelectorAll("[data-pick]")) picked(p);
    body().classList.toggle("nokeys", !keysOn());
    if ($("keys-on")) $("keys-on").checked = keysOn();
    arm();
    tick();
    follow();
  };
  begin();
  setInterval(tick, 1000);
})();
