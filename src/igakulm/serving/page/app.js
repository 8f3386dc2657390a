// Starts the page: which tab is open, and what the server says about its model and tasks.

import { getJson } from "./api.js";
import { startChat } from "./chat.js";
import { origin } from "./history.js";
import { byId } from "./dom.js";
import { showModel } from "./model.js";
import { tabs } from "./tabs.js";
import { showStanding, startTasks } from "./tasks.js";

const MAIN = ["chat", "tasks", "model"];

// Each tab that is chosen is a step for the browser's Back; the one that the page opens with is none.
const open = tabs(document.querySelector("header .tabs"), (name, chosen) => {
  if (location.hash !== `#${name}`) history[chosen ? "pushState" : "replaceState"](null, "", `#${name}`);
});
addEventListener("popstate", () => MAIN.includes(location.hash.slice(1)) && open(location.hash.slice(1)));
addEventListener("beforeprint", () => {
  byId("printed").textContent = origin(facts, new Date()).join("\n");
});
const openKind = tabs(document.querySelector("#tasks .tabs"));
if (MAIN.includes(location.hash.slice(1))) open(location.hash.slice(1));

const facts = {};
const tasks = load("/api/tasks").then((value) => value?.tasks ?? []);
startChat(facts);
const kinds = startTasks(tasks);
const model = await load("/api/model");
if (model) {
  Object.assign(facts, model);
  byId("model-name").textContent = model.name;
  document.title = `${model.name} – IgakuLM`;
  begin(model, await kinds);
  showStanding(model.beside ?? [], await tasks);
  showModel(byId("model"), model, await tasks);
}

// What the model was not made for is not offered, and the page opens with what it is good at.
function begin({ chat, first }, kinds) {
  byId("tab-chat").hidden = !chat;
  byId("tab-tasks").hidden = !kinds.length;
  if (kinds.length) openKind(kinds.includes(first) ? first : kinds[0]);
  const offered = { chat, tasks: kinds.length > 0, model: true };
  if (offered[location.hash.slice(1)] || (chat && byId("question").value)) return;
  if (chat && (first === "chat" || !kinds.length)) open("chat");
  else open(kinds.length ? "tasks" : "model");
}

// The answer, or null and a message at the top of the page.
async function load(path) {
  try {
    return await getJson(path);
  } catch (error) {
    const message = byId("offline");
    message.textContent = error.message;
    message.hidden = false;
    return null;
  }
}
