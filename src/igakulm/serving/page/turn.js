// One question with its answer, as elements: streamed text, remarks, what can be done with them.

import { announce, copyText, el } from "./dom.js";

const SENTENCE = /^[\s\S]*[。！？!?\n]/;

// `does`: {edit(view), again(view)}, what the buttons of a finished turn call.
export function showTurn(log, question, does) {
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
  const view = {
    question,
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
    remarks: () => [...foot.querySelectorAll("span")].map((part) => part.textContent),
    remove() {
      asked.remove();
      article.remove();
    },
    end(answer) {
      const follow = atEnd();
      waiting.remove();
      article.removeAttribute("aria-busy");
      if (unread) announce(unread);
      unread = "";
      if (!answer) return;
      asked.append(
        el(
          "button",
          { type: "button", class: "plain edit", "aria-label": "この質問を書き直す", click: () => does.edit(view) },
          "書き直す",
        ),
      );
      const copy = el(
        "button",
        { type: "button", class: "plain", "aria-label": "この答えをコピー", click: () => copyText(answer, copy) },
        "コピー",
      );
      const again = el(
        "button",
        { type: "button", class: "plain again", "aria-label": "別の答えを作る", click: () => does.again(view) },
        "別の答え",
      );
      foot.prepend(copy, again);
      if (follow) toEnd();
    },
  };
  return view;
}

const toEnd = () => window.scrollTo(0, document.body.scrollHeight);

function atEnd() {
  return window.innerHeight + window.scrollY >= document.body.scrollHeight - 80;
}
