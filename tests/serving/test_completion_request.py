"""Completion requests: texts, token ids, and what is not done."""

from typing import Any

import pytest

from igakulm.serving.completion_request import parse_completion_request
from igakulm.serving.dispatcher import BadRequest


def parse(**fields: Any) -> Any:
    return parse_completion_request(fields, "m", 100, 50)


def test_prompts_and_defaults() -> None:
    assert parse(prompt="熱").prompt == parse(prompt=["熱"]).prompt == "熱"
    assert parse(prompt=[1, 49]).prompt == parse(prompt=[[1, 49]]).prompt == [1, 49]
    plain = parse(prompt="熱", echo=False, best_of=1, suffix=None).generation
    assert (plain.max_tokens, plain.sampling.top) == (16, None)
    assert parse(prompt="熱", logprobs=0).generation.sampling.top == 0
    assert parse(prompt="熱", max_tokens=5000).generation.max_tokens == 100


BAD: list[tuple[dict[str, Any], str]] = [
    ({}, "prompt"),
    ({"prompt": None}, "prompt"),
    ({"prompt": []}, "prompt"),
    ({"prompt": ["a", "b"]}, "prompt"),
    ({"prompt": [[1], [2]]}, "prompt"),
    ({"prompt": [50]}, "prompt"),
    ({"prompt": [-1]}, "prompt"),
    ({"prompt": [True]}, "prompt"),
    ({"prompt": [1.5]}, "prompt"),
    ({"prompt": [10**400]}, "prompt"),
    ({"prompt": "a", "logprobs": 6}, "logprobs"),
    ({"prompt": "a", "logprobs": True}, "logprobs"),
    ({"prompt": "a", "echo": True}, "echo"),
    ({"prompt": "a", "suffix": "b"}, "suffix"),
    ({"prompt": "a", "messages": []}, "messages"),
]


@pytest.mark.parametrize(("fields", "param"), BAD, ids=range(len(BAD)))
def test_bad_fields_are_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse(**fields)
    assert caught.value.param == param
