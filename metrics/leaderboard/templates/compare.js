"use strict";
// Two rows over the same resamples of the test materials; the scores of each resample come with the task's file.
const index = window.llm4matIndex;
const tasks = new Map(), waiting = new Map();
window.llm4matTask = (name, rows) => { tasks.set(name, rows); };
const compareForm = document.getElementById("compare"), verdict = document.getElementById("verdict");
const table = document.getElementById("by-task");

function load(task) {
  if (!waiting.has(task.name)) waiting.set(task.name, new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = task.file;
    script.onload = () => done(tasks.get(task.name));
    script.onerror = failed;
    document.head.append(script);
  }));
  return waiting.get(task.name);
}

function unpack([low, step, data]) {
  const bytes = Uint8Array.from(atob(data), one => one.charCodeAt(0));
  return Float64Array.from({ length: bytes.length / 2 }, (_, i) => low + step * (bytes[2 * i] + 256 * bytes[2 * i + 1]));
}

function quantile(sorted, share) {
  const place = share * (sorted.length - 1), left = Math.floor(place), right = Math.min(left + 1, sorted.length - 1);
  return sorted[left] + (place - left) * (sorted[right] - sorted[left]);
}

function difference(pairs) {
  const total = pairs.reduce((sum, one) => sum + one.weight, 0);
  const mean = which => pairs.reduce((sum, one) => sum + one.weight * one[which].value, 0) / total;
  const n = pairs[0].a.resamples.length;
  const drawn = Float64Array.from({ length: n }, (_, i) =>
    pairs.reduce((sum, one) => sum + one.weight * (one.a.resamples[i] - one.b.resamples[i]), 0) / total).sort();
  const low = quantile(drawn, 0.025), high = quantile(drawn, 0.975);
  return { a: mean("a"), b: mean("b"), by: mean("a") - mean("b"), low, high, real: low > 0 || high < 0 };
}

const written = number => number.toFixed(3).replace("-", "−");

function sentence(found, a, b, on, score) {
  const [better, worse] = found.by >= 0 ? [a, b] : [b, a];
  const size = Math.abs(found.by), ends = found.by >= 0 ? [found.low, found.high] : [-found.high, -found.low];
  const interval = `95 % interval ${written(ends[0])} to ${written(ends[1])}`;
  return found.real
    ? `${better} is better than ${worse} on ${on}: ${score} higher by ${written(size)} (${interval}). The difference is real: chance in the choice of test materials does not explain it.`
    : `Which is better on ${on} cannot be said: ${better} has ${score} higher by ${written(size)} than ${worse} (${interval}), a difference that chance in the choice of test materials explains.`;
}

async function compare() {
  const given = Object.fromEntries(new FormData(compareForm));
  const find = text => index.lines.find(line => line.label === text);
  const a = find(given.a), b = find(given.b);
  table.closest(".scroll").hidden = true;
  table.tBodies[0].replaceChildren();
  if (!a || !b) { verdict.textContent = given.a && given.b ? "Choose both from the list." : ""; return; }
  if (a === b) { verdict.textContent = "These are one and the same row."; return; }
  history.replaceState(null, "", "#" + new URLSearchParams({ a: a.id, b: b.id, on: given.on }));
  const wanted = index.tasks.filter(task => task.name === given.on || `${task.source} ${task.kind}` === given.on);
  verdict.textContent = "…";
  const pairs = [], apart = [];
  for (const task of wanted) {
    const rows = await load(task), one = rows?.[a.id], other = rows?.[b.id];
    if (!one || !other || one.data !== other.data) { apart.push(task.name); continue; }
    pairs.push({ task, weight: task.samples, a: { value: one.value, resamples: unpack(one.resamples) }, b: { value: other.value, resamples: unpack(other.resamples) } });
  }
  if (!pairs.length) { verdict.textContent = "They have no task here in common that was scored on the same data and can be compared."; return; }
  const score = wanted[0].score;
  const on = pairs.length === 1 ? pairs[0].task.name : `${pairs.length} tasks of ${wanted[0].source} (mean weighted by samples)`;
  verdict.textContent = sentence(difference(pairs), a.label, b.label, on, score) + (apart.length && wanted.length > 1 ? ` Not compared, as one of them has no such row: ${apart.join(", ")}.` : "");
  for (const pair of pairs) {
    const found = difference([{ ...pair, weight: 1 }]), row = table.tBodies[0].insertRow();
    const cells = [pair.task.name, written(found.a), written(found.b), written(found.by), `${written(found.low)} to ${written(found.high)}`, found.real ? "real" : "not settled"];
    cells.forEach((text, place) => {
      const cell = place ? row.insertCell() : row.appendChild(document.createElement("th"));
      if (!place) cell.scope = "row";
      cell.textContent = text;
    });
  }
  table.closest(".scroll").hidden = false;
}

const option = (value, text) => Object.assign(document.createElement("option"), { value, textContent: text });
const select = compareForm.elements.on;
for (const line of index.lines) document.getElementById("lines").append(option(line.label, ""));
for (const source of new Set(index.tasks.map(task => task.source))) {
  const its = index.tasks.filter(task => task.source === source);
  const group = Object.assign(document.createElement("optgroup"), { label: source });
  for (const kind of new Set(its.map(task => task.kind)))
    if (its.filter(task => task.kind === kind).length > 1) group.append(option(`${source} ${kind}`, `${source}: all ${kind} tasks`));
  group.append(...its.map(task => option(task.name, task.name)));
  select.append(group);
}
const asked = new URLSearchParams(location.hash.slice(1));
for (const name of ["a", "b"]) {
  const shown = asked.get("on") && !asked.get("a") ? null : index.shown[name === "a" ? 0 : 1];
  const line = index.lines.find(one => one.id === asked.get(name)) ?? index.lines.find(one => one.id === shown);
  if (line) compareForm.elements[name].value = line.label;
}
if (asked.get("on") && [...select.options].some(one => one.value === asked.get("on"))) select.value = asked.get("on");
compareForm.addEventListener("submit", event => event.preventDefault());
compareForm.addEventListener("change", compare);
compare();
