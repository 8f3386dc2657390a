// The part of Markdown that a model card uses, as elements. Never as markup: what is not known stays text.

import { el } from "./dom.js";

const INLINE = /`([^`]+)`|\*\*([^*]+)\*\*|\[([^\]]+)\]\(([^()\s]+)\)/g;

// `shift` is added to the depth of headings.
export function markdown(text, shift = 1) {
  const lines = text
    .replace(/\r\n?/g, "\n")
    .replace(/^---\n[\s\S]*?\n---\n/, "")
    .split("\n");
  const blocks = [];
  for (let n = 0; n < lines.length;) {
    const end = blockEnd(lines, n);
    blocks.push(block(lines.slice(n, end), shift));
    n = end;
  }
  return blocks.filter(Boolean);
}

const KINDS = [/^\s*$/, /^#{1,6} /, /^\|/, /^- /, /^\d+\. /, /^```/];
const kindOf = (line) => KINDS.findIndex((kind) => kind.test(line));

function blockEnd(lines, start) {
  const kind = kindOf(lines[start]);
  if (kind === 1) return start + 1;
  let end = start + 1;
  if (kind === 5) {
    while (end < lines.length && kindOf(lines[end]) !== 5) end += 1;
    return Math.min(end + 1, lines.length);
  }
  while (end < lines.length && kindOf(lines[end]) === kind) end += 1;
  return end;
}

function block(lines, shift) {
  const kind = kindOf(lines[0]);
  if (kind === 0) return null;
  if (kind === 1) {
    const [, depth, words] = /^(#+) (.*)$/.exec(lines[0]);
    return el(`h${Math.min(6, depth.length + shift)}`, {}, inline(words));
  }
  if (kind === 2) return table(lines);
  if (kind === 3)
    return el(
      "ul",
      {},
      lines.map((line) => el("li", {}, inline(line.slice(2)))),
    );
  if (kind === 4)
    return el(
      "ol",
      {},
      lines.map((line) => el("li", {}, inline(line.replace(/^\d+\. /, "")))),
    );
  if (kind === 5)
    return el(
      "pre",
      {},
      lines
        .slice(1)
        .filter((line) => kindOf(line) !== 5)
        .join("\n"),
    );
  return el("p", {}, inline(lines.join("\n")));
}

function table(lines) {
  const rows = lines.map((line) =>
    line
      .replace(/^\||\|\s*$/g, "")
      .split(/(?<!\\)\|/)
      .map((cell) => cell.replaceAll("\\|", "|").trim()),
  );
  const ruled = rows.length > 1 && rows[1].every((cell) => /^:?-+:?$/.test(cell));
  const head = ruled
    ? el(
        "thead",
        {},
        el(
          "tr",
          {},
          rows[0].map((cell) => el("th", { scope: "col" }, inline(cell))),
        ),
      )
    : null;
  const body = (ruled ? rows.slice(2) : rows).map((row) =>
    el(
      "tr",
      {},
      row.map((cell) => el("td", {}, inline(cell))),
    ),
  );
  return el(
    "div",
    { class: "scroll", tabindex: "0", role: "group", "aria-label": "表" },
    el("table", {}, head, el("tbody", {}, body)),
  );
}

// Addresses are shown, not linked: nothing on this page leads out of the hospital.
function inline(text) {
  const parts = [];
  let last = 0;
  for (const found of text.matchAll(INLINE)) {
    parts.push(text.slice(last, found.index));
    if (found[1]) parts.push(el("code", {}, found[1]));
    else if (found[2]) parts.push(el("strong", {}, found[2]));
    else parts.push(`${found[3]}（${found[4]}）`);
    last = found.index + found[0].length;
  }
  return [...parts, text.slice(last)];
}
