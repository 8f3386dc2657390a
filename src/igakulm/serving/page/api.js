// Requests to the server that sent this page, and its refusals in words for the people who use it.

import { byId } from "./dom.js";

let key = ""; // in memory only: gone with the page
let asking = null;

export class Failure extends Error {
  constructor(status, message, code = "") {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const BY_CODE = {
  context_length_exceeded: "文章が、このモデルの一度に読める長さを超えています。短くするか、分けて送ってください。",
  timed_out: "時間の上限に達したため、途中で打ち切りました。文章を短くして、もう一度お試しください。",
  engine_failed: "モデルの処理が止まったため、起動し直しています。数秒待ってから、もう一度お試しください。",
};
const BY_STATUS = {
  401: "APIキーが必要です。ページを読み込み直すと、入力できます。",
  403: "このページからの要求は受け付けられません。サーバーが起動時に表示したアドレスで開き直してください。",
  408: "送信に時間がかかりすぎました。もう一度お試しください。",
  413: "文章が長すぎて、サーバーが受け取れません。短くするか、分けて送ってください。",
  421: "このアドレスでは受け付けられません。サーバーが起動時に表示したアドレスで開き直してください。",
  429: "モデルはほかの依頼に答えていて、順番待ちもいっぱいです。少し待ってから、もう一度お試しください。",
  503: "いまモデルを使えません。数秒待ってから、もう一度お試しください。",
};
const NO_SERVER = "サーバーにつながりません。igakulm serve が動いているか、管理者に確かめてください。";

export function explain(status, error = {}) {
  // Tasks say so in words only.
  const code = /the model reads [\d,]+/.test(error.message) ? "context_length_exceeded" : error.code;
  const known = BY_CODE[code] ?? BY_STATUS[status];
  const detail = typeof error.message === "string" && error.message ? `：${error.message}` : "";
  if (known) return known;
  return status >= 500
    ? "サーバーで問題が起きました。管理者に知らせてください。"
    : `サーバーが受け付けませんでした${detail}`;
}

export async function getJson(path) {
  return (await ask(path, {})).json();
}

export async function postJson(path, body, signal) {
  return (await ask(path, posted(body, signal))).json();
}

// Yields the objects of a stream of server-sent events until "[DONE]".
export async function* postEvents(path, body, signal) {
  const response = await ask(path, posted(body, signal));
  let rest = "";
  for await (const text of chunks(response.body.pipeThrough(new TextDecoderStream()))) {
    const events = (rest + text).split("\n\n");
    rest = events.pop();
    for (const event of events) {
      const data = event
        .split("\n")
        .filter((line) => line.startsWith("data:"))
        .map((line) => line.slice(5).trim())
        .join("");
      if (data === "[DONE]") return;
      if (!data) continue;
      const value = JSON.parse(data);
      if (value.error) throw new Failure(503, explain(503, value.error), value.error.code);
      yield value;
    }
  }
  throw new Failure(0, "答えの途中で接続が切れました。もう一度お試しください。", "cut");
}

// Safari's streams are no async iterables.
async function* chunks(stream) {
  const reader = stream.getReader();
  try {
    for (let part = await read(reader); !part.done; part = await read(reader)) yield part.value;
  } finally {
    reader.cancel().catch(() => {});
  }
}

async function read(reader) {
  try {
    return await reader.read();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failure(0, "答えの途中で接続が切れました。もう一度お試しください。", "cut");
  }
}

function posted(body, signal) {
  return { method: "POST", signal, body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
}

async function ask(path, options) {
  let wrong = false;
  for (;;) {
    const sent = key;
    const headers = { ...options.headers, ...(sent && { Authorization: `Bearer ${sent}` }) };
    let response;
    try {
      response = await fetch(path, { ...options, headers, credentials: "omit", cache: "no-store" });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Failure(0, NO_SERVER, "unreachable");
    }
    if (response.ok) return response;
    const { error } = await response.json().catch(() => ({}));
    if (response.status !== 401) throw new Failure(response.status, explain(response.status, error), error?.code);
    wrong = sent !== "";
    // Another request may have got a new key meanwhile.
    if (sent === key)
      key = await (asking ??= askKey(wrong).finally(() => {
        asking = null;
      }));
    if (!key) throw new Failure(401, explain(401), "invalid_api_key");
  }
}

function askKey(wrong) {
  const dialog = byId("key-dialog");
  const input = byId("key");
  byId("key-wrong").hidden = !wrong;
  input.value = "";
  dialog.showModal();
  return new Promise((resolve) => {
    let given = "";
    byId("key-form").onsubmit = (event) => {
      event.preventDefault();
      given = input.value.trim().replace(/[^\x21-\x7e]/g, ""); // a header holds nothing else
      dialog.close();
    };
    byId("key-cancel").onclick = () => dialog.close();
    dialog.onclose = () => {
      input.value = "";
      resolve(given);
    };
  });
}
