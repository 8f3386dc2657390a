"""Masks beside a slow oracle, and the same held answers from every engine."""

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from igakulm.bundle.gguf import write_gguf
from igakulm.inference.constraint import Constraint, JsonSchema, ListOf, units
from igakulm.inference.engine import Sampling
from igakulm.inference.llamacpp import LlamaCppEngine, available
from igakulm.inference.llamacpp_pieces import Pieces
from igakulm.inference.masks import Guide
from igakulm.inference.transformers import TransformersEngine, load_engine
from tiny_bundle import encoder, write_model

TINY = encoder()
BYTES = [TINY.token_bytes(token) for token in range(TINY.size)]
GUIDE = Guide(BYTES)
RECORD = 'ECTで1.5mg。「発熱」"咳"と\\n\n囊胞、体温37.5℃'
ITEM = re.compile(r'"(?:[^"\\]|\\.)*"')


def begins_a_list(text: str, document: str) -> bool:
    """Whether a text can be gone on with to a list of runs of the document's units (slow, from the definition)."""
    parts = units(document)
    places = [(i, j) for i in range(len(parts)) for j in range(i + 1, len(parts) + 1)]
    runs = {json.dumps("".join(parts[i:j]), ensure_ascii=False) for i, j in places}
    beginnings = {run[:k] for run in runs for k in range(len(run) + 1)}
    if text in ("", "[", "[]"):
        return True
    if not text.startswith("["):
        return False
    rest = text[1:]
    while True:
        found = ITEM.match(rest)
        if not found:
            return rest in beginnings
        if found[0] not in runs:
            return False
        rest = rest[found.end() :]
        if rest in ("", "]"):
            return True
        if not rest.startswith(","):
            return False
        rest = rest[1:].removeprefix(" ")


def walk(constraint: Constraint, rng: random.Random, most: int = 60) -> Iterator[tuple[bytes, int, bool]]:
    """Random walks: what was written, a token, and whether the mask allows it."""
    matcher, made = GUIDE.matcher(constraint, [TINY.eos]), b""
    while not matcher.ended and most:
        allowed = np.frombuffer(matcher.allowed(), np.uint8)
        assert allowed.any() and all(matcher.allows(int(token)) for token in np.flatnonzero(allowed)[:20])
        for token in rng.sample(range(TINY.size), 12):
            assert matcher.allows(token) == bool(allowed[token])
            yield made, token, bool(allowed[token])
        token = int(rng.choice(np.flatnonzero(allowed)))
        if token == TINY.eos:
            return
        matcher.take(token)
        made, most = made + BYTES[token], most - 1


def test_masks_allow_what_the_oracle_allows() -> None:
    rng, seen = random.Random(1), 0
    for _ in range(12):
        for made, token, allowed in walk(ListOf(RECORD), rng):
            try:
                text = (made + BYTES[token]).decode()
            except UnicodeDecodeError:
                continue  # half a character
            assert allowed == (bool(BYTES[token]) and begins_a_list(text, RECORD)), (text, token)
            seen += 1
    assert seen > 500


def test_any_list_is_json() -> None:
    rng = random.Random(2)
    for _ in range(20):
        matcher, made = GUIDE.matcher(ListOf()), b""
        while not matcher.ended and len(made) < 400:
            allowed = np.flatnonzero(np.frombuffer(matcher.allowed(), np.uint8))
            closing = [token for token in allowed if BYTES[token] in (b'"', b"]", b'",', b'"]')]
            token = int(rng.choice(closing or allowed) if rng.random() < 0.3 else rng.choice(allowed))
            matcher.take(token)
            made += BYTES[token]
        assert not matcher.ended or all(isinstance(item, str) for item in json.loads(made.decode()))


@given(st.text(max_size=60), st.lists(st.tuples(st.integers(0, 60), st.integers(1, 12)), max_size=4))
@settings(max_examples=60, deadline=None)
def test_every_list_of_runs_of_the_document_can_be_written(document: str, cuts: list[tuple[int, int]]) -> None:
    document = document.encode("utf-8", "replace").decode()
    parts = units(document)
    items = ["".join(parts[start : start + length]) for start, length in cuts if parts[start : start + length]]
    matcher = GUIDE.matcher(ListOf(document))
    for token in TINY.encode(json.dumps(items, ensure_ascii=False)):
        matcher.take(token)
    assert matcher.ended


def test_what_does_not_stand_in_the_document_is_refused() -> None:
    for wrong in ("CT", "5mg", "1", "発咳", "", "37"):
        matcher = GUIDE.matcher(ListOf(RECORD))
        with pytest.raises(ValueError, match="not allowed"):
            for token in TINY.encode(json.dumps([wrong], ensure_ascii=False)):
                matcher.take(token)


def test_a_list_that_goes_round_ends() -> None:
    matcher, made = GUIDE.matcher(ListOf(RECORD)), 0
    for token in TINY.encode('["発熱", ' + '"咳", ' * 60):
        if matcher.ended:
            break
        matcher.take(token)
        made += 1
    assert matcher.ended and made < 80


def test_ends_are_allowed_only_where_an_answer_is_complete() -> None:
    matcher = GUIDE.matcher(JsonSchema({"type": "integer"}), [TINY.eos])
    assert not matcher.allows(TINY.eos) and not matcher.allowed()[TINY.eos]
    matcher.take(TINY.encode("1")[0])
    assert matcher.allows(TINY.eos) and matcher.allowed()[TINY.eos] and not matcher.allows(TINY.user)


def test_nothing_stands_in_an_empty_document() -> None:
    matcher = GUIDE.matcher(ListOf(""))
    matcher.take(TINY.encode("[")[0])
    assert {BYTES[int(token)] for token in np.flatnonzero(np.frombuffer(matcher.allowed(), np.uint8))} == {b"]"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("held"), max_position_embeddings=600)


@pytest.fixture(scope="module")
def engine(folder: Path) -> TransformersEngine:
    return load_engine(folder, device="cpu")


PROMPTS = [[1, *range(300 + 7 * n, 330 + 9 * n)] for n in range(5)]
HELD = [ListOf(RECORD), ListOf(), ListOf(RECORD * 3), ListOf("咳"), ListOf("")]


def test_batches_and_streams_hold_alike(engine: TransformersEngine) -> None:
    made = engine.generate(PROMPTS, [40, 41, 42, 43, 44], [TINY.eos], constraints=HELD)
    for prompt, most, held, answer in zip(PROMPTS, range(40, 45), HELD, made, strict=True):
        steps = engine.stream(prompt, most, [TINY.eos], Sampling(constraint=held))
        assert [step.token for step in steps] == answer and len(answer) <= most
        text = TINY.decode(answer)
        if held.document is not None and text.endswith("]"):
            assert all(item in held.document for item in json.loads(text))
    assert engine.generate(PROMPTS, 10, [TINY.eos]) == [
        answer[:10] for answer in engine.generate(PROMPTS, 40, [TINY.eos])
    ]


@pytest.mark.skipif(not available(), reason="xllamacpp is not installed (extra llamacpp)")
def test_llamacpp_writes_the_same(folder: Path, engine: TransformersEngine, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    write_gguf(folder, path, "f32", "tiny")
    assert Pieces.read(path).bytes[: TINY.size] == BYTES
    expected = engine.generate(PROMPTS, 40, [TINY.eos], constraints=HELD)
    with LlamaCppEngine(path, threads=1, precise=True) as other:
        assert other.generate(PROMPTS, 40, [TINY.eos], constraints=HELD) == expected
