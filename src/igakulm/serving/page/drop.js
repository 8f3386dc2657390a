// A file of the user's for a text field: dropped on it or chosen. It is read in the browser and sent nowhere.

import { announce, el } from "./dom.js";

const KINDS = ".txt,.md,.csv,.tsv,.docx";
const LARGEST = 20_000_000;

// Adds to a text field: dropping, a button to choose a file, and for tables a choice of the row.
export function takesFiles(area) {
  const chooser = el("input", { type: "file", accept: KINDS, hidden: true, "aria-hidden": "true", tabindex: "-1" });
  const button = el("button", { type: "button", class: "plain file", click: () => chooser.click() }, "ファイルから読む");
  const below = el("div", { class: "rows" });
  area.after(chooser, below);
  const take = async (file) => {
    if (!file) return;
    below.replaceChildren();
    try {
      fill(area, below, await contentOf(file), file.name);
    } catch (error) {
      below.append(el("p", { class: "error", role: "alert" }, error.message));
    }
  };
  chooser.addEventListener("change", () => take(chooser.files[0]).then(() => (chooser.value = "")));
  area.addEventListener("dragover", (event) => {
    if (![...event.dataTransfer.types].includes("Files")) return;
    event.preventDefault();
    area.classList.add("dropping");
  });
  area.addEventListener("dragleave", () => area.classList.remove("dropping"));
  area.addEventListener("drop", (event) => {
    area.classList.remove("dropping");
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    take(event.dataTransfer.files[0]);
  });
  return button;
}

function fill(area, below, found, name) {
  const put = (text) => {
    area.value = text;
    area.dispatchEvent(new Event("input", { bubbles: true }));
  };
  if (typeof found === "string") {
    put(found);
    announce(`${name}を読みました。`);
    return;
  }
  const column = longestColumn(found);
  const rows = found.slice(1).map((row) => row[column] ?? "");
  const choice = el(
    "select",
    { "aria-label": "表の行", change: () => put(rows[Number(choice.value)]) },
    rows.map((text, n) => el("option", { value: n }, `${n + 1}行目：${text.slice(0, 30)}`)),
  );
  below.append(el("label", { class: "choose" }, `「${found[0][column]}」の列から選ぶ（${rows.length}行） `, choice));
  put(rows[0]);
  announce(`${name}の表から、${rows.length}行を読みました。`);
}

// A text, or the rows of a table with its head first.
export async function contentOf(file) {
  if (file.size > LARGEST) throw new Error(`「${file.name}」は大きすぎます（20 MBまで）。`);
  const kind = file.name.split(".").at(-1).toLowerCase();
  const bytes = new Uint8Array(await file.arrayBuffer());
  if (kind === "docx") return wordText(bytes);
  if (!KINDS.includes(`.${kind}`)) throw new Error(`「${file.name}」は読めません。txt、csv、tsv、docxのファイルを選んでください。`);
  const text = decoded(bytes, file.name);
  if (kind !== "csv" && kind !== "tsv") return text;
  const rows = table(text, kind === "tsv" ? "\t" : ",");
  if (rows.length < 2) throw new Error(`「${file.name}」には、見出しの下に行がありません。`);
  return rows;
}

// UTF-8, else what Japanese Windows writes; a file that is neither is refused rather than shown wrongly.
export function decoded(bytes, name) {
  const start = bytes.subarray(0, 2).join();
  const tried = start === "255,254" ? ["utf-16le"] : start === "254,255" ? ["utf-16be"] : ["utf-8", "shift_jis"];
  for (const encoding of tried) {
    try {
      return new TextDecoder(encoding, { fatal: true }).decode(bytes).replace(/\r\n?/g, "\n");
    } catch {
      // the next one
    }
  }
  throw new Error(`「${name}」の文字コードが分かりません。UTF-8で保存し直してください。`);
}

// RFC 4180: quoted cells hold separators, line ends and doubled quotes.
export function table(text, separator) {
  const rows = [];
  let row = [];
  let cell = "";
  let quoted = false;
  const end = () => {
    row.push(cell);
    cell = "";
  };
  for (let place = 0; place < text.length; place += 1) {
    const sign = text[place];
    if (quoted) {
      if (sign !== '"') cell += sign;
      else if (text[place + 1] === '"') cell += text[(place += 1)];
      else quoted = false;
    } else if (sign === '"' && !cell) quoted = true;
    else if (sign === separator) end();
    else if (sign === "\n") {
      end();
      rows.push(row);
      row = [];
    } else cell += sign;
  }
  if (quoted) throw new Error("表の引用符が閉じていません。");
  if (cell || row.length) {
    end();
    rows.push(row);
  }
  return rows.filter((cells) => cells.some((one) => one.trim()));
}

function longestColumn(rows) {
  const length = (column) => rows.slice(1, 200).reduce((sum, row) => sum + (row[column] ?? "").length, 0);
  return rows[0].reduce((best, _, column) => (length(column) > length(best) ? column : best), 0);
}

// The paragraphs of a Word document: word/document.xml in its zip archive.
async function wordText(bytes) {
  const xml = new TextDecoder().decode(await entry(bytes, "word/document.xml"));
  const parsed = new DOMParser().parseFromString(xml, "application/xml");
  if (parsed.querySelector("parsererror")) throw new Error("この文書は壊れているようです。");
  const space = parsed.documentElement.namespaceURI;
  let text = "";
  for (const part of parsed.getElementsByTagNameNS(space, "*")) {
    if (part.localName === "p" && text) text += "\n";
    if (part.localName === "t") text += part.textContent;
    if (part.localName === "tab" && part.parentNode.localName === "r") text += "\t";
    if (part.localName === "br" || part.localName === "cr") text += "\n";
  }
  return text.trim();
}

async function entry(bytes, wanted) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const broken = new Error("この文書は読めません（.docxの形をしていません）。");
  let end = bytes.length - 22;
  while (end >= 0 && view.getUint32(end, true) !== 0x06054b50) end -= 1;
  if (end < 0) throw broken;
  let place = view.getUint32(end + 16, true);
  for (let n = view.getUint16(end + 10, true); n > 0; n -= 1) {
    if (place + 46 > bytes.length || view.getUint32(place, true) !== 0x02014b50) throw broken;
    const [name, extra, remark] = [28, 30, 32].map((offset) => view.getUint16(place + offset, true));
    if (new TextDecoder().decode(bytes.subarray(place + 46, place + 46 + name)) === wanted) {
      const start = view.getUint32(place + 42, true);
      const from = start + 30 + view.getUint16(start + 26, true) + view.getUint16(start + 28, true);
      const packed = bytes.subarray(from, from + view.getUint32(place + 20, true));
      if (view.getUint16(place + 10, true) === 0) return packed;
      const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
      return new Uint8Array(await new Response(stream).arrayBuffer());
    }
    place += 46 + name + extra + remark;
  }
  throw broken;
}
