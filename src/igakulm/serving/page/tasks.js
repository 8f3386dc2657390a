// The task tab: a form for each kind of task, what the model found in a text, and bars for options.

import { postJson } from "./api.js";
import { announce, byId, copyText, el } from "./dom.js";
import { takesFiles } from "./drop.js";
import { allItems, allUnplaced, csv, fhirLike, kindClass, kindName, optionLines, segments } from "./records.js";
import * as store from "./store.js";

const NONE = "このモデルは、どの課題でも調整されていません。";
const PROBABILITY = "数値は、モデルがその選択肢を選ぶ確率です。答えが正しい確率ではありません。";

// How an answer is shown, by `data-shows` of a form.
const SHOWN = { marks: extractAll, options: choose, fields: list };

export async function startTasks(loading) {
  const views = [...document.querySelectorAll("#tasks > section")].map(prepare);
  const tasks = await loading;
  for (const view of views) {
    offer(
      view,
      tasks.filter((task) => task.kind === view.kind),
    );
    run(view, (signal) => SHOWN[view.section.dataset.shows](view, body(view), signal));
  }
  // A kind without rows is not offered.
  const kinds = views.map((view) => view.kind).filter((kind) => !byId(`tab-${kind}`).hidden);
  if (!kinds.length) byId("tasks").replaceChildren(el("p", {}, NONE));
  return kinds;
}

// What the form sends. Places are counted in it: a form's own line breaks would be two characters.
function body(view) {
  const fields = {};
  for (const field of view.form.querySelectorAll("textarea")) {
    fields[field.name] = field.dataset.sends === "lines" ? optionLines(field.value) : field.value;
    if (field.dataset.sends === "lines" && fields[field.name].length < Number(field.dataset.least)) refuse(view);
  }
  for (const field of view.form.querySelectorAll("[data-sends=number]")) {
    fields[field.name] = Number(field.value);
    if (field.dataset.below && fields[field.name] >= fields[field.dataset.below].length) refuse(view);
  }
  const task = view.form.querySelector("select[name=task]");
  return task ? { task: task.value, ...fields } : fields;
}

function refuse(view) {
  throw new Error(view.section.dataset.refused);
}

function prepare(section) {
  const form = section.querySelector("form");
  const go = el("button", { type: "submit", class: "primary", disabled: true }, "実行");
  const stop = el("button", { type: "button", hidden: true }, "停止");
  const example = el(
    "button",
    { type: "button", class: "plain", click: () => insert(form, JSON.parse(section.dataset.example)) },
    "例文を入れる",
  );
  const clear = el(
    "button",
    {
      type: "button",
      class: "plain",
      click: () => {
        stop.click();
        form.reset();
        view.result.replaceChildren();
      },
    },
    "消す",
  );
  const keys = el("span", { class: "quiet keys" }, "Ctrl＋Enterでも実行");
  const area = form.querySelector("textarea[name=text]");
  form.querySelector(".actions").append(...[go, stop, example, area && takesFiles(area), clear, keys].filter(Boolean));
  remember(form, section.id);
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.isComposing && !go.hidden)
      form.requestSubmit(go);
  });
  const view = { kind: section.id, section, form, go, stop, result: section.querySelector(".result"), tasks: [] };
  return view;
}

const STANDING = {
  above: "言語モデルを使わない最良の方法を上回りました",
  below: "言語モデルを使わない方法のほうが良い結果でした",
  equal: "言語モデルを使わない方法と同じ値でした",
  open: "言語モデルを使わない方法との差は示されませんでした",
};

// Beside each form, how the model stood on the test rows beside a method without a language model.
export function showStanding(beside, tasks) {
  for (const section of document.querySelectorAll("#tasks > section")) {
    const names = tasks.filter((task) => task.kind === section.id).map((task) => task.name);
    const rows = beside.filter((row) => names.some((name) => name === row.task || name.startsWith(`${row.task}.`)));
    const notes = rows.filter((row) => row.best !== null && row.verdict in STANDING).map(standing);
    section.querySelector("h2").after(...notes);
  }
}

function standing({ metric_ja: metric, value, best, best_ja: method, verdict }) {
  const figures = `${metric}：このモデル${value.toFixed(3)}、${method}${best.toFixed(3)}`;
  return el("p", { class: "quiet standing" }, `テスト用の行では、${STANDING[verdict]}（${figures}）。`);
}

// What stands in the form is there again after a reload.
function remember(form, kind) {
  const areas = [...form.querySelectorAll("textarea")];
  const kept = store.form(kind);
  for (const area of areas) area.value = kept[area.name] ?? "";
  const keep = () => store.keepForm(kind, Object.fromEntries(areas.map((area) => [area.name, area.value])));
  form.addEventListener("input", keep);
  form.addEventListener("reset", () => setTimeout(keep));
}

// A title without the name that a recipe gave the task: 症状・所見を取り出す（nursing.d） is for whoever tuned it.
export function plainTitle({ name, title_ja: title }) {
  return title.endsWith(`（${name}）`) ? title.slice(0, -name.length - 2) : title;
}

function insert(form, values) {
  for (const [name, value] of Object.entries(values)) form.elements[name].value = value;
  form.dispatchEvent(new Event("input"));
  Object.keys(values).length && form.elements[Object.keys(values)[0]].focus();
}

function offer(view, tasks) {
  view.tasks = tasks;
  const choice = view.form.querySelector("select[name=task]");
  const checks = view.form.querySelector(".checks");
  if (!tasks.length) {
    byId(`tab-${view.kind}`).hidden = true;
    return;
  }
  view.go.disabled = false;
  if (checks) {
    checks.append(
      ...tasks.map((task) =>
        el(
          "label",
          {},
          el("input", { type: "checkbox", name: "task", value: task.name, checked: true }),
          plainTitle(task).replace("を取り出す", ""),
        ),
      ),
    );
  } else if (choice) {
    choice.append(...tasks.map((task) => el("option", { value: task.name }, plainTitle(task))));
  }
}

// Submitting runs `work`; while it runs the button stops it; errors show where the result would be.
function run(view, work) {
  let control = null;
  view.stop.addEventListener("click", () => control?.abort());
  view.form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (control) return;
    control = new AbortController();
    view.go.hidden = true;
    view.stop.hidden = false;
    view.result.replaceChildren(el("p", { class: "quiet waiting" }, "モデルが読んでいます"));
    try {
      await work(control.signal);
    } catch (error) {
      view.result.querySelector(".waiting")?.remove();
      if (error.name === "AbortError") view.result.append(el("p", { class: "quiet" }, "停止しました。"));
      else view.result.append(el("p", { class: "error", role: "alert" }, error.message));
    }
    control = null;
    const focused = document.activeElement === view.stop;
    view.go.hidden = false;
    view.stop.hidden = true;
    if (focused) view.go.focus();
  });
}

async function extractAll(view, { text }, signal) {
  const names = [...view.form.querySelectorAll("[name=task]:checked")].map((box) => box.value);
  if (!names.length) throw new Error("取り出すものを一つ以上選んでください。");
  const results = [];
  for (const [n, name] of names.entries()) {
    const task = view.tasks.find((one) => one.name === name);
    const waiting = el(
      "p",
      { class: "quiet waiting", role: "status" },
      `${plainTitle(task)}（${n + 1}／${names.length}）`,
    );
    view.result.replaceChildren(waiting, ...(n ? extraction(text, results) : []));
    const answer = await postJson(`/api/${view.kind}`, { task: name, text }, signal);
    results.push({ task: name, title: plainTitle(task), kind: task.kind_of_item, ...answer });
  }
  view.result.replaceChildren(...extraction(text, results));
  announce(`${allItems(results).length}箇所見つかりました。`);
}

function extraction(text, results) {
  const items = allItems(results);
  const unplaced = allUnplaced(results);
  const counts = new Map();
  for (const item of items) counts.set(item.kind, (counts.get(item.kind) ?? 0) + 1);
  const legend = [...counts].map(([kind, count]) =>
    el("li", {}, el("mark", { class: kindClass(kind) }, kindName(kind)), ` ${count}`),
  );
  const doubtful = results.filter((result) => result.cut || result.unreadable).map((result) => result.title);
  return [
    el("h3", {}, "結果"),
    items.length
      ? el("ul", { class: "legend", "aria-label": "印の種類と数" }, legend)
      : el("p", {}, "見つかりませんでした。見落としもありえます。"),
    doubtful.length
      ? el(
          "p",
          { class: "error" },
          `モデルの答えを最後まで読み取れませんでした：${doubtful.join("、")}。抜けがあるかもしれません。`,
        )
      : null,
    el("p", { class: "record", tabindex: "0", role: "group", "aria-label": "印を付けた文章" }, marked(text, items)),
    items.length ? itemTable(items) : null,
    unplaced.length ? lostItems(unplaced) : null,
    el(
      "div",
      { class: "actions" },
      copyButton("CSVをコピー", () => csv(results)),
      copyButton("FHIR風JSONをコピー", () => `${JSON.stringify(fhirLike(results), null, 2)}\n`),
    ),
    el(
      "details",
      {},
      el("summary", {}, "モデルの出力そのまま"),
      results.map(({ title, raw }) => [el("h4", {}, title), el("pre", {}, raw || "（空）")]),
    ),
  ].filter(Boolean);
}

function marked(text, items) {
  return segments(text, items).map((part) => {
    if (!part.items.length) return part.text;
    const names = part.items.map((item) => kindName(item.kind)).join("、");
    const starts = part.items.map((item) => item.start).join(" ");
    return el("mark", { class: kindClass(part.items.at(-1).kind), title: names, "data-starts": starts }, part.text);
  });
}

function itemTable(items) {
  const row = (item) =>
    el(
      "tr",
      {},
      el("td", {}, el("mark", { class: kindClass(item.kind) }, kindName(item.kind))),
      el("td", {}, item.text),
      el(
        "td",
        {},
        el(
          "button",
          {
            type: "button",
            class: "plain",
            "aria-label": `${item.start + 1}文字目を本文で示す`,
            click: (event) => point(event, item),
          },
          `${item.start + 1}文字目`,
        ),
      ),
    );
  const head = el(
    "tr",
    {},
    ["種類", "表現", "位置"].map((name) => el("th", { scope: "col" }, name)),
  );
  return el(
    "div",
    { class: "scroll", tabindex: "0", role: "group", "aria-label": "表" },
    el("table", {}, el("thead", {}, head), el("tbody", {}, items.map(row))),
  );
}

function point(event, item) {
  const marks = [...event.target.closest(".result").querySelectorAll(".record mark")];
  for (const mark of marks) mark.classList.toggle("here", mark.dataset.starts.split(" ").includes(String(item.start)));
  marks.find((mark) => mark.classList.contains("here"))?.scrollIntoView({ block: "center" });
}

function lostItems(unplaced) {
  const list = unplaced.map((item) =>
    el("li", {}, item.text, el("span", { class: "quiet" }, `（${kindName(item.kind)}）`)),
  );
  return el(
    "div",
    { class: "lost" },
    el("h4", {}, "この文章に見当たらない表現"),
    el("p", { class: "quiet" }, "モデルは挙げましたが、文章の中にありません。"),
    el("ul", {}, list),
  );
}

function copyButton(label, make) {
  const button = el("button", { type: "button", click: () => copyText(make(), button) }, label);
  return button;
}

// The fields of an answer of a kind that needs nothing of its own.
async function list(view, body, signal) {
  const answer = await postJson(`/api/${view.kind}`, body, signal);
  const fields = Object.entries(answer).filter(([name]) => name !== "usage");
  const shown = (value) => (typeof value === "object" ? JSON.stringify(value) : String(value));
  view.result.replaceChildren(
    el("h3", {}, "結果"),
    el(
      "dl",
      {},
      fields.map(([name, value]) => [el("dt", {}, name), el("dd", {}, shown(value))]),
    ),
  );
  announce("結果が出ました。");
}

async function choose(view, body, signal) {
  const answer = await postJson(`/api/${view.kind}`, body, signal);
  const chosen = [answer.answer].flat();
  const rows = answer.options.map((option) => bar(option, chosen.includes(option.letter)));
  view.result.replaceChildren(
    el("h3", {}, "結果"),
    el("ul", { class: "bars" }, rows),
    el("p", { class: "quiet" }, PROBABILITY),
  );
  const labels = answer.options.filter((option) => chosen.includes(option.letter)).map((option) => option.label);
  announce(`モデルの答えは、${labels.join("、")}です。`);
}

function bar(option, chosen) {
  const share = Math.min(1, Math.max(0, option.probability || 0));
  const track = el("div", { class: "track", "aria-hidden": "true" }, el("i"));
  track.firstChild.style.width = `${share * 100}%`;
  return el(
    "li",
    { class: chosen ? "chosen" : null },
    el("span", { class: "letter" }, option.letter),
    el("span", { class: "label" }, option.label, chosen ? el("strong", {}, "モデルの答え") : null),
    el("span", { class: "number" }, `${(share * 100).toFixed(1)} %`),
    track,
  );
}
