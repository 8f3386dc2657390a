// The page on which a person accepts or corrects what the model proposes. Every decision is on the server's disk before
// the next row is shown.

import { announce, byId, el } from "./dom.js";
import { MarkedText } from "./marked.js";

const NO_SERVER = "サーバーにつながりません。igakulm task review が動いているか確かめてください。";
const NOT_SURE = "この行の決定は保存されていないことがあります。つながったら、もう一度決定してください。";
const OUTCOMES = { accepted: "案のまま決定", corrected: "直して決定", skipped: "保留" };
let overview = null;
let rows = [];
let at = 0;
let shown = null;
let chosen = new Set();
let busy = false;
const marked = new MarkedText(byId("record"), () => drawAnswer());
const view = () => overview.tasks.find((task) => task.name === byId("task").value);

async function ask(path, body) {
  const options = body === undefined ? {} : { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error(body === undefined ? NO_SERVER : NO_SERVER + NOT_SURE);
  }
  const value = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(`保存・表示できませんでした：${value.error?.message ?? answer.status}`);
  return value;
}

// One thing at a time: a second Enter while the first decision is written must not decide the next row unseen.
async function alone(work) {
  if (busy) return;
  busy = true;
  byId("work").setAttribute("aria-busy", "true");
  try {
    await work();
    byId("problem").hidden = true;
  } catch (error) {
    byId("problem").textContent = error.message;
    byId("problem").hidden = false;
  } finally {
    busy = false;
    byId("work").removeAttribute("aria-busy");
  }
}

async function count() {
  overview = await ask("/review/overview");
  const task = view() ?? overview.tasks[0];
  const done = task.accepted + task.corrected;
  byId("bar").value = (done + task.skipped) / task.rows;
  const left = task.proposed < task.rows ? `、モデルの案 ${task.proposed}/${task.rows}` : "";
  const other = overview.not_reviewed.length ? `。${overview.not_reviewed.join("、")} は見直しの対象外です` : "";
  byId("progress").textContent =
    `${task.rows} 件のうち ${done} 件を決定（案のまま ${task.accepted}、直した ${task.corrected}）、保留 ${task.skipped}、意見が分かれた ${task.disputed}${left}${other}`;
}

async function list() {
  rows = (await ask(`/review/rows?task=${encodeURIComponent(byId("task").value)}&filter=${byId("filter").value}`)).rows;
  at = 0;
  await count();
  await open();
}

async function open() {
  const none = rows.length === 0 || at >= rows.length;
  byId("empty").hidden = !none;
  byId("case").hidden = none;
  shown = null;
  if (none) {
    byId("undo-here").focus();
    return;
  }
  const others = byId("filter").value === "disputed" ? "&others=1" : "";
  shown = await ask(`/review/row?task=${encodeURIComponent(byId("task").value)}&number=${rows[at]}${others}`);
  draw();
}

function draw() {
  const task = view();
  byId("question").textContent = task.question || task.title;
  const mine = shown.mine ? `・前の判断：${OUTCOMES[shown.mine.outcome] ?? ""}` : "";
  byId("place").textContent = `${shown.file} ${shown.row} 行目（${shown.id}）・この一覧の ${at + 1}/${rows.length} 件目${mine}`;
  byId("second").hidden = !shown.second;
  byId("second").textContent = shown.second;
  byId("notes").replaceChildren(...shown.notes.map((note) => el("li", {}, note)));
  byId("others").replaceChildren(...shown.others.map((one) => el("li", {}, `${one.by}：${words(one.answer)}`)));
  byId("given").textContent = shown.data ? `表の答え：${words(shown.data)}` : "表に答えはありません";
  byId("data").disabled = !shown.data;
  byId("proposal").disabled = !shown.proposed;
  document.querySelectorAll(".for-spans").forEach((one) => (one.hidden = task.kind !== "extract"));
  marked.show(shown.text, [], task.kind === "extract");
  use(shown.mine?.answer ?? shown.proposed ?? { labels: [], spans: [] });
  byId("record").scrollTop = 0;
  byId("record").focus();
  announce(`${at + 1} 件目`);
}

function words(answer) {
  const parts = [...answer.labels, ...answer.spans.map((span) => span.text)];
  return parts.length ? [...new Set(parts)].join("、") : "なし";
}

function use(answer) {
  chosen = new Set(answer.labels);
  marked.set(answer.spans);
  drawAnswer();
}

function drawAnswer() {
  const task = view();
  const chances = new Map(shown.chances);
  byId("labels").replaceChildren(
    ...task.labels.map((label, place) =>
      el(
        "button",
        { type: "button", "aria-pressed": String(chosen.has(label)), click: () => pick(place) },
        place < 9 && el("kbd", {}, String(place + 1)),
        label,
        chances.has(label) && el("span", { class: "quiet" }, `${Math.round(100 * chances.get(label))}%`),
      ),
    ),
  );
  const spans = task.kind === "extract" ? marked.given() : [];
  byId("spans").replaceChildren(
    ...spans.map((span, place) =>
      el("li", {}, span.text, el("button", { type: "button", class: "plain", click: () => marked.remove(place) }, "外す")),
    ),
  );
}

function pick(place) {
  const task = view();
  const label = task.labels[place];
  if (label === undefined) return;
  if (!task.multiple) chosen = new Set([label]);
  else if (!chosen.delete(label)) chosen.add(label);
  drawAnswer();
  byId("record").focus();
}

async function decide(skip) {
  if (!shown) return;
  const task = view();
  const extract = task.kind === "extract";
  const answer = { labels: task.labels.filter((label) => chosen.has(label)), spans: extract ? marked.given() : [] };
  if (!skip && !extract && !answer.labels.length) throw new Error("ラベルを選んでください。");
  await ask("/review/decision", {
    task: task.name, number: shown.number, hash: shown.hash, answer: skip ? null : answer, settles: shown.others.length > 0,
  });
  announce(skip ? "保留にしました" : "保存しました");
  at = rows.indexOf(shown.number) + 1; // also when an earlier try was written and its answer was lost
  await count();
  if (at < rows.length) await open();
  else await list(); // rows whose proposal was not there before, or the end
}

async function undo() {
  const back = await ask("/review/undo", {});
  if (back.task === null) throw new Error("取り消せる判断はありません。");
  byId("task").value = back.task;
  const place = rows.indexOf(back.number);
  if (place >= 0) at = place;
  else {
    rows = [back.number, ...rows.slice(at)];
    at = 0;
  }
  await count();
  await open();
  announce("取り消しました");
}

async function move(step) {
  const to = at + step;
  if (to < 0 || to >= rows.length) throw new Error(step < 0 ? "これが最初です。" : "これが最後です。");
  at = to;
  await open();
}

const KEYS = {
  Enter: () => alone(() => decide(false)),
  s: () => alone(() => decide(true)),
  u: () => alone(undo),
  n: () => alone(() => move(1)),
  p: () => alone(() => move(-1)),
  m: () => shown?.proposed && use(shown.proposed),
  t: () => shown?.data && use(shown.data),
  "?": () => (byId("help").open = !byId("help").open),
};

function onKey(event) {
  if (event.isComposing || event.altKey || event.metaKey) return;
  if (event.ctrlKey && event.key !== "z") return;
  if (event.target.closest("select, summary")) return;
  const button = event.target.closest("button");
  if (button && (event.key === " " || (event.key === "Enter" && !button.closest("#labels")))) return;
  if (event.repeat && event.key === "Enter") return event.preventDefault();
  if (shown && /^[1-9]$/.test(event.key)) {
    pick(Number(event.key) - 1);
    return event.preventDefault();
  }
  if (shown && !busy && event.target === byId("record") && !event.ctrlKey && marked.key(event)) return event.preventDefault();
  const action = event.ctrlKey ? KEYS.u : (KEYS[event.key] ?? KEYS[event.key.toLowerCase()]);
  if (!action) return;
  event.preventDefault();
  action();
}

document.addEventListener("keydown", onKey);
for (const [name, key] of Object.entries({ accept: "Enter", skip: "s", undo: "u", "undo-here": "u", proposal: "m", data: "t", previous: "p", next: "n" }))
  byId(name).addEventListener("click", () => KEYS[key]());
byId("task").addEventListener("change", () => alone(list));
byId("filter").addEventListener("change", () => alone(list));
alone(async () => {
  overview = await ask("/review/overview");
  document.title = `見直し：${overview.name}`;
  byId("who").textContent = `${overview.name}・${overview.by}`;
  byId("task").replaceChildren(...overview.tasks.map((task) => el("option", { value: task.name }, task.title)));
  await list();
});
