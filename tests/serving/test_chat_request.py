"""Every field of a request is checked."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from igakulm.inference.constraint import JsonSchema
from igakulm.inference.engine import Sampling
from igakulm.serving.chat_request import ChatRequest, parse_chat_request
from igakulm.serving.dispatcher import BadRequest, parse_json
from igakulm.serving.request_fields import Generation

MESSAGES = [{"role": "user", "content": "熱があります"}]


def parse(**fields: Any) -> ChatRequest:
    body = json.dumps({"messages": MESSAGES, **fields}).encode()
    return parse_chat_request(parse_json(body), "m", 100)


def test_defaults_and_all_fields() -> None:
    assert parse() == ChatRequest(MESSAGES, Generation(100, Sampling(), (), False, False))
    full = parse(
        model="m",
        messages=[
            {"role": "developer", "content": "a", "name": "x"},
            {"role": "assistant", "content": [{"type": "text", "text": "b"}, {"type": "text", "text": "c"}]},
        ],
        max_tokens=7,
        temperature=1,
        seed=-1,
        stop="。",
        stream=True,
        stream_options={"include_usage": True},
        n=1,
        top_p=0.25,
        user="u",
        response_format={"type": "text"},
        logprobs=True,
        top_logprobs=3,
    )
    roles = [{"role": "system", "content": "a"}, {"role": "assistant", "content": "bc"}]
    sampling = Sampling(temperature=1.0, top_p=0.25, seed=2**32 - 1, top=3)
    assert full == ChatRequest(roles, Generation(7, sampling, ("。",), True, True))
    assert parse(max_tokens=9999).generation.max_tokens == 100
    assert parse(max_completion_tokens=5, max_tokens=50).generation.max_tokens == 5
    assert parse(logprobs=True).generation.sampling.top == 0
    assert parse(logprobs=None, top_logprobs=None, n=None).generation.sampling.top is None
    assert parse(response_format={"type": "json_object"}).generation.sampling.constraint == JsonSchema(
        {"type": "object"}
    )


BAD: list[tuple[dict[str, Any], str]] = [
    ({"messages": []}, "messages"),
    ({"messages": "x"}, "messages"),
    ({"messages": MESSAGES * 65}, "messages"),
    ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
    ({"messages": [{"role": ["user"], "content": "x"}]}, "messages[0].role"),
    ({"messages": ["x"]}, "messages[0].role"),
    ({"messages": [*MESSAGES, {"role": "user"}]}, "messages[1].content"),
    ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": []}]}, "messages[0].content"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"max_tokens": "5"}, "max_tokens"),
    ({"max_tokens": True}, "max_tokens"),
    ({"max_completion_tokens": 1.5}, "max_completion_tokens"),
    ({"temperature": -0.1}, "temperature"),
    ({"temperature": 2.1}, "temperature"),
    ({"temperature": True}, "temperature"),
    ({"temperature": 1e999}, None),  # type: ignore[list-item]
    ({"seed": "x"}, "seed"),
    ({"stop": ""}, "stop"),
    ({"stop": ["a"] * 5}, "stop"),
    ({"stop": ["a" * 65]}, "stop"),
    ({"stop": [1]}, "stop"),
    ({"stop": {"a": 1}}, "stop"),
    ({"stream": 1}, "stream"),
    ({"stream_options": [1]}, "stream_options"),
    ({"stream": True, "stream_options": {"include_usage": "yes"}}, "stream_options.include_usage"),
    ({"n": 2}, "n"),
    ({"n": True}, "n"),
    ({"top_p": 1.5}, "top_p"),
    ({"logprobs": 1}, "logprobs"),
    ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
    ({"top_logprobs": 1}, "top_logprobs"),
    ({"response_format": "json"}, "response_format"),
    ({"tools": []}, "tools"),
    ({"grammar": "root ::= x"}, "grammar"),
    ({"model": "gpt-4"}, "model"),
]


@pytest.mark.parametrize(("fields", "param"), BAD, ids=[json.dumps(fields)[:40] for fields, _ in BAD])
def test_bad_fields_are_named(fields: dict[str, Any], param: str | None) -> None:
    with pytest.raises(BadRequest) as caught:
        parse(**fields)
    assert caught.value.param == param


def test_a_slip_gets_a_suggestion() -> None:
    with pytest.raises(BadRequest, match="did you mean 'temperature'"):
        parse(temprature=1)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b'{"messages": NaN}', b"1" * 5000])
def test_bodies_that_are_no_objects(body: bytes) -> None:
    with pytest.raises(BadRequest) as caught:
        parse_json(body)
    assert caught.value.code == "invalid_json"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(
    ["messages", "model", "max_tokens", "temperature", "seed", "stop", "stream", "stream_options", "n"]
)


@given(st.dictionaries(NAMES | st.text(max_size=4), VALUES, max_size=5))
def test_no_body_gets_past_the_checks_or_raises_anything_else(fields: dict[str, Any]) -> None:
    try:
        request = parse(**fields)
    except BadRequest as error:
        assert 400 <= error.status < 500
    else:
        assert 1 <= request.generation.max_tokens <= 100 and 0 <= request.generation.sampling.temperature <= 2
        assert all(set(message) == {"role", "content"} for message in request.messages)


def test_lone_surrogates_become_the_replacement_character_and_pairs_stay() -> None:
    value = parse_json(b'{"a": ["\\ud800x", "\\ud83d\\ude00", "\\\\ud800"], "\\udfff": 1}')
    assert value == {"a": ["\ufffdx", "😀", "\\ud800"], "\ufffd": 1}
