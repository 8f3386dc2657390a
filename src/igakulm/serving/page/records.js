// What was found in a record, as segments to mark, as CSV and as FHIR-like JSON. No elements, no requests.

const KINDS = { finding: "所見・症状", medicine: "薬剤", dose: "用量・用法" };

export const kindName = (kind) => KINDS[kind] ?? (kind || "表現");
export const kindClass = (kind) => `k-${kind in KINDS ? kind : "other"}`;

// The text in order as {text, items}: pieces between the borders of items; `items` are those that cover a piece.
// Places count Unicode code points, as Array.from does.
export function segments(text, items) {
  const characters = Array.from(text);
  const inside = items.filter((item) => item.start >= 0 && item.start < item.end && item.end <= characters.length);
  const borders = new Set([0, characters.length, ...inside.flatMap((item) => [item.start, item.end])]);
  const places = [...borders].sort((a, b) => a - b);
  return places.slice(1).map((end, n) => ({
    text: characters.slice(places[n], end).join(""),
    items: inside.filter((item) => item.start <= places[n] && end <= item.end),
  }));
}

export function byPlace(items) {
  return [...items].sort((a, b) => a.start - b.start || b.end - a.end);
}

const CUT = "the answer was cut off: items may be missing";
const UNREADABLE = "the answer was no list: items may be missing";

// The items of several tasks, each once: two tasks can name the same.
export function allItems(results) {
  const items = results.flatMap((result) => result.items);
  return byPlace([...new Map(items.map((item) => [`${item.kind} ${item.start} ${item.end}`, item])).values()]);
}

// What was named but does not stand in the text, as {kind, text}, each once.
export function allUnplaced(results) {
  const lost = results.flatMap((result) => result.unplaced.map((text) => ({ kind: result.kind, text })));
  return [...new Map(lost.map((item) => [`${item.kind} ${item.text}`, item])).values()];
}

// The columns of `igakulm extract`, less those that name the record. Rows end as a spreadsheet writes them, and a cell
// that it would calculate gets an apostrophe before it.
export function csv(results) {
  const rows = results.flatMap(({ task, kind, items, unplaced, cut, unreadable }) => [
    ...items.map((item) => [task, item.kind, item.text, item.start, item.end, "placed", ""]),
    ...unplaced.map((text) => [task, kind, text, "", "", "unplaced", "the text does not hold this"]),
    ...(unreadable ? [[task, kind, "", "", "", "unreadable", UNREADABLE]] : []),
    ...(cut ? [[task, kind, "", "", "", "cut", CUT]] : []),
    ...(items.length || unplaced.length || unreadable || cut ? [] : [[task, kind, "", "", "", "none", ""]]),
  ]);
  const head = ["task", "kind", "text", "start", "end", "status", "note"];
  return [head, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

function cell(value) {
  let text = String(value);
  if (typeof value === "string" && /^[=+\-@\t\r\n＝＋－＠]/.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

// The shape is described in docs/extract.md.
export function fhirLike(results) {
  const entries = new Map();
  for (const item of allItems(results)) {
    const name = `${item.kind} ${item.text}`;
    if (!entries.has(name)) entries.set(name, { ...item, places: [] });
    entries.get(name).places.push(position(item));
  }
  const lost = allUnplaced(results).map((item) => ({
    ...item,
    places: [{ url: "urn:igakulm:unplaced", valueBoolean: true }],
  }));
  const issues = results.flatMap(({ task, cut, unreadable }) => [
    ...(unreadable ? [issue(`${task}: ${UNREADABLE}`)] : []),
    ...(cut ? [issue(`${task}: ${CUT}`)] : []),
  ]);
  return {
    resourceType: "Bundle",
    type: "collection",
    meta: {
      tag: [{ code: "fhir-like", display: "FHIR-like, not validated; written by a language model, can be wrong" }],
    },
    entry: [...[...entries.values(), ...lost].map(resource), ...issues].map((one) => ({ resource: one })),
  };
}

function issue(diagnostics) {
  return { resourceType: "OperationOutcome", issue: [{ severity: "warning", code: "processing", diagnostics }] };
}

function position(item) {
  return {
    url: "urn:igakulm:position",
    extension: [
      { url: "start", valueInteger: item.start },
      { url: "end", valueInteger: item.end },
    ],
  };
}

const STATUS = "http://terminology.hl7.org/CodeSystem/condition-ver-status";

function resource({ kind, text, places }) {
  const subject = { display: "not stated" };
  if (kind === "finding") {
    const status = { coding: [{ system: STATUS, code: "unconfirmed" }] };
    return { resourceType: "Condition", extension: places, verificationStatus: status, code: { text }, subject };
  }
  if (kind === "medicine") {
    return {
      resourceType: "MedicationStatement",
      extension: places,
      status: "unknown",
      medicationCodeableConcept: { text },
      subject,
    };
  }
  return { resourceType: "Basic", extension: places, code: { text: `${kind}: ${text}` } };
}

// The lines of a pasted list of options, without "a.", "１）", "(B)" or "・" before them, if every line has one.
export function optionLines(text) {
  const lines = text
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);
  const label =
    /^(?:[(（]?[A-Ja-jＡ-Ｊａ-ｊ1-9１-９](?:[.．](?![\d０-９])|[、:：)）])|[a-jａ-ｊ](?=\s)|[1-9１-９](?=　)|[①-⑩・])\s*/;
  return lines.every((line) => label.test(line))
    ? lines.map((line) => line.replace(label, "").trim()).filter(Boolean)
    : lines;
}
