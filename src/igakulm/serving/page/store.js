// What this browser keeps, and nothing else does: conversations, and what stands in the forms.
// Where: "tab" = until the tab is closed, "browser" = until it is deleted here, "off" = in this page's memory only.

const NAME = "igakulm";
const CHOICE = "igakulm.keep";
const MOST = 50; // conversations; the oldest make room

const empty = () => ({ version: 1, current: "", conversations: [], forms: {} });
const deleted = new Set();
let where = read(() => localStorage.getItem(CHOICE)) ?? "tab";
let state = load();

export const keptWhere = () => where;
export const conversations = () => state.conversations;
export const form = (name) => state.forms[name] ?? {};

// The conversation that is shown; a new one is kept from its first answer on.
export function current() {
  return state.conversations.find((talk) => talk.id === state.current) ?? fresh();
}

export function fresh(system = "") {
  state.current = "";
  return { id: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`, at: new Date().toISOString(), system, turns: [] };
}

export function open(id) {
  state.current = id;
  save();
  return current();
}

export function keepTalk(talk) {
  state.conversations = [talk, ...state.conversations.filter((other) => other.id !== talk.id)].slice(0, MOST);
  state.current = talk.id;
  save();
}

export function forget(id) {
  deleted.add(id);
  state.conversations = state.conversations.filter((talk) => talk.id !== id);
  if (state.current === id) state.current = "";
  save();
}

export function forgetAll() {
  for (const talk of state.conversations) deleted.add(talk.id);
  state = empty();
  erase();
}

export function keepForm(name, values) {
  state.forms[name] = values;
  save();
}

// Another choice moves what is there: nothing stays behind in the old place.
export function keepIn(choice) {
  erase();
  where = choice;
  read(() => (choice === "tab" ? localStorage.removeItem(CHOICE) : localStorage.setItem(CHOICE, choice)));
  save();
}

function place() {
  return { tab: sessionStorage, browser: localStorage }[where] ?? null;
}

function load() {
  const stored = read(() => JSON.parse(place()?.getItem(NAME) ?? "null"));
  return stored?.version === 1 ? { ...empty(), ...stored } : empty();
}

// Conversations that another tab has kept meanwhile stay.
function save() {
  read(() => {
    const known = new Set([...state.conversations.map((talk) => talk.id), ...deleted]);
    const others = load().conversations.filter((talk) => !known.has(talk.id));
    state.conversations = [...state.conversations, ...others].slice(0, MOST);
    place()?.setItem(NAME, JSON.stringify(state));
  });
}

function erase() {
  read(() => sessionStorage.removeItem(NAME));
  read(() => localStorage.removeItem(NAME));
}

// Storage may be switched off or full: the page then works from memory.
function read(work) {
  try {
    return work();
  } catch {
    return null;
  }
}
