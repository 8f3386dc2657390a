"""Every field of a request is checked."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from igakulm.serving.chat_request import BadRequest, ChatRequest, parse_chat_request

MESSAGES = [{"role": "user", "content": "熱があります"}]


def parse(**fields: Any) -> ChatRequest:
    return parse_chat_request(json.dumps({"messages": MESSAGES, **fields}).encode(), "m", 100)


def test_defaults_and_all_fields() -> None:
    assert parse() == ChatRequest(MESSAGES, 100, 0.0, 0, (), False, False)
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
        top_p=1.0,
        user="u",
        response_format={"type": "text"},
        logprobs=None,
    )
    roles = [{"role": "system", "content": "a"}, {"role": "assistant", "content": "bc"}]
    assert full == ChatRequest(roles, 7, 1.0, 2**32 - 1, ("。",), True, True)
    assert parse(max_tokens=9999).max_tokens == 100
    assert parse(max_completion_tokens=5, max_tokens=50).max_tokens == 5


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
    ({"stream_options": {"include_usage": "yes"}}, "include_usage"),
    ({"n": 2}, "n"),
    ({"top_p": 0.5}, "top_p"),
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
        parse_chat_request(body, "m", 100)
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
        request = parse_chat_request(json.dumps({"messages": MESSAGES, **fields}).encode(), "m", 100)
    except BadRequest as error:
        assert 400 <= error.status < 500
    else:
        assert 1 <= request.max_tokens <= 100 and 0 <= request.temperature <= 2
        assert all(set(message) == {"role", "content"} for message in request.messages)
