// Elements made of text nodes and attributes only: what a model wrote can never become markup.

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

// Attributes: `class`, `hidden`, …; a function is a listener of that event; null, undefined and false are left out.
export function el(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(key, value);
    else if (value !== null && value !== undefined && value !== false)
      node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

// Read aloud by screen readers, seen by nobody.
export function announce(text) {
  byId("status").textContent = text;
}

export async function copyText(text, button) {
  const label = button.textContent;
  const done = (await writeClipboard(text)) ? "コピーしました" : "コピーできません";
  button.textContent = done;
  announce(done);
  setTimeout(() => {
    button.textContent = label;
  }, 1600);
}

async function writeClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Browsers give the clipboard to https and loopback only; on a ward's network the old way is left.
    const area = el("textarea", { class: "hidden", "aria-hidden": "true" });
    const focused = document.activeElement;
    area.value = text;
    document.body.append(area);
    area.select();
    const worked = document.execCommand("copy");
    area.remove();
    focused?.focus();
    return worked;
  }
}
