// The third tab: facts about the model, its scores, its card, and the files with their hashes.

import { el } from "./dom.js";
import { markdown } from "./markdown.js";
import { scoreboard } from "./scores.js";

const FACTS = {
  architecture: "構造",
  activation: "活性化関数",
  parameters: "パラメーター",
  layers: "層",
  hidden_size: "幅",
  vocabulary: "語彙",
  context_length: "文脈長（トークン）",
};

export function showModel(panel, model, tasks) {
  panel.replaceChildren(
    el("h2", {}, "このモデル"),
    facts(model),
    el("h2", {}, "評価"),
    ...(model.scores?.length ? scoreboard(model.scores, tasks) : [el("p", {}, "このモデルの評価は、まだありません。")]),
    el("h2", {}, "モデルカード"),
    ...card(model),
    el("h2", {}, "ファイルと版"),
    ...files(model),
  );
}

function facts(model) {
  const rows = [
    ["名前", model.name],
    ["動かし方", model.engine],
  ];
  for (const [key, name] of Object.entries(FACTS)) {
    const value = model.model?.[key] ?? (key === "context_length" ? model.context_length : null);
    if (value !== null && value !== undefined)
      rows.push([name, typeof value === "number" ? value.toLocaleString("ja") : value]);
  }
  return el(
    "dl",
    { class: "facts" },
    rows.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))),
  );
}

function card(model) {
  if (!model.card_ja && !model.card_en) return [el("p", {}, "モデルカードがありません。")];
  const parts = [el("div", { class: "card" }, markdown(model.card_ja || model.card_en, 0))];
  if (model.card_ja && model.card_en) {
    parts.push(
      el(
        "details",
        {},
        el("summary", { lang: "en" }, "Model card in English"),
        el("div", { class: "card", lang: "en" }, markdown(model.card_en, 0)),
      ),
    );
  }
  return parts;
}

function files(model) {
  const names = Object.entries(model.files ?? {});
  const versions = Object.entries(model.versions ?? {});
  return [
    names.length
      ? table(
          ["ファイル", "大きさ", "SHA-256"],
          names.map(([name, file]) => [name, size(file.bytes), el("code", {}, file.sha256)]),
        )
      : el("p", {}, "ファイルの記録がありません。"),
    el("p", { class: "quiet" }, "ファイルが変わっていないことは、igakulm verify で確かめられます。"),
    versions.length
      ? el("p", { class: "quiet" }, `作成に使った版：${versions.map((pair) => pair.join(" ")).join("、")}`)
      : null,
  ].filter(Boolean);
}

function table(head, rows) {
  const body = rows.map((row) =>
    el(
      "tr",
      {},
      row.map((cell) => el("td", {}, cell)),
    ),
  );
  return el(
    "div",
    { class: "scroll", tabindex: "0", role: "group", "aria-label": head[0] },
    el(
      "table",
      { class: "files" },
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
    ),
  );
}

function size(bytes) {
  const unit = ["B", "KB", "MB", "GB"];
  const step = Math.min(3, Math.floor(Math.log(Math.max(1, bytes)) / Math.log(1000)));
  return `${(bytes / 1000 ** step).toFixed(step ? 1 : 0)} ${unit[step]}`;
}
