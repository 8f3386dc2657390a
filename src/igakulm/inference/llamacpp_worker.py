"""The child process that holds llama.cpp; run as `python -m igakulm.inference.llamacpp_worker SETTINGS`.

Does: load one GGUF file, answer one JSON line on standard input with one JSON line on standard output, until the input
ends. Requests hold token ids (our files), or text or messages (foreign files; llama.cpp tokenises, and applies the
file's chat template), or texts of which only the ids are wanted. Does not: read requests from elsewhere, or open a
network port: the server inside xllamacpp listens on a Unix socket in the folder that the parent made for this user
alone, and with a random key.

llama.cpp ends the whole process when something is wrong with a file; that is why it lives here and not in the parent.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import socket
import sys
from pathlib import Path
from typing import Any, TextIO

_WITHOUT_LIMIT = {"top_k": 0, "top_p": 1.0, "min_p": 0.0, "samplers": ["temperature"], "cache_prompt": True}


def _socket_path(settings: dict[str, Any]) -> Path:
    return Path(settings["folder"]) / "llama.sock"


def _load(settings: dict[str, Any], key: str) -> Any:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = settings["path"]
    params.n_ctx = settings["context_length"]
    params.n_parallel = 1
    params.verbosity = 0
    params.warmup = False
    params.offline = True
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = settings["threads"]
    if settings["precise"]:
        params.cache_type_k = params.cache_type_v = int(xllamacpp.ggml_type.GGML_TYPE_F32)
        params.flash_attn_type = int(xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED)
    params.cache_ram_mib = 0
    # The defaults are a TCP port, every origin and an hour of patience.
    params.hostnames = [str(_socket_path(settings))]
    params.api_keys = [key]
    params.cors_origins = "http://127.0.0.1"
    params.ui = params.endpoint_slots = params.endpoint_metrics = params.endpoint_props = False
    return xllamacpp.Server(params)


def _body(request: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = {
        **_WITHOUT_LIMIT,
        "prompt": request["prompt"],
        "max_tokens": request["max_tokens"],
        "temperature": request.get("temperature", 0.0),
        "seed": request.get("seed", 0),
        # Ids come only with both keys; the text form loses tokens that are part of a character.
        "return_tokens": True,
        "verbose": True,
    }
    if request.get("top"):
        # llama.cpp keeps back the probabilities of a step whose token is half a character. A step that is made to
        # take the end token has them always; they are those before the bias.
        body |= {"n_probs": request["top"], "logit_bias": [[request["end"], 1e6]]}
    return body


def _answer(server: Any, request: dict[str, Any]) -> dict[str, Any]:
    reply = server.handle_completions(_body(request))
    if "error" in reply:
        return {"error": str(reply["error"].get("message", "llama.cpp refused the request"))}
    detail, choice = reply["__verbose"], reply["choices"][0]
    answer: dict[str, Any] = {"tokens": detail["tokens"], "ended": choice["finish_reason"] == "stop"}
    if request.get("top"):
        entries = choice["logprobs"]["content"][0]["top_logprobs"]
        wanted = set(request["wanted"]) if "wanted" in request else {entry["id"] for entry in entries}
        answer["top"] = [[entry["id"], entry["logprob"]] for entry in entries if entry["id"] in wanted]
    return answer


def _text_answer(server: Any, request: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = {
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
    return {"text": text or "", "count": reply["usage"]["completion_tokens"]}


class _Tokenizer(http.client.HTTPConnection):
    """The tokenizer inside, which the Python binding leaves out: asked over the server's own Unix socket."""

    def __init__(self, path: Path, key: str) -> None:
        super().__init__("localhost")
        self._path = path
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self._path))

    def ids(self, text: str) -> list[int] | None:
        """Ids of plain text, None where the tokenizer refuses it."""
        body = json.dumps({"content": text, "add_special": False, "parse_special": False})
        self.request("POST", "/tokenize", body, self._headers)
        reply = self.getresponse()
        content = reply.read()
        return json.loads(content)["tokens"] if reply.status == 200 else None


def _serve(settings: dict[str, Any], requests: TextIO, answers: TextIO) -> None:
    def send(value: dict[str, Any]) -> None:
        answers.write(json.dumps(value) + "\n")
        answers.flush()

    key = secrets.token_urlsafe(32)
    try:
        server = _load(settings, key)
    except Exception as error:
        send({"error": f"llama.cpp cannot load the file ({error})"})
        return
    send({"ready": True})
    tokenizer = _Tokenizer(_socket_path(settings), key)
    for line in requests:
        try:
            request = json.loads(line)
            if "tokenize" in request:
                send({"ids": [tokenizer.ids(text) for text in request["tokenize"]]})
                continue
            send((_answer if "prompt" in request else _text_answer)(server, request))
        except (KeyError, IndexError, TypeError, ValueError, OSError, http.client.HTTPException) as error:
            send({"error": f"unexpected answer of llama.cpp: {type(error).__name__} {error}"})


def main() -> None:
    """Answer requests until standard input ends."""
    os.environ.setdefault("GGML_NO_BACKTRACE", "1")
    # llama.cpp prints to file descriptor 1; answers get a descriptor that only they use.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    _serve(json.loads(sys.argv[1]), sys.stdin, answers)
    answers.close()
    # The threads of the server inside would outlive the interpreter's own shutdown.
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
