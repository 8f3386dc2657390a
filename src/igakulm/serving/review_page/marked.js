// A text with marked places, a caret and a selection. Offsets count code points, as the server does.

import { el } from "./dom.js";

export class MarkedText {
  constructor(node, changed) {
    this.node = node;
    this.changed = changed;
    this.show("", [], false);
    node.addEventListener("mouseup", () => this.select());
    node.addEventListener("click", (event) => this.click(event));
  }

  show(text, spans, editable) {
    this.letters = [...text];
    this.editable = editable;
    this.caret = this.anchor = 0;
    this.node.classList.toggle("spans", editable);
    this.set(spans);
  }

  set(spans) {
    this.spans = spans.map(({ start, end }) => ({ start, end })).sort((a, b) => a.start - b.start || a.end - b.end);
    this.focus = -1;
    this.draw();
  }

  given() {
    return this.spans.map(({ start, end }) => ({ start, end, text: this.letters.slice(start, end).join("") }));
  }

  draw() {
    const [low, high] = this.range();
    const cuts = new Set([0, this.letters.length]);
    for (const { start, end } of this.spans) cuts.add(start).add(end);
    if (this.editable) cuts.add(low).add(high).add(this.caret);
    const places = [...cuts].sort((a, b) => a - b);
    const parts = [];
    places.forEach((start, place) => {
      if (this.editable && start === this.caret) parts.push(el("span", { class: "caret" }));
      const end = places[place + 1];
      if (end === undefined) return;
      const text = this.letters.slice(start, end).join("");
      const holder = this.spans.findIndex((span) => span.start <= start && end <= span.end);
      const picked = this.editable && low <= start && end <= high && low < high;
      if (holder >= 0) {
        const names = [picked && "picked", holder === this.focus && "focus"].filter(Boolean).join(" ");
        parts.push(el("mark", { class: names || null, "data-span": String(holder) }, text));
      } else parts.push(picked ? el("span", { class: "picked" }, text) : document.createTextNode(text));
    });
    this.node.replaceChildren(...parts);
    this.node.querySelector(this.focus >= 0 ? ".focus" : ".caret")?.scrollIntoView({ block: "nearest" });
  }

  range() {
    return [Math.min(this.caret, this.anchor), Math.max(this.caret, this.anchor)];
  }

  // Places that another one overlaps would be two answers about one word: the new one stands.
  add(start, end) {
    while (start < end && !this.letters[start].trim()) start += 1;
    while (start < end && !this.letters[end - 1].trim()) end -= 1;
    if (start >= end) return false;
    this.set([...this.spans.filter((span) => span.end <= start || end <= span.start), { start, end }]);
    this.changed();
    return true;
  }

  remove(place) {
    if (!this.spans[place]) return;
    this.set(this.spans.filter((_, other) => other !== place));
    this.changed();
  }

  select() {
    const chosen = document.getSelection();
    if (!this.editable || !chosen || chosen.isCollapsed || !chosen.rangeCount) return;
    const range = chosen.getRangeAt(0);
    if (!this.node.contains(range.startContainer) || !this.node.contains(range.endContainer)) return;
    const [start, end] = [this.offset(range.startContainer, range.startOffset), this.offset(range.endContainer, range.endOffset)];
    chosen.removeAllRanges();
    this.caret = this.anchor = end;
    this.justAdded = this.add(start, end);
  }

  offset(container, offset) {
    const before = document.createRange();
    before.selectNodeContents(this.node);
    before.setEnd(container, offset);
    return [...before.toString()].length;
  }

  click(event) {
    if (!this.editable) return;
    if (this.justAdded) {
      this.justAdded = false; // the end of the drag that made a mark is no click on it
      return;
    }
    const mark = event.target.closest("mark");
    if (mark) this.remove(Number(mark.dataset.span));
  }

  // Returns whether the key was for the text.
  key(event) {
    if (!this.editable) return false;
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -10, ArrowDown: 10, Home: -Infinity, End: Infinity };
    if (event.key in steps) {
      this.caret = Math.min(this.letters.length, Math.max(0, this.caret + steps[event.key]));
      if (!event.shiftKey) this.anchor = this.caret;
      this.focus = -1;
    } else if (event.key === " ") {
      const [start, end] = this.range();
      this.anchor = this.caret;
      this.add(start, end);
    } else if (event.key === "," || event.key === ".") {
      const count = this.spans.length;
      if (count) this.focus = (this.focus + (event.key === "." ? 1 : this.focus < 0 ? 0 : -1) + count) % count;
    } else if (event.key === "Delete" || event.key === "Backspace") {
      const at = this.focus >= 0 ? this.focus : this.spans.findIndex((one) => one.start <= this.caret && this.caret <= one.end);
      this.remove(at);
    } else return false;
    this.draw();
    return true;
  }
}
