"""Lists written as text: what Python would make of them, and that no text, however odd, stops the reader."""

from __future__ import annotations

import ast
import random
import time

import pytest

from igakulm.text.literals import MAX_CHARACTERS, python_list, string_list


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("['発熱', '咳']", ["発熱", "咳"]),
        (" \t['発熱']\n", ["発熱"]),
        ("['発熱']  # 以上", ["発熱"]),
        ("[\n '発熱',\n]", ["発熱"]),
        ("['発' '熱']", ["発熱"]),
        ("[1, 2.5, -3, None, True, ('a',), b'x', 1j]", [1, 2.5, -3, None, True, ("a",), b"x", 1j]),
        ("[['咳'], {'a': 1}]", [["咳"], {"a": 1}]),
        ("[]", []),
        ("['a'] + ['b'] + []", ["a", "b"]),
        ("['a'] * 2", ["a", "a"]),
        ("2 * (['a'] + ['b'])", ["a", "b", "a", "b"]),
        ("['a'] * -1", []),
        (r"['\d']", [r"\d"]),
    ],
)
def test_what_python_makes_of_it(text: str, values: list[object]) -> None:
    assert python_list(text) == values


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[true]",
        "[null]",
        "発熱、咳",
        "[発熱]",
        "回答: ['咳']",
        "\u3000['咳']",
        "['咳'] です",
        "```python\n['咳']\n```",
        "('a', 'b')",
        "{'a'}",
        "'咳'",
        "'咳' * 2",
        "['a'] + 1",
        "['a'] * 1.5",
        "['a'] * ['b']",
        "['a'] - ['b']",
        "['a'] * 1000000000",
        "['a'",
        "['a\x00']",
        "['\ud800']",
        "[" + "1" * 5_000 + "]",
        "list('ab')",
        "[x for x in 'ab']",
        "[__import__('os').getcwd()]",
    ],
)
def test_what_is_no_list_of_literals(text: str) -> None:
    assert python_list(text) is None


def test_random_literals_are_read_as_python_reads_them() -> None:
    generator = random.Random(3)

    def value(depth: int) -> object:
        simple = ["咳", "", "it's", '"', "\\", "\n", 0, 1, -7, 10**40, 0.5, 1e300, None, True, b"\xff", 3 - 2j]
        kind = generator.randrange(4) if depth else 0
        inner = [value(depth - 1) for _ in range(generator.randrange(3))] if kind else []
        return [generator.choice(simple), inner, tuple(inner), {str(place): part for place, part in enumerate(inner)}][
            kind
        ]

    for _ in range(300):
        values = [value(2) for _ in range(generator.randrange(4))]
        assert python_list(repr(values)) == values == ast.literal_eval(repr(values))


@pytest.mark.parametrize(
    "piece", ["[", "(", "{1:", "-", "not ", "a.", "a[", "lambda:", "1if 1else ", "'a' ", "['a']+", "f'{", "\\", "1**"]
)
@pytest.mark.parametrize("start", ["", "['咳', "])
def test_deep_nesting_neither_stops_nor_hangs(piece: str, start: str) -> None:
    begun = time.process_time()
    for length in (MAX_CHARACTERS - 10, 100_000):
        text = start + piece * (length // len(piece))
        assert python_list(text) is None
        assert string_list(text) is None
    assert time.process_time() - begun < 10


def test_tolerant_strings_can_be_written_to_a_file() -> None:
    assert string_list('["\\ud83d", "\\ud83d\\ude00"]') == ("\ufffd", "😀")
    assert string_list("[0x" + "f" * 5_000 + "]") is None
