"""What the child process asks llama.cpp, and what it makes of the answers.

Does: build the body of a request from checked fields, turn llama.cpp's chunks into small messages. Does not: read or
write pipes (llamacpp_worker.py), or pass on fields that it does not know.
"""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xllamacpp import Server

_WITHOUT_LIMIT = {"top_k": 0, "top_p": 1.0, "min_p": 0.0, "samplers": ["temperature", "top_p"], "cache_prompt": True}
Line = dict[str, Any]


def _body(request: Line) -> Line:
    body: Line = {
        **_WITHOUT_LIMIT,
        "prompt": request["prompt"],
        "max_tokens": request["max_tokens"],
        "temperature": request.get("temperature", 0.0),
        "top_p": request.get("top_p", 1.0),
        "seed": request.get("seed", 0),
        # Ids come only with both keys; the text form loses tokens that are part of a character.
        "return_tokens": True,
        "verbose": True,
    }
    if "top" in request:
        body["n_probs"] = max(1, request["top"])
    if "grammar" in request:
        body["grammar"] = request["grammar"]
    if "end" in request:
        # llama.cpp keeps back the probabilities of a step whose token is half a character. A step that is made to
        # take the end token has them always; they are those before the bias.
        body["logit_bias"] = [[request["end"], 1e6]]
    return body


def stream(server: Server, request: Line, send: Callable[[Line], None], cancelled: Callable[[], bool]) -> None:
    """Send a message for every token; see `_Chunks`. Ends early, within one token, when `cancelled`."""
    chunks = _Chunks(request, send)

    def take(chunk: Line) -> bool:
        # An exception would be lost inside llama.cpp.
        try:
            return cancelled() or chunks.take(chunk)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            chunks.error = f"unexpected answer of llama.cpp: {type(error).__name__} {error}"
            return True

    body = _body(request) | {"stream": True, "return_progress": True}
    reply = server.handle_completions(body, take)
    if isinstance(reply, dict) and "error" in reply:
        chunks.take(reply)
    send({"error": chunks.error} if chunks.error else {"end": chunks.reason, "count": chunks.count})


class _Chunks:
    """Messages from the chunks of one stream.

    A message of a token has `token`, `count` (tokens so far, this one included), after tokens that llama.cpp kept back
    because they are parts of a character `text` (theirs and this token's), and where asked for `value` and `top`. While
    a prompt is read, `read` says how many of its tokens were.
    """

    def __init__(self, request: Line, send: Callable[[Line], None]) -> None:
        self._top, self._send = request.get("top"), send
        self._wanted = set(request["wanted"]) if "wanted" in request else None
        self.count, self.reason, self.error = 0, "cancelled", ""

    def take(self, chunk: Line) -> bool:
        """One chunk; True = no more are wanted."""
        if "error" in chunk:
            self.error = str(chunk["error"].get("message", "llama.cpp refused the request"))
            return True
        detail, choice = chunk["__verbose"], chunk["choices"][0]
        if "prompt_progress" in detail:  # its `tokens` are no tokens
            self._send({"read": detail["prompt_progress"].get("processed", 0)})
            return False
        if choice["finish_reason"]:
            self.count, self.reason = detail["tokens_predicted"], choice["finish_reason"]
            return False
        for token in detail["tokens"]:
            self._send({"token": token, "count": detail["tokens_predicted"], **self._more(detail, choice)})
        self.count = detail["tokens_predicted"]
        return False

    def _more(self, detail: Line, choice: Line) -> Line:
        more: Line = {}
        if detail["tokens_predicted"] > self.count + 1:
            more["text"] = choice["text"]
        if self._top is not None:
            entry = choice["logprobs"]["content"][0]
            top = [[item["id"], item["logprob"]] for item in entry["top_logprobs"] if item["logprob"] is not None]
            more["value"] = entry["logprob"]
            more["top"] = [pair for pair in top[: self._top] if self._wanted is None or pair[0] in self._wanted]
        return more


def answer(server: Server, request: Line) -> Line:
    """The answer in one piece to a prompt of token ids: `tokens`, also those that are parts of a character."""
    reply = server.handle_completions(_body(request))
    if "error" in reply:
        raise ValueError(str(reply["error"].get("message", "llama.cpp refused the request")))
    return {"tokens": reply["__verbose"]["tokens"]}


def text_answer(server: Server, request: Line) -> Line:
    """The answer to text or messages that llama.cpp tokenises: `text` with `count` and `cut`, `top`, or `refused`."""
    body: Line = {
        **_WITHOUT_LIMIT,
        "max_tokens": request["max_tokens"],
        "temperature": 0.0,
        "seed": 0,
        "stop": request.get("stop", []),
    }
    top = request.get("top")
    if top:
        body["logit_bias"] = [[request["end"], 1e6]]  # as in `_body`
    if "messages" in request:
        # Models that think aloud answer at once where their template lets them.
        body |= {"messages": request["messages"], "chat_template_kwargs": {"enable_thinking": False}}
        body |= {"logprobs": True, "top_logprobs": top} if top else {}
        try:
            reply = server.handle_chat_completions(body)
        except (ValueError, RuntimeError) as error:  # the chat template refuses the messages
            return {"refused": str(error).strip().splitlines()[-1]}
    else:
        reply = server.handle_completions({**body, "prompt": request["text"], **({"n_probs": top} if top else {})})
    if "error" in reply:
        return {"refused": str(reply["error"].get("message", "llama.cpp refused the request"))}
    choice = reply["choices"][0]
    if top:
        entries = choice["logprobs"]["content"][0]["top_logprobs"]
        letters = set(request["letters"])
        return {"top": [[entry["token"], entry["logprob"]] for entry in entries if entry["token"].strip() in letters]}
    text = choice["message"].get("content") if "messages" in request else choice["text"]
    cut = choice.get("finish_reason") == "length"
    return {"text": text or "", "count": reply["usage"]["completion_tokens"], "cut": cut}


class Tokenizer(http.client.HTTPConnection):
    """The tokenizer inside, which the Python binding leaves out: asked over the server's own Unix socket."""

    def __init__(self, path: Path, key: str) -> None:
        super().__init__("localhost")
        self._path = path
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def connect(self) -> None:
        """Open the Unix socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self._path))

    def ids(self, text: str) -> list[int] | None:
        """Ids of plain text, None where the tokenizer refuses it."""
        body = json.dumps({"content": text, "add_special": False, "parse_special": False})
        self.request("POST", "/tokenize", body, self._headers)
        reply = self.getresponse()
        content = reply.read()
        return json.loads(content)["tokens"] if reply.status == 200 else None
