// A conversation: streamed answers that can be stopped and copied. It lives in this module's memory only.

import { postEvents } from "./api.js";
import { announce, byId, copyText, el } from "./dom.js";

const STARTERS = [
  "糖尿病の主な合併症を挙げてください。",
  "高血圧の患者に食事で気をつけてもらうことは何ですか。",
  "「褥瘡」を、患者さんに伝わる言葉で説明してください。",
];
const CUT_OFF = "長さの上限に達したため、ここで終わっています。";
const STOPPED = "停止しました。";
const FORGOTTEN = "モデルの読める長さに合わせて、古いやり取りを除いて送りました。";
const EMPTY = "モデルは何も答えませんでした。";
const SENTENCE = /^[\s\S]*[。！？!?\n]/;

export function startChat(facts) {
  const log = byId("log");
  const input = byId("question");
  const turns = []; // what was asked and answered; the server remembers nothing
  let running = null;

  byId("starters").append(
    ...STARTERS.map((text) =>
      el("li", {}, el("button", { type: "button", class: "plain", click: () => send(text) }, text)),
    ),
  );
  byId("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    send(input.value.trim());
  });
  input.addEventListener("input", () => grow(input));
  input.addEventListener("keydown", (event) => {
    // While an input method composes, Enter takes its suggestion; Safari tells so by the key code only.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    send(input.value.trim());
  });
  byId("chat").addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !event.isComposing) running?.abort();
  });
  byId("stop").addEventListener("click", () => running?.abort());
  byId("fresh").addEventListener("click", () => {
    running?.abort();
    turns.length = 0;
    log.replaceChildren();
    byId("welcome").hidden = false;
    input.focus();
    announce("新しい会話を始めました。");
  });

  async function send(question) {
    if (!question || running) return;
    const control = (running = new AbortController());
    byId("welcome").hidden = true;
    input.value = "";
    grow(input);
    busy(true);
    const view = showTurn(log, question, (text) => {
      remove(view);
      send(text);
    });
    view.article.scrollIntoView({ block: "end" });
    let answer = "";
    try {
      answer = await stream(question, control.signal, view);
    } catch (error) {
      if (error.name === "AbortError") {
        answer = view.text.textContent;
        view.remark(STOPPED);
      } else {
        view.failed(error.message); // what came before stays to be read, but is no part of the conversation
      }
    }
    if (running === control) running = null;
    view.end(answer);
    if (answer && log.contains(view.article)) turns.push({ question, answer });
    busy(running !== null);
  }

  async function stream(question, signal, view) {
    for (let first = 0; ; first += 1) {
      try {
        if (first) view.remark(FORGOTTEN);
        return await answerTo(question, turns.slice(first), signal, view);
      } catch (error) {
        if (error.code !== "context_length_exceeded" || first >= turns.length) throw error;
      }
    }
  }

  async function answerTo(question, before, signal, view) {
    const messages = before.flatMap((turn) => [
      { role: "user", content: turn.question },
      { role: "assistant", content: turn.answer },
    ]);
    const temperature = Number(byId("temperature").value);
    const body = {
      model: facts.name,
      messages: [...messages, { role: "user", content: question }],
      stream: true,
      max_tokens: Number(byId("length").value),
      temperature,
      ...(temperature && { seed: crypto.getRandomValues(new Uint32Array(1))[0] }),
    };
    for await (const event of postEvents("/v1/chat/completions", body, signal)) {
      const choice = event.choices?.[0];
      if (choice?.delta?.content) view.add(choice.delta.content);
      if (choice?.finish_reason === "length") view.remark(CUT_OFF);
    }
    if (!view.text.textContent) view.remark(EMPTY);
    return view.text.textContent;
  }

  function remove(view) {
    view.asked.remove();
    view.article.remove();
  }

  function busy(now) {
    const focused = [byId("send"), byId("stop")].includes(document.activeElement);
    byId("send").hidden = now;
    byId("stop").hidden = !now;
    if (focused || document.activeElement === document.body) input.focus();
  }
}

function showTurn(log, question, again) {
  const asked = el(
    "article",
    { class: "asked" },
    el("h2", { class: "hidden" }, "質問"),
    el("p", { class: "text" }, question),
  );
  const text = el("p", { class: "text" });
  const waiting = el("p", { class: "quiet waiting" }, "考えています");
  const foot = el("div", { class: "foot" });
  const article = el(
    "article",
    { class: "answer", "aria-busy": "true" },
    el("h2", { class: "hidden" }, "モデルの答え"),
    text,
    waiting,
    foot,
  );
  log.append(asked, article);
  let unread = "";
  return {
    asked,
    article,
    text,
    add(piece) {
      const follow = atEnd();
      waiting.remove();
      text.append(piece);
      text.normalize();
      unread += piece;
      const sentence = SENTENCE.exec(unread)?.[0]; // read aloud by sentences, not by tokens
      if (sentence) {
        announce(sentence);
        unread = unread.slice(sentence.length);
      }
      if (follow) toEnd();
    },
    remark(words) {
      foot.append(el("span", { class: "quiet" }, words));
    },
    failed(message) {
      const button = el("button", { type: "button", click: () => again(question) }, "もう一度送る");
      article.append(el("p", { class: "error", role: "alert" }, message), el("div", { class: "actions" }, button));
    },
    end(answer) {
      const follow = atEnd();
      waiting.remove();
      article.removeAttribute("aria-busy");
      if (unread) announce(unread);
      if (!answer) return;
      const button = el(
        "button",
        { type: "button", class: "plain", "aria-label": "この答えをコピー", click: () => copyText(answer, button) },
        "コピー",
      );
      foot.prepend(button);
      if (follow) toEnd();
    },
  };
}

const toEnd = () => window.scrollTo(0, document.body.scrollHeight);

function atEnd() {
  return window.innerHeight + window.scrollY >= document.body.scrollHeight - 80;
}

function grow(area) {
  area.style.height = "auto";
  area.style.height = `${area.scrollHeight + 2}px`;
}
