// Tabs by the keyboard as the ARIA practices describe them: arrows, Home and End move and choose at once.

import { byId } from "./dom.js";

const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

// `chosen` is called with the name of the panel, and whether the user chose it or the page did.
export function tabs(list, chosen = () => {}) {
  const all = [...list.querySelectorAll("[role=tab]")];
  const choose = (tab, focus, byUser) => {
    for (const other of all) {
      const here = other === tab;
      other.setAttribute("aria-selected", here);
      other.tabIndex = here ? 0 : -1;
      byId(other.getAttribute("aria-controls")).hidden = !here;
    }
    if (focus) tab.focus();
    chosen(tab.getAttribute("aria-controls"), byUser);
  };
  list.addEventListener("click", (event) => {
    const tab = event.target.closest("[role=tab]");
    if (tab) choose(tab, false, true);
  });
  list.addEventListener("keydown", (event) => {
    const shown = all.filter((tab) => !tab.hidden);
    const place = shown.indexOf(document.activeElement);
    if (event.isComposing || place < 0) return;
    let next = null;
    if (event.key in STEPS) next = (place + STEPS[event.key] + shown.length) % shown.length;
    if (event.key === "Home") next = 0;
    if (event.key === "End") next = shown.length - 1;
    if (next === null) return;
    event.preventDefault();
    choose(shown[next], true, true);
  });
  return (name) => {
    const tab = all.find((other) => other.getAttribute("aria-controls") === name);
    if (tab) choose(tab, false, false);
  };
}
