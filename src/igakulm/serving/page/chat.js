// A conversation: streamed answers that can be stopped, copied, asked for again, and questions that can be rewritten.

import { postEvents } from "./api.js";
import { announce, byId, el } from "./dom.js";
import { startHistory } from "./history.js";
import * as store from "./store.js";
import { showTurn } from "./turn.js";

const STARTERS = [
  "糖尿病の主な合併症を挙げてください。",
  "高血圧の患者に食事で気をつけてもらうことは何ですか。",
  "「褥瘡」を、患者さんに伝わる言葉で説明してください。",
];
const CUT_OFF = "長さの上限に達したため、ここで終わっています。";
const STOPPED = "停止しました。";
const FORGOTTEN = "モデルの読める長さに合わせて、古いやり取りを除いて送りました。";
const EMPTY = "モデルは何も答えませんでした。";
const EDITED = "送ると、この質問から後のやり取りは新しい答えに置き換わります。";
const OTHERWISE = 0.7; // another answer is drawn: the likeliest one is there already

export function startChat(facts) {
  const log = byId("log");
  const input = byId("question");
  let talk = store.current();
  let views = []; // of talk.turns, in their order
  let editing = null;
  let running = null;

  const history = startHistory(facts, { show: (other) => show(other), shown: () => talk });
  byId("starters").append(
    ...STARTERS.map((text) =>
      el("li", {}, el("button", { type: "button", class: "plain", click: () => send(text) }, text)),
    ),
  );
  byId("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    send(input.value.trim());
  });
  input.addEventListener("input", () => {
    grow(input);
    store.keepForm("chat", { question: input.value });
  });
  input.addEventListener("keydown", (event) => {
    // While an input method composes, Enter takes its suggestion; Safari tells so by the key code only.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    send(input.value.trim());
  });
  byId("chat").addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.isComposing) return;
    if (running) running.abort();
    else if (editing) edit(null);
  });
  byId("stop").addEventListener("click", () => running?.abort());
  byId("system").addEventListener("change", () => {
    talk.system = byId("system").value.trim();
    if (talk.turns.length) store.keepTalk(talk);
  });
  byId("fresh").addEventListener("click", () => {
    show(store.fresh(byId("system").value.trim()));
    input.focus();
    announce("新しい会話を始めました。");
  });
  show(talk);
  input.value = store.form("chat").question ?? "";
  grow(input);

  function show(other) {
    running?.abort();
    edit(null);
    trouble();
    talk = other;
    log.replaceChildren();
    views = talk.turns.map((turn) => {
      const view = showTurn(log, turn.question, { edit, again });
      view.add(turn.answer);
      for (const words of turn.remarks ?? []) view.remark(words);
      view.end(turn.answer);
      return view;
    });
    announce("");
    byId("system").value = talk.system;
    byId("welcome").hidden = talk.turns.length > 0;
    history.changed();
  }

  // `view`: whose question stands in the field to be rewritten; null = none.
  function edit(view) {
    if (view && running) return;
    editing = view;
    byId("editing").hidden = !view;
    if (!view) return;
    byId("editing-words").textContent = EDITED;
    input.value = view.question;
    grow(input);
    input.focus();
  }
  byId("editing-stop").addEventListener("click", () => {
    edit(null);
    input.value = "";
    grow(input);
    input.focus();
  });

  function again(view) {
    if (running) return;
    const from = views.indexOf(view);
    send(view.question, { least: OTHERWISE, before: cut(from) });
  }

  // Take turns away; they are what to put back if the answer in their place fails.
  function cut(from) {
    for (const view of views.splice(from)) view.remove();
    return talk.turns.splice(from);
  }

  // What went wrong, above the field where the eye is; `retry` is what its button does.
  function trouble(message = "", retry = null) {
    const place = byId("trouble");
    place.replaceChildren();
    if (!message) return;
    place.append(el("p", { class: "error", role: "alert" }, message));
    if (retry) place.append(el("button", { type: "button", click: retry }, "もう一度送る"));
  }

  async function send(question, { least = 0, before = [] } = {}) {
    if (!question || running) return;
    const control = (running = new AbortController());
    const own = talk;
    const replaced = editing ? cut(views.indexOf(editing)) : before;
    const words = editing ? question : "";
    edit(null);
    trouble();
    byId("welcome").hidden = true;
    input.value = "";
    store.keepForm("chat", { question: "" });
    grow(input);
    busy(true);
    const view = showTurn(log, question, { edit, again });
    view.article.scrollIntoView({ block: "end" });
    let answer = "";
    try {
      answer = await stream(question, control.signal, view, least);
    } catch (error) {
      if (error.name === "AbortError") {
        answer = view.text.textContent;
        view.remark(STOPPED);
      } else if (log.contains(view.article)) {
        failed(error.message, view, question, replaced, words);
      }
    }
    if (running === control) running = null;
    view.end(answer);
    if (answer && log.contains(view.article)) {
      views.push(view);
      own.turns.push({ question, answer, remarks: view.remarks() });
      store.keepTalk(own);
      history.changed();
    }
    busy(running !== null);
  }

  // What came of a new question stays to be read, but is no part of the conversation; what it was to replace comes back.
  function failed(message, view, question, replaced, words) {
    if (replaced.length) {
      talk.turns.push(...replaced);
      show(talk);
      input.value = words;
      grow(input);
      trouble(message);
    } else {
      trouble(message, () => {
        view.remove();
        send(question);
      });
    }
  }

  async function stream(question, signal, view, least) {
    const turns = [...talk.turns];
    for (let first = 0; ; first += 1) {
      try {
        if (first === 1) view.remark(FORGOTTEN);
        return await answerTo(question, turns.slice(first), signal, view, least);
      } catch (error) {
        if (error.code !== "context_length_exceeded" || first >= turns.length) throw error;
      }
    }
  }

  async function answerTo(question, before, signal, view, least) {
    const messages = before.flatMap((turn) => [
      { role: "user", content: turn.question },
      { role: "assistant", content: turn.answer },
    ]);
    const temperature = Math.max(least, Number(byId("temperature").value));
    const body = {
      model: facts.name,
      messages: [
        ...(talk.system ? [{ role: "system", content: talk.system }] : []),
        ...messages,
        { role: "user", content: question },
      ],
      stream: true,
      stream_options: { include_usage: true },
      max_tokens: Number(byId("length").value),
      temperature,
      ...(temperature && { seed: crypto.getRandomValues(new Uint32Array(1))[0] }),
    };
    let began = 0;
    for await (const event of postEvents("/v1/chat/completions", body, signal)) {
      const choice = event.choices?.[0];
      began ||= performance.now();
      if (choice?.delta?.content) view.add(choice.delta.content);
      if (choice?.finish_reason === "length") view.remark(CUT_OFF);
      if (event.usage) view.remark(rate(event.usage.completion_tokens, (performance.now() - began) / 1000));
    }
    if (!view.text.textContent) view.remark(EMPTY);
    return view.text.textContent;
  }

  function busy(now) {
    const focused = [byId("send"), byId("stop")].includes(document.activeElement);
    byId("send").hidden = now;
    byId("stop").hidden = !now;
    if (focused || document.activeElement === document.body) input.focus();
  }
}

function rate(tokens, seconds) {
  const each = tokens > 1 && seconds > 0 ? `、毎秒${(tokens / seconds).toFixed(1)}` : "";
  return `${tokens.toLocaleString("ja")}トークン${each}`;
}

function grow(area) {
  area.style.height = "auto";
  area.style.height = `${area.scrollHeight + 2}px`;
}
