// Starts the page: which tab is open, and what the server says about its model and tasks.

import { getJson } from "./api.js";
import { startChat } from "./chat.js";
import { byId } from "./dom.js";
import { showModel } from "./model.js";
import { tabs } from "./tabs.js";
import { startTasks } from "./tasks.js";

const MAIN = ["chat", "tasks", "model"];

const open = tabs(document.querySelector("header .tabs"), (name) => history.replaceState(null, "", `#${name}`));
tabs(document.querySelector("#tasks .tabs"));
if (MAIN.includes(location.hash.slice(1))) open(location.hash.slice(1));

const facts = {};
const tasks = load("/api/tasks").then((value) => value?.tasks ?? []);
startChat(facts);
startTasks(tasks);
const model = await load("/api/model");
if (model) {
  Object.assign(facts, model);
  byId("model-name").textContent = model.name;
  document.title = `${model.name} – IgakuLM`;
  showModel(byId("model"), model, await tasks);
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
