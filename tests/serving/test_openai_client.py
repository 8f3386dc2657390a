"""The official client: answers, streams, structured output, log-probabilities, and its kinds of errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from http_server import running
from igakulm.inference.model import Model
from igakulm.serving.keys import Keys
from igakulm.serving.server import Limits, Options, app_of
from scripted_engine import ScriptedEngine
from tiny_bundle import encoder

openai: Any = pytest.importorskip("openai", reason="the official client is not installed (pip install openai)")
TINY = encoder()
SAY = "糖尿病です。囊胞も診ます。"
KEY = "0123456789abcdef"
ASK = [{"role": "user", "content": "熱は？"}]


@contextmanager
def client(engine: ScriptedEngine | None = None, key: str = KEY, **limits: float) -> Iterator[Any]:
    opened = Model(engine or ScriptedEngine(TINY, SAY), TINY, "tiny", "scripted")
    app = app_of(opened, Options(Keys(KEY), limits=Limits(**limits)))  # type: ignore[arg-type]
    with running(app) as address, openai.OpenAI(base_url=f"{address}/v1", api_key=key, max_retries=0) as web:
        yield web


def test_models_chats_and_completions() -> None:
    with client() as web:
        assert [model.id for model in web.models.list()] == ["tiny"]
        assert web.models.retrieve("tiny").owned_by == "igakulm"
        chat = web.chat.completions.create(model="tiny", messages=ASK, seed=3, top_p=0.5, temperature=0.7)
        assert chat.choices[0].message.content == SAY and chat.choices[0].finish_reason == "stop"
        assert chat.usage.total_tokens == chat.usage.prompt_tokens + len(TINY.encode(SAY))
        for prompt in ("糖尿病", TINY.encode("糖尿病")):
            done = web.completions.create(model="tiny", prompt=prompt, stop="囊胞", max_tokens=100)
            assert done.choices[0].text == "糖尿病です。" and done.choices[0].finish_reason == "stop"


def test_streams() -> None:
    with client() as web:
        events = list(
            web.chat.completions.create(
                model="tiny", messages=ASK, stream=True, stream_options={"include_usage": True}, logprobs=True
            )
        )
        texts = [event.choices[0].delta.content or "" for event in events if event.choices]
        assert "".join(texts) == SAY and events[-1].usage.completion_tokens == len(TINY.encode(SAY))
        entries = [
            entry for e in events if e.choices and e.choices[0].logprobs for entry in e.choices[0].logprobs.content
        ]
        assert b"".join(bytes(entry.bytes) for entry in entries).decode() == SAY
        parts = list(web.completions.create(model="tiny", prompt="糖", stream=True, max_tokens=100))
        assert "".join(part.choices[0].text for part in parts) == SAY
        assert parts[-1].choices[0].finish_reason == "stop"


def test_log_probabilities() -> None:
    with client() as web:
        chat = web.chat.completions.create(model="tiny", messages=ASK, logprobs=True, top_logprobs=2)
        entries = chat.choices[0].logprobs.content
        assert [len(entry.top_logprobs) for entry in entries] == [2] * len(TINY.encode(SAY))
        assert b"".join(bytes(entry.bytes) for entry in entries).decode() == SAY
        assert {entry.logprob for entry in entries} == {-0.5}
        done = web.completions.create(model="tiny", prompt="糖", logprobs=1, max_tokens=100).choices[0]
        assert len(done.logprobs.tokens) == len(done.logprobs.token_logprobs) == len(entries)
        whole = [(o, t) for o, t in zip(done.logprobs.text_offset, done.logprobs.tokens, strict=True) if ":" not in t]
        assert whole and all(done.text.startswith(token, offset) for offset, token in whole)


def test_structured_output() -> None:
    from pydantic import BaseModel

    class Drug(BaseModel):
        name: str

    class Record(BaseModel):
        drugs: list[Drug]

    engine = ScriptedEngine(TINY, '{"drugs": [{"name": "インスリン"}]}')
    with client(engine) as web:
        record = (
            web.chat.completions.parse(model="tiny", messages=ASK, response_format=Record).choices[0].message.parsed
        )
        assert record == Record(drugs=[Drug(name="インスリン")])
        held = engine.samplings[0].constraint
        assert held is not None and held.schema["properties"]["drugs"]["items"]["properties"] == {
            "name": {"type": "string"}
        }


def test_errors_have_the_clients_types() -> None:
    with client(body_bytes=4000) as web:
        with pytest.raises(openai.NotFoundError):
            web.chat.completions.create(model="gpt-4", messages=ASK)
        with pytest.raises(openai.BadRequestError) as caught:
            web.chat.completions.create(model="tiny", messages=ASK, tools=[])
        assert caught.value.param == "tools" and caught.value.code == "unsupported_parameter"
        with pytest.raises(openai.APIStatusError) as large:
            web.completions.create(model="tiny", prompt="x" * 5000)
        assert large.value.status_code == 413
    with client(key="x" * 20) as web, pytest.raises(openai.AuthenticationError):
        web.models.list()
    engine = ScriptedEngine(TINY, SAY)
    engine.dies_after = 0
    with client(engine) as web:
        for stream in (False, True):
            with pytest.raises(openai.InternalServerError) as failed:
                web.chat.completions.create(model="tiny", messages=ASK, stream=stream)
            assert failed.value.status_code == 503 and failed.value.response.headers["retry-after"]
        engine.dies_after = 3
        with pytest.raises(openai.APIError, match="failed"):
            list(web.chat.completions.create(model="tiny", messages=ASK, stream=True))
        engine.dies_after = None
        assert web.chat.completions.create(model="tiny", messages=ASK).choices[0].message.content == SAY
        assert engine.running == 0
