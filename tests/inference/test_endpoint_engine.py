"""The engine over a server: a real llama.cpp server, and a local server that answers in vLLM's form."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from igakulm.asking.llamacpp_server import API_KEY_VARIABLE, serve_gguf
from igakulm.bundle.gguf import write_gguf
from igakulm.errors import InputError
from igakulm.inference.constraint import JsonSchema
from igakulm.inference.endpoint_engine import EndpointEngine, open_endpoint
from igakulm.inference.engine import EndpointFailed, EngineFailed, Sampling, Step
from igakulm.inference.llamacpp import available
from igakulm.inference.transformers import TransformersEngine, load_engine
from tiny_bundle import encoder, write_model

FIRST_PART = 4 + 128
PROMPTS = [[300, 301, 5], [400, 410, 420, 430], [7]]
OPTIONS = [[[300, 301], [302], []], [[410, 8, 9]], [[400], [401]]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def original(folder: Path) -> TransformersEngine:
    return load_engine(folder, device="cpu")


class VllmForm:
    """A server on loopback that answers completions as vLLM does, from a real engine; remembers what it was asked."""

    def __init__(self, engine: TransformersEngine) -> None:
        self.engine, self.bodies = engine, list[dict[str, Any]]()
        self.status, self.broken, self.left = 200, False, threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                pass

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.bodies.append({**body, "key": self.headers.get("Authorization")})
                if outer.status != 200:
                    self._send(outer.status, b'{"error": {"message": "Bearer secret is wrong"}}')
                elif body.get("stream"):
                    self.send_response(200)
                    self.send_header("Content-Type", "text/event-stream; charset=utf-8")
                    self.end_headers()
                    try:
                        for step in outer.steps(body):
                            chunk = {"choices": [outer.choice([step], None)]}
                            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
                        last = {"text": "", "token_ids": [], "finish_reason": "stop"}
                        self.wfile.write(f"data: {json.dumps({'choices': [last]})}\n\n".encode())
                        self.wfile.write(b"data: [DONE]\n\n")
                    except OSError:
                        outer.left.set()
                else:
                    choice = outer.choice(list(outer.steps(body)), body) | {"finish_reason": "stop"}
                    self._send(200, json.dumps({"choices": [choice]}).encode())

            def _send(self, status: int, content: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"

    def steps(self, body: dict[str, Any]) -> Iterator[Step]:
        """What the model says, the stop token included, as vLLM does."""
        how = Sampling(body["temperature"], body["top_p"], body["seed"], body.get("logprobs", 0))
        prompt = body["prompt"]
        for step in self.engine.stream(prompt[: self.engine.context_length - 1], body["max_tokens"], [], how):
            yield step
            if step.token in body["stop_token_ids"]:
                return

    def choice(self, steps: list[Step], body: dict[str, Any] | None) -> dict[str, Any]:
        if self.broken:
            return {"text": "?", "finish_reason": None}
        found: dict[str, Any] = {"text": "?", "token_ids": [step.token for step in steps], "finish_reason": None}
        found["logprobs"] = {
            "token_logprobs": [step.log_probability for step in steps],
            "top_logprobs": [{f"token_id:{token}": value for token, value in step.top} for step in steps],
        }
        if body and "prompt_logprobs" in body:
            ids = body["prompt"]
            known = [self.engine.next_log_probabilities(ids[:place])[ids[place]] for place in range(1, len(ids))]
            values = [{str(token): {"logprob": value}} for token, value in zip(ids[1:], known, strict=True)]
            found["prompt_logprobs"] = [None, *values]
        return found


@pytest.fixture
def vllm(original: TransformersEngine) -> Iterator[VllmForm]:
    server = VllmForm(original)
    yield server
    server.server.shutdown()
    server.server.server_close()


def check_against(original: TransformersEngine, engine: EndpointEngine, parts: bool) -> None:
    whole = original.generate(PROMPTS, 30, [])
    stop = [whole[0][9], encoder().eos]
    done: list[int] = []
    assert engine.generate(PROMPTS, 30, stop, done=done.append) == original.generate(PROMPTS, 30, stop)
    assert sum(done) == len(PROMPTS)
    for mine, other in zip(original.score(PROMPTS, OPTIONS), engine.score(PROMPTS, OPTIONS), strict=True):
        for one, two in zip(mine, other, strict=True):
            assert two.tokens == one.tokens
            assert two.log_probability == pytest.approx(one.log_probability, abs=5e-3)
    asked = Sampling(top=3)
    said = zip(original.stream([300, 5], 9, [], asked), engine.stream([300, 5], 9, [], asked), strict=True)
    for expected, step in said:
        assert step.token == expected.token
        if not parts and step.log_probability is None:
            assert FIRST_PART <= step.token < FIRST_PART + 128, "only parts of characters have none"
            continue
        assert step.log_probability == pytest.approx(expected.log_probability, abs=5e-3)
        assert [value for _, value in step.top] == pytest.approx([value for _, value in expected.top], abs=5e-3)
    sampled = Sampling(temperature=1.0, top_p=0.9, seed=3)
    assert list(engine.stream([5, 300], 9, [], sampled)) == list(engine.stream([5, 300], 9, [], sampled))


def test_vllm_form(original: TransformersEngine, vllm: VllmForm) -> None:
    engine = open_endpoint(vllm.url, "m", 256, "secret")
    check_against(original, engine, parts=True)
    assert {body["key"] for body in vllm.bodies} == {"Bearer secret"}
    assert all(isinstance(token, int) for body in vllm.bodies for token in body["prompt"])
    stream = engine.stream([300, 5], 250, [])
    assert len(list(islice(stream, 2))) == 2
    stream.close()  # type: ignore[attr-defined]
    assert vllm.left.wait(60), "a closed stream closes its connection"
    engine.close()


def test_what_servers_refuse_and_break(vllm: VllmForm) -> None:
    engine = open_endpoint(vllm.url, "m", 256, "secret")
    with pytest.raises(InputError, match="the model reads 256"):
        next(engine.stream([5] * 300, 1, []))
    for status, error in (
        (400, InputError),
        (401, InputError),
        (404, InputError),
        (429, EngineFailed),
        (500, EngineFailed),
    ):
        vllm.status = status
        for call in (lambda: next(engine.stream([5], 1, [])), lambda: engine.score([[5]], [[[6]]])):
            with pytest.raises(error) as caught:
                call()
            assert "[key]" in str(caught.value) and "secret" not in str(caught.value)
    vllm.status, vllm.broken = 200, True
    with pytest.raises(InputError, match="does not return token ids"):
        next(engine.stream([5], 1, []))
    nobody = open_endpoint("http://127.0.0.1:9/v1", "m", 256)
    with pytest.raises(EndpointFailed, match="no answer from"):
        next(nobody.stream([5], 1, []))


def test_a_server_that_answered_once_is_not_refused_for_its_key(vllm: VllmForm) -> None:
    engine = open_endpoint(vllm.url, "m", 256, "secret")
    next(engine.stream([5], 1, []))
    vllm.status = 401
    with pytest.raises(EndpointFailed, match="401"):
        next(engine.stream([5], 1, []))
    assert not engine.alive
    vllm.status = 200
    next(engine.stream([5], 1, []))
    assert engine.alive


@pytest.mark.skipif(not available(), reason="xllamacpp is not installed (extra llamacpp)")
def test_llamacpp_server(
    folder: Path, original: TransformersEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_gguf(folder, tmp_path / "model.gguf", "f32", "tiny")
    monkeypatch.setenv(API_KEY_VARIABLE, "secret")
    with serve_gguf(tmp_path / "model.gguf", 256, slots=2, threads=1) as url:
        engine = open_endpoint(url, "m", 256, "secret", lanes=2)
        check_against(original, engine, parts=False)
        schema = {"type": "array", "items": {"enum": ["囊胞", "糖尿病"]}, "minItems": 1, "maxItems": 2}
        steps = engine.stream([300, 5], 200, [encoder().eos], Sampling(constraint=JsonSchema(schema)))
        assert set(json.loads(encoder().decode([step.token for step in steps]))) <= {"囊胞", "糖尿病"}
        with pytest.raises(InputError, match="401"):
            next(open_endpoint(url, "m", 256).stream([5], 1, []))
