"use strict";
// Two rows over the same resamples of the test materials; the scores of each resample come with the task's file.
const index = window.llm4matIndex;
const tasks = new Map(), waiting = new Map();
window.llm4matTask = (name, rows) => { tasks.set(name, rows); };
const compareForm = document.getElementById("compare"), verdict = document.getElementById("verdict");
const table = document.getElementById("by-task");
let latest = 0;

function load(task) {
  if (!waiting.has(task.name)) waiting.set(task.name, new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = task.file;
    script.onload = () => done(tasks.get(task.name));
    script.onerror = () => { waiting.delete(task.name); failed(new Error(task.file)); };
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

const written = number => number.toFixed(3).replace(/^-(?=0\.0+$)/, "").replace("-", "−");

function sentence(found, a, b, on, score) {
  if (found.by === 0 && found.low === 0 && found.high === 0)
    return `${a} and ${b} are equal on ${on}: ${score} ${written(found.a)}, and the same in every resample.`;
  const [better, worse] = found.by >= 0 ? [a, b] : [b, a];
  const size = Math.abs(found.by), ends = found.by >= 0 ? [found.low, found.high] : [-found.high, -found.low];
  const interval = `95 % interval ${written(ends[0])} to ${written(ends[1])}`;
  if (found.by === 0) return `Which is better on ${on} cannot be said: ${a} and ${b} both have ${score} ${written(found.a)} (${interval} of their difference).`;
  const by = size < 0.0005 ? "less than 0.001" : written(size);
  return found.real
    ? `${better} is better than ${worse} on ${on}: ${score} higher by ${by} (${interval}). The difference is real: chance in the choice of test materials does not explain it.`
    : `Which is better on ${on} cannot be said: ${better} has ${score} higher by ${by} than ${worse} (${interval}), a difference that chance in the choice of test materials explains.`;
}

// Why two rows cannot be compared on a task; empty if they can.
function obstacle(one, other, a, b) {
  if (!one || !other) return `${(one ? b : a).label} has no row there`;
  if (one.why || other.why) return `${(one.why ? a : b).label} ${one.why ?? other.why}`;
  if (one.data !== other.data) return "they were scored on other data";
  if (one.hard !== other.hard) return `${(one.hard ? a : b).label} gave hard labels: their AUC is a balanced accuracy, another quantity than an AUC of probabilities`;
  return "";
}

async function compare() {
  const ticket = ++latest; // whoever chooses again while files are read wants to hear of the last choice alone
  const given = Object.fromEntries(new FormData(compareForm));
  const find = text => index.lines.find(line => line.label === text);
  const a = find(given.a), b = find(given.b);
  table.closest(".scroll").hidden = true;
  table.tBodies[0].replaceChildren();
  const wanted = index.tasks.filter(task => task.name === given.on || `${task.source} ${task.kind}` === given.on);
  if (!wanted.length) {
    verdict.textContent = index.alone.includes(given.on) ? `Nothing can be compared on ${given.on}: only one ranked row is there.` : `There is nothing to compare on ${given.on}: no ranked row is there.`;
    return;
  }
  if (!a || !b) { verdict.textContent = missing || (given.a && given.b ? "Choose both from the list." : ""); return; }
  if (a === b) { verdict.textContent = "These are one and the same row."; return; }
  history.replaceState(null, "", "#" + new URLSearchParams({ a: a.id, b: b.id, on: given.on }));
  verdict.textContent = "…";
  let rows;
  try { rows = await Promise.all(wanted.map(load)); } catch (error) {
    if (ticket === latest) verdict.textContent = `${error.message} could not be loaded; choose again to try again.`;
    return;
  }
  if (ticket !== latest) return;
  const pairs = [], apart = new Map();
  wanted.forEach((task, place) => {
    const one = rows[place]?.[a.id], other = rows[place]?.[b.id], why = obstacle(one, other, a, b);
    if (why) { apart.set(why, [...apart.get(why) ?? [], task.name]); return; }
    pairs.push({ task, weight: task.samples, a: { value: one.value, resamples: unpack(one.resamples) }, b: { value: other.value, resamples: unpack(other.resamples) } });
  });
  const reasons = [...apart].map(([why, names]) => `${names.join(", ")} (${why})`).join("; ");
  if (!pairs.length) { verdict.textContent = `They cannot be compared on ${reasons}.`; return; }
  const score = wanted[0].score;
  const on = pairs.length === 1 ? pairs[0].task.name : `${pairs.length} tasks of ${wanted[0].source} (mean weighted by samples)`;
  verdict.textContent = sentence(difference(pairs), a.label, b.label, on, score) + (reasons ? ` Not compared: ${reasons}.` : "");
  for (const pair of pairs) {
    const found = difference([{ ...pair, weight: 1 }]), row = table.tBodies[0].insertRow();
    const equal = found.by === 0 && found.low === 0 && found.high === 0;
    const cells = [pair.task.name, written(found.a), written(found.b), written(found.by), `${written(found.low)} to ${written(found.high)}`, found.real ? "real" : equal ? "equal" : "not settled"];
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
let missing = "";
for (const name of ["a", "b"]) {
  const shown = asked.get("on") && !asked.get("a") ? null : index.shown[name === "a" ? 0 : 1];
  const line = index.lines.find(one => one.id === (asked.get(name) ?? shown));
  if (line) compareForm.elements[name].value = line.label;
  else if (asked.get(name)) missing = "A row that this link names is not here: choose another.";
}
if (asked.get("on")) {
  // What a link names stays chosen where nothing can be compared on it: the sentence says so.
  if (![...select.options].some(one => one.value === asked.get("on"))) select.prepend(option(asked.get("on"), `${asked.get("on")} (nothing to compare)`));
  select.value = asked.get("on");
}
if (index.tasks.length) {
  compareForm.addEventListener("submit", event => event.preventDefault());
  for (const event of ["input", "change"]) compareForm.addEventListener(event, () => { missing = ""; compare(); });
  compare();
} else {
  compareForm.hidden = true;
  verdict.textContent = "There is nothing to compare yet: no two ranked rows have a score on the same task.";
}
