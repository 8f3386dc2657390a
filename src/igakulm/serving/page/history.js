// The conversations that this browser keeps: open, export, delete, and where they are kept.

import { announce, byId, el } from "./dom.js";
import * as store from "./store.js";

// `chat`: {show(talk), shown()}, the conversation on the page.
export function startHistory(facts, chat) {
  const where = byId("keep");
  where.value = store.keptWhere();
  where.addEventListener("change", () => {
    store.keepIn(where.value);
    announce(where.selectedOptions[0].textContent);
  });
  byId("export").addEventListener("click", () => {
    const talk = chat.shown();
    if (talk.turns.length) save(`igakulm-${talk.at.slice(0, 10)}.md`, asText(talk, facts));
  });
  byId("delete-all").addEventListener("click", () => {
    if (!confirm("このブラウザーに残っている会話と、入力中の文章をすべて消します。よろしいですか。")) return;
    store.forgetAll();
    chat.show(store.fresh());
    announce("すべて消しました。");
  });

  function changed() {
    const kept = store.conversations();
    byId("history").hidden = !kept.length;
    byId("talks").replaceChildren(...kept.map(entry));
  }

  function entry(talk) {
    const title = talk.turns[0]?.question ?? "";
    const here = talk.id === chat.shown().id;
    return el(
      "li",
      {},
      el(
        "button",
        { type: "button", class: "plain", "aria-current": here ? "true" : null, click: () => chat.show(store.open(talk.id)) },
        el("span", { class: "title" }, title),
        el("span", { class: "quiet" }, new Date(talk.at).toLocaleString("ja")),
      ),
      el(
        "button",
        { type: "button", class: "plain", "aria-label": `「${title.slice(0, 20)}」の会話を消す`, click: () => drop(talk, here) },
        "消す",
      ),
    );
  }

  function drop(talk, here) {
    store.forget(talk.id);
    if (here) chat.show(store.fresh());
    else changed();
    announce("会話を消しました。");
  }

  return { changed };
}

// A conversation as a text that says by which model and when, and that it may be wrong.
export function asText(talk, facts) {
  const head = [`# ${talk.turns[0].question}`, "", ...origin(facts, new Date(talk.at)), ""];
  const system = talk.system ? ["## 指示", "", talk.system, ""] : [];
  const turns = talk.turns.flatMap((turn) => ["## 質問", "", turn.question, "", "## モデルの答え", "", turn.answer, ""]);
  return [...head, ...system, ...turns].join("\n");
}

// Lines that tell from where an answer is: also on paper.
export function origin(facts, when) {
  const digest = facts.digest ? `（ダイジェスト ${facts.digest.slice(0, 12)}）` : "";
  return [
    `- 日時：${when.toLocaleString("ja")}`,
    `- モデル：${facts.name ?? "不明"}${digest}`,
    "- 答えは誤ることがあります。診断や治療の判断には使えません。",
  ];
}

function save(name, text) {
  const link = el("a", { download: name, href: URL.createObjectURL(new Blob([text], { type: "text/markdown" })) });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
