"use strict";
// Sorting, filtering and rows on demand; without it the tables stand as they are, best first.
const scripted = () => document.querySelectorAll("[data-script]").forEach(part => { part.hidden = false; });
const board = document.querySelector("table.board:not(.plain)");
const form = document.querySelector("form.filters");
let loading = null;

function bodies() { return [...board.tBodies]; }
function rowsOf(body) { return [...body.rows].filter(row => !row.classList.contains("title")); }

// Rows beyond the first few hundred lie in a script of their own: a page from a disk may not fetch.
function loadAll() {
  if (!board || !board.dataset.rest) return Promise.resolve();
  loading ??= new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = board.dataset.rest;
    script.onload = done;
    script.onerror = failed;
    document.head.append(script);
  });
  return loading;
}

window.llm4matRows = groups => {
  for (const body of bodies()) body.insertAdjacentHTML("beforeend", groups[body.dataset.group] ?? "");
  delete board.dataset.rest;
  document.querySelector(".more")?.remove();
};

function sortBy(head, order) {
  const column = head.cellIndex, sign = order === "ascending" ? 1 : -1;
  for (const other of head.parentNode.cells) if (other.ariaSort) other.ariaSort = "none";
  head.ariaSort = order;
  const text = head.classList.contains("name") || head.classList.contains("text");
  for (const body of bodies()) {
    const keyed = rowsOf(body).map((row, place) => {
      const cell = row.cells[column], found = cell?.dataset.sort ?? (text ? cell?.textContent ?? "" : "");
      // Means that lack tasks have an order of their own behind those that do not; what has no value stands last.
      const part = found === "" ? cell?.dataset.part ?? "" : "", last = found !== "" ? 0 : part !== "" ? 1 : 2;
      return { row, place, last, key: text ? found : Number(found || part) };
    });
    keyed.sort((a, b) => a.last - b.last || sign * (text ? a.key.localeCompare(b.key) : a.key === b.key ? 0 : a.key < b.key ? -1 : 1) || a.place - b.place);
    body.append(...keyed.map(one => one.row));
  }
}

function showOrder() {
  for (const head of board.tHead.rows[0].cells) {
    const mark = head.querySelector("button");
    if (mark) mark.textContent = head.ariaSort === "descending" ? "↓" : head.ariaSort === "ascending" ? "↑" : "↕";
  }
}

function filter() {
  const wanted = Object.fromEntries(new FormData(form));
  const words = wanted.s.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0, all = 0;
  for (const body of bodies()) {
    let here = 0;
    for (const row of rowsOf(body)) {
      const data = row.dataset;
      row.hidden = Boolean((wanted.m && data.m !== wanted.m) || (wanted.k && data.k !== wanted.k)
        || (wanted.v && !data.v.split(" ").includes(wanted.v)) || !words.every(word => data.s.includes(word)));
      here += !row.hidden;
      all += 1;
    }
    shown += here;
    const title = body.querySelector(".title");
    if (title) title.hidden = here === 0;
  }
  const unseen = [];
  for (const figure of document.querySelectorAll("figure[data-m]")) {
    figure.hidden = Boolean(wanted.m && figure.dataset.m !== wanted.m);
    // A best run and a sheet there is of each modality; of other figures it is said that they are gone.
    if (figure.hidden && !figure.matches(".best, .sheet")) unseen.push(figure.querySelector("figcaption").textContent);
  }
  const said = document.querySelector("[data-hidden]");
  if (said) {
    said.hidden = !unseen.length;
    said.textContent = `Not shown, as it is not of ${wanted.m} alone: ${unseen.join("; ")}.`;
  }
  const any = wanted.m || wanted.k || wanted.v || words.length;
  form.querySelector("output").textContent = any ? `${shown} of ${all} rows` : "";
}

if (board) {
  for (const head of board.tHead.rows[0].cells) {
    if (!head.dataset.first) continue;
    const button = document.createElement("button");
    button.type = "button";
    const note = head.querySelector("small");
    const name = head.dataset.label ?? head.querySelector("a, span").textContent;
    button.setAttribute("aria-label", `sort by ${name}${note ? `, ${note.textContent}` : ""}`);
    head.insertBefore(button, note);
    button.addEventListener("click", async () => {
      const other = head.dataset.first === "descending" ? "ascending" : "descending";
      const order = head.ariaSort === head.dataset.first ? other : head.dataset.first;
      await loadAll();
      sortBy(head, order);
      showOrder();
    });
  }
  showOrder();
  document.querySelector("[data-all]")?.addEventListener("click", loadAll);
}
if (form) {
  form.addEventListener("submit", event => event.preventDefault());
  form.addEventListener("input", async () => { await loadAll(); filter(); });
  if ([...new FormData(form).values()].some(Boolean)) loadAll().then(filter);
}
scripted();
