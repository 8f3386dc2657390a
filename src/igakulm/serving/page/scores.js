// The scoreboard: for each task a plot whose lines are models, with 95 % intervals, and all figures in a table.

import { el, svg } from "./dom.js";
import { plainTitle } from "./tasks.js";

const LONGEST = 24; // characters of a title above a plot
const STEPS = [0.2, 0.5, 1, 2, 5, 10, 20, 50, 100];

export function scoreboard(rows, tasks) {
  const splits = group(rows, (row) => row.split);
  const parts = [...splits].map(([, own], n) => {
    const plots = [...group(own, (row) => row.task)].flatMap(([name, scores]) =>
      plotted(scores).map((one) => plot(title(name, tasks), one)),
    );
    return el(
      "details",
      { class: "split", open: n === 0 },
      el("summary", {}, own[0].split_ja),
      el("div", { class: "plots" }, plots),
    );
  });
  return [
    ...legend(rows),
    ...parts,
    el("details", {}, el("summary", {}, `すべての値（${rows.length}行）`), allFigures(rows, tasks)),
  ];
}

function group(rows, key) {
  const found = new Map();
  for (const row of rows) found.set(key(row), [...(found.get(key(row)) ?? []), row]);
  return found;
}

// A task's name as a clinician reads it, with the name that the recipe gave it; a benchmark's layouts are its tags'.
function title(name, tasks) {
  const own = tasks.filter((task) => task.name === name || task.name.startsWith(`${name}.`)).map(plainTitle);
  if (!own.length || own[0] === name) return name;
  const first = own[0].length > LONGEST ? `${own[0].slice(0, LONGEST)}…` : own[0];
  return `${first}${own.length > 1 ? "など" : ""}（${name}）`;
}

function legend(rows) {
  const roles = new Set(rows.map(style));
  const entry = (kind, words) =>
    roles.has(kind) && el("li", {}, svg("svg", { class: "sample", "aria-hidden": "true" }, mark(50, kind)), words);
  const items = [
    entry("ours", "測定したモデル"),
    entry("untuned", "事前学習モデル（調整前）"),
    entry("baseline", "基準線（言語モデルを使わない）"),
    entry("published", "公表値（ここでは測定していない）"),
  ];
  return [
    el("ul", { class: "legend" }, items.filter(Boolean)),
    el("p", { class: "quiet" }, "横線は95 %信頼区間。値はこの評価での点数で、診療での性能を示すものではありません。"),
    ...meanings(rows),
  ];
}

// What the figures are, in a sentence each: κ is no word of a ward.
function meanings(rows) {
  const known = new Map(rows.filter((row) => row.main && row.meaning_ja).map((row) => [row.metric_ja, row.meaning_ja]));
  if (!known.size) return [];
  const list = [...known].map(([name, meaning]) => el("div", {}, el("dt", {}, name), el("dd", {}, meaning)));
  return [el("details", {}, el("summary", {}, "数値の意味"), el("dl", { class: "meanings" }, list))];
}

function style(row) {
  if (row.role !== "model") return row.role;
  return row.model === "base" ? "untuned" : "ours";
}

// The rows of each plot of a task: its main metric, and every other in which figures were published. A published figure
// never stands beside one that was computed otherwise.
function plotted(scores) {
  const metrics = group(scores, (row) => row.metric);
  const wanted = (rows) => rows.some((row) => row.main || row.role === "published");
  return [...metrics.values()].filter(wanted).sort((a, b) => b.some((row) => row.main) - a.some((row) => row.main));
}

function plot(name, main) {
  const published = main.filter((row) => row.role === "published");
  const lines = main
    .filter((row) => row.role !== "published")
    .sort((a, b) => (a.role === "baseline") - (b.role === "baseline"));
  const axis = axisAround(
    main.flatMap((row) => [row.value, row.low, row.high]).filter((value) => typeof value === "number"),
  );
  const several = new Set(
    lines.filter((row) => lines.some((other) => other !== row && other.model === row.model)).map((row) => row.model),
  );
  const body = lines.map((row) =>
    line(axis, style(row), row.model_ja + (several.has(row.model) ? `（${row.mode_ja}）` : ""), [row], figure(row)),
  );
  if (published.length) {
    const values = published.map((row) => row.value);
    const range = [...new Set([Math.min(...values), Math.max(...values)].map(short))].join("–");
    body.push(line(axis, "published", `公表値（${published.length}モデル）`, published, range));
  }
  const sizes = lines.map((row) => row.n).filter(Boolean);
  const caption = el(
    "caption",
    {},
    name,
    el("small", {}, `${main[0].metric_ja}${sizes.length ? `、n = ${Math.max(...sizes).toLocaleString("ja")}` : ""}`),
  );
  const columns = el(
    "colgroup",
    {},
    ["names", null, "values"].map((name) => el("col", { class: name })),
  );
  const head = el(
    "thead",
    {},
    el(
      "tr",
      {},
      ["モデル", "図", "値［95 %信頼区間］"].map((words) => el("th", { scope: "col" }, words)),
    ),
  );
  return el(
    "table",
    { class: "plot" },
    caption,
    columns,
    head,
    el("tbody", {}, body),
    el("tfoot", { "aria-hidden": "true" }, scale(axis)),
  );
}

function line(axis, kind, name, rows, value) {
  const zero = svg("line", { class: "zero", x1: axis.at(0), x2: axis.at(0), y1: 0, y2: "100%" });
  const drawn = rows.flatMap((row) => [
    interval(axis, row),
    mark(axis.percent(row.value), kind, `${row.model_ja} ${short(row.value)}`),
  ]);
  return el(
    "tr",
    { class: kind },
    el("th", { scope: "row" }, name),
    el("td", {}, svg("svg", { "aria-hidden": "true" }, grid(axis), zero, drawn)),
    el("td", {}, value),
  );
}

function interval(axis, { low, high }) {
  return typeof low === "number" && typeof high === "number"
    ? svg("line", { class: "interval", x1: axis.at(low), x2: axis.at(high), y1: "50%", y2: "50%" })
    : null;
}

const SHAPES = { published: "M0 -5L5 0L0 5L-5 0Z", baseline: "M-4 -4H4V4H-4Z" };

// A nested svg: positions in per cent, sizes in pixels, whatever the width of the window.
function mark(percent, kind, words) {
  const shape = kind in SHAPES ? svg("path", { d: SHAPES[kind] }) : svg("circle", { r: 4.5 });
  return svg(
    "svg",
    { x: `${percent}%`, y: "50%", class: `mark ${kind}` },
    words ? svg("title", {}, words) : null,
    shape,
  );
}

function grid(axis) {
  return axis.ticks.map((tick) =>
    svg("line", { class: "grid", x1: axis.at(tick), x2: axis.at(tick), y1: 0, y2: "100%" }),
  );
}

function scale(axis) {
  // Many labels would run into each other on a phone.
  const every = axis.ticks.length > 6 ? 2 * axis.step : axis.step;
  const labels = axis.ticks
    .filter((tick) => Math.abs(tick / every - Math.round(tick / every)) < 1e-6)
    .map((tick) =>
      svg("text", { x: axis.at(tick), y: "70%" }, axis.step < 1 ? tick.toFixed(1).replace("-", "−") : tick),
    );
  return el("tr", {}, el("td"), el("td", {}, svg("svg", {}, labels)), el("td"));
}

export function axisAround(values) {
  const least = Math.min(0, ...values);
  const most = Math.max(1, ...values);
  const step = STEPS.find((size) => (most - least) / size <= 8) ?? (most - least) / 5;
  const low = step * Math.floor(least / step + 1e-9);
  const high = step * Math.ceil(most / step - 1e-9);
  const percent = (value) => Math.round((1e4 * (value - low)) / (high - low)) / 100;
  const ticks = Array.from(
    { length: Math.round((high - low) / step) + 1 },
    (_, n) => Math.round((low + n * step) * 1e6) / 1e6,
  );
  return { low, high, step, percent, at: (value) => `${percent(value)}%`, ticks };
}

const short = (value) =>
  value
    .toFixed(Math.abs(value) <= 2 ? 2 : 1)
    .replace(/^-(?=0\.0+$)/, "")
    .replace("-", "−");

function figure(row) {
  const bounds =
    typeof row.low === "number" && typeof row.high === "number"
      ? el("small", {}, `[${short(row.low)}, ${short(row.high)}]`)
      : null;
  return [short(row.value), bounds];
}

function allFigures(rows, tasks) {
  const head = ["課題", "分割", "モデル", "答え方", "指標", "値", "下限", "上限", "n"];
  const cells = (row) => [
    title(row.task, tasks),
    row.split_ja,
    row.model_ja,
    row.role === "published" ? "公表値" : row.mode_ja,
    row.metric_ja,
  ];
  const numbers = (row) =>
    [row.value, row.low, row.high].map((value) => (typeof value === "number" ? value.toFixed(3) : "–"));
  const body = rows.map((row) =>
    el(
      "tr",
      {},
      cells(row).map((text) => el("td", {}, text ?? "")),
      [...numbers(row), row.n ?? "–"].map((text) => el("td", { class: "number" }, text)),
    ),
  );
  const table = el(
    "table",
    {},
    el(
      "thead",
      {},
      el(
        "tr",
        {},
        head.map((name) => el("th", { scope: "col" }, name)),
      ),
    ),
    el("tbody", {}, body),
  );
  return el("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "すべての値" }, table);
}
