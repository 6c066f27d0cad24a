"use strict";
// Browsing the completions. What a model wrote is only ever set as text, never as markup.
(() => {
  const { problems, rows } = JSON.parse(document.getElementById("data").textContent);
  const PAGE = 25;
  const $ = (id) => document.getElementById(id);
  const fields = { text: $("f-text"), part: $("f-part"), reason: $("f-reason"), low: $("f-low"), high: $("f-high"), order: $("f-order") };
  let found = rows, page = 0, cursor = -1;

  const make = (tag, className, text) => {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const score = (value) => (value === null ? "–" : String(Math.round(value * 1000) / 1000));
  const words = (reason) => reason.replaceAll("_", " ");
  const scoreOf = (row) => {
    const part = fields.part.value && row.parts.find((p) => p.name === fields.part.value);
    return part ? part.score : row.total;
  };

  function matches(row, text, low, high) {
    const { part, reason } = { part: fields.part.value, reason: fields.reason.value };
    if (reason && !row.parts.some((p) => p.reason === reason && (!part || p.name === part))) return false;
    if (part && !row.parts.some((p) => p.name === part)) return false;
    const value = scoreOf(row);
    if ((low !== null || high !== null) && value === null) return false;
    if (low !== null && value < low) return false;
    if (high !== null && value > high) return false;
    if (!text) return true;
    const problem = problems[row.problem];
    row.haystack ??= [row.text, problem.prompt, problem.answer, problem.id, ...row.parts.map((p) => [p.answer ?? "", p.why].join(" "))].join("\n").toLowerCase();
    return row.haystack.includes(text);
  }

  const orders = {
    low: (a, b) => (scoreOf(a) ?? Infinity) - (scoreOf(b) ?? Infinity),
    high: (a, b) => (scoreOf(b) ?? -Infinity) - (scoreOf(a) ?? -Infinity),
    long: (a, b) => b.text.length - a.text.length,
    late: (a, b) => b.n - a.n,
    slow: (a, b) => (b.seconds ?? -1) - (a.seconds ?? -1),
  };

  function filter() {
    const number = (field) => (field.value === "" ? null : Number(field.value));
    const text = fields.text.value.trim().toLowerCase();
    const low = number(fields.low), high = number(fields.high);
    found = rows.filter((row) => matches(row, text, low, high));
    const order = orders[fields.order.value];
    if (order) found.sort(order);
    show(0);
  }

  function show(wanted) {
    const last = Math.max(0, Math.ceil(found.length / PAGE) - 1);
    page = Math.min(Math.max(0, wanted), last);
    cursor = -1;
    const list = $("rows");
    list.replaceChildren(...found.slice(page * PAGE, (page + 1) * PAGE).map(rowItem));
    if (!found.length) list.append(make("li", "empty", "No completion matches."));
    $("count").textContent = `${found.length.toLocaleString("en")} of ${rows.length.toLocaleString("en")} completions`;
    $("page").textContent = `page ${page + 1} of ${last + 1}`;
    $("previous").disabled = page === 0;
    $("next").disabled = page === last;
  }

  function rowItem(row) {
    const item = make("li"), head = make("button", "head");
    head.type = "button";
    head.setAttribute("aria-expanded", "false");
    head.append(make("span", "score", score(row.total)), make("span", "teaser", teaser(row)));
    const chips = make("span", "chips");
    for (const part of row.parts) chips.append(make("span", `chip r-${part.reason}`, `${part.name}: ${words(part.reason)}`));
    head.append(chips);
    head.addEventListener("click", () => toggle(item, row));
    item.append(head);
    return item;
  }

  const teaser = (row) => {
    const text = row.text.slice(-400).replace(/\s+/g, " ").trim();
    const shown = text.length > 160 ? `… ${text.slice(-160).replace(/^\S+ /, "")}` : text || "(empty)";
    return row.where ? `${row.where}: ${problems[row.problem].prompt.slice(-60)} → ${shown}` : shown;
  };

  function toggle(item, row) {
    const open = item.hasAttribute("data-open");
    item.toggleAttribute("data-open", !open);
    item.firstChild.setAttribute("aria-expanded", String(!open));
    if (open) item.lastChild.remove();
    else item.append(body(row));
  }

  function body(row) {
    const problem = problems[row.problem], out = make("div", "body"), two = make("div", "two");
    const where = [row.where ?? `line ${row.line}`, row.column, problem.id && `problem ${problem.id}`, row.truncated && "cut off by the token limit", row.seconds !== null && `${(row.seconds * 1000).toFixed(1)} ms`];
    out.append(make("div", "note", where.filter(Boolean).join(" · ")));
    two.append(block("Prompt", problem.prompt || "(none)"), block("Reference", problem.answer || "(none)"));
    out.append(two, block("Completion", row.text || "(empty)"), verdicts(row));
    if (problem.info) out.append(block("Info", problem.info));
    return out;
  }

  function block(title, text) {
    const out = make("div");
    out.append(make("h4", "", title), make("pre", "", text));
    return out;
  }

  function verdicts(row) {
    const table = make("table"), header = table.createTHead().insertRow(), rest = table.createTBody();
    for (const title of ["part", "score", "reason", "answer", "evidence"]) header.append(make("th", title === "score" ? "num" : "", title));
    for (const part of row.parts) {
      const line = rest.insertRow();
      line.append(make("th", "", part.name), make("td", "num", score(part.score)));
      line.insertCell().append(make("span", `chip r-${part.reason}`, words(part.reason)));
      const answer = part.answer === undefined || part.answer === null ? "–" : typeof part.answer === "string" ? part.answer : JSON.stringify(part.answer);
      line.append(make("td", "mono", answer));
      const cell = line.insertCell();
      if (part.detail) cell.append(make("pre", "", part.detail));
      else cell.textContent = "–";
    }
    const scroll = make("div", "scroll");
    scroll.append(table);
    return scroll;
  }

  function move(step) {
    const heads = [...document.querySelectorAll(".rows .head")];
    if (!heads.length) return;
    cursor = Math.min(Math.max(0, cursor + step), heads.length - 1);
    heads[cursor].focus();
  }

  let waiting;
  $("filters").addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(filter, 120); });
  $("filters").addEventListener("reset", () => setTimeout(filter));
  $("filters").addEventListener("submit", (event) => event.preventDefault());
  $("previous").addEventListener("click", () => show(page - 1));
  $("next").addEventListener("click", () => show(page + 1));
  $("rows").addEventListener("focusin", (event) => {
    cursor = [...document.querySelectorAll(".rows .head")].indexOf(event.target.closest(".rows > li")?.firstChild);
  });
  document.addEventListener("click", (event) => {
    const { reason, part, open } = event.target.dataset ?? {};
    if (reason) { $("filters").reset(); fields.part.value = part; fields.reason.value = reason; filter(); }
    else if (open) {
      $("filters").reset();
      found = rows;
      show(Math.floor(Number(open) / PAGE));
      const item = $("rows").children[Number(open) % PAGE];
      toggle(item, rows[Number(open)]);
      item.firstChild.focus();
    } else return;
    $("completions").scrollIntoView();
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const actions = { "/": () => fields.text.focus(), j: () => move(1), k: () => move(-1), n: () => show(page + 1), p: () => show(page - 1) };
    if (actions[event.key]) { event.preventDefault(); actions[event.key](); }
  });
  filter();
})();
