"""One model, one item, one answer: evaluation, batch, HTTP and llama.cpp give the same letters, texts and places.

For a model with a tokenizer of ours and for one with an adopted tokenizer. transformers and llama.cpp compute alike up
to rounding: where they differ, the two answers must part at a token whose two candidates lie within `MARGIN` nats, and
the test prints it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from foreign_models import open_model as write_foreign_model
from foreign_tokenizers import CHATML, byte_level
from igakulm.answering.extraction import Asking, Extraction, pieces
from igakulm.answering.options import answer_ids
from igakulm.answering.tasks import extract
from igakulm.bundle.export import export
from igakulm.evaluation.ask_items import Reply, ask
from igakulm.evaluation.ask_tokens import frame_of
from igakulm.evaluation.kept import KeptAnswers
from igakulm.evaluation.manner import Manner
from igakulm.inference.constraint import ListOf
from igakulm.inference.llamacpp import available
from igakulm.inference.model import Model
from igakulm.inference.open import open_model
from igakulm.progress import SilentProgress
from igakulm.recipe.schema import ExportSection
from igakulm.serving.batch_extract import BatchOptions, batch_extract
from igakulm.serving.server import Options, app_of
from igakulm.tasks.items import LETTERS, Item
from igakulm.tasks.layouts import Task, write_tasks
from igakulm.tasks.prompts import chat_prompt
from igakulm.text.preparation import write_preparation
from igakulm.tokenizer.adopt import adopt
from tiny_bundle import write_model

pytestmark = pytest.mark.skipif(not available(), reason="xllamacpp is not installed (extra llamacpp)")

MARGIN = 1e-3
"""Nats between two candidates, below which engines may choose differently."""
BEFORE, AFTER = "所見は。\n「", "」"
POSTS = (("A", "咳がある"), ("B", "咳がない"), ("C", "わからない"))
TASKS = [
    Task("findings", "extract", "所見", "Findings", BEFORE, suffix=AFTER, kind_of_item="finding", longest=60),
    Task("posts", "classify", "投稿", "Posts", "咳は？\n「", suffix="」", options=POSTS),
]
SPREAD = 0.6
"""Of random weights: large enough that some answers are long, and their tokens far apart."""
RECORDS = [
    "糖尿病の患者は塩分を控え、血圧を測る。",
    "ＨｂＡ１ｃ　７．２％、血圧１２０／８０ｍｍＨｇ（臥位）。ﾃﾞｰﾀ①。",
    "１２．３ＫＣＲＰ上昇と“発熱”。\n3か月ごとに\\検査。",
    "".join(f"{n}日目は咳が出た。体温３７．{n}℃、朝の市場では魚の匂い。" for n in range(6)),
]
QUESTIONS = [("正しいのはどれか。", 1), ("体温３７．５℃のとき、二つ選べ。", 2), ("誤りを三つ選べ。", 3)]
CHOICES = ("糖尿病", "高血圧症", "貧血", "気管支喘息", "ＣＲＰ上昇")


def list_item(number: int, text: str) -> Item:
    question = f"{BEFORE}{text}{AFTER}"
    return Item(f"l{number}", "findings", "entities", question, (), ("x",), document=text, tag="finding")


LISTS = [list_item(number, text) for number, text in enumerate(RECORDS)]
EXAMS = [
    Item(f"e{number}", "exam", "choice", question, CHOICES, tuple(LETTERS[:wanted]), document=question, wanted=wanted)
    for number, (question, wanted) in enumerate(QUESTIONS)
]
CLASSES = [
    Item(f"c{number}", "posts", "choice", f"咳は？\n「{text}」", tuple(label for _, label in POSTS), ("A",), text)
    for number, text in enumerate(RECORDS[:3])
]


@dataclass(frozen=True)
class Both:
    """A bundle, and its model in both engines."""

    bundle: Path
    transformers: Model
    llamacpp: Model


@pytest.fixture(scope="module", params=["own", "adopted"])
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp(request.param)
    source = folder / "model"
    if request.param == "own":
        write_model(source, max_position_embeddings=512)
    else:
        write_foreign_model(byte_level(source, CHATML), "qwen2", max_position_embeddings=700, initializer_range=SPREAD)
        adopt(source, folder / "adopted")
        for file in (folder / "adopted").iterdir():
            (source / file.name).write_bytes(file.read_bytes())
    write_tasks(source / "tasks.json", TASKS)
    write_preparation(source, "cleaned")
    bundle = folder / "bundle"
    bundle.mkdir()
    export(ExportSection(gguf=("f32",), name="tiny"), source, None, None, bundle, SilentProgress())
    mine = open_model(bundle, "transformers", device="cpu")
    other = open_model(bundle, "llamacpp", precise=True, threads=1)
    yield Both(bundle, mine, other)
    other.close()


def evaluated(model: Model, items: list[Item]) -> list[Reply]:
    (found,) = ask(model, items, Manner("chat"), KeptAnswers(), lambda _: None).values()
    return found


def extracted(model: Model) -> list[Extraction]:
    return [extract(model, TASKS[0], text) for text in RECORDS]


def places(found: Extraction) -> list[dict[str, Any]]:
    return [{"text": one.text, "start": one.start, "end": one.end, "kind": one.kind} for one in found.items]


def test_the_bundle_is_what_it_should_be(both: Both) -> None:
    for model in (both.transformers, both.llamacpp):
        assert (model.preparation, model.tuned_tasks, model.ours) == ("cleaned", True, True)
    found = extracted(both.transformers)
    assert sum(len(one.items) for one in found) > 3 and found[-1].pieces > 1
    for text, one in zip(RECORDS, found, strict=True):
        assert all(text[item.start : item.end] == item.text for item in one.items) and not one.unplaced
        assert not one.unreadable


def test_evaluation_and_extract_name_the_same(both: Both) -> None:
    for model in (both.transformers, both.llamacpp):
        assert [reply.parsed for reply in evaluated(model, LISTS)] == [found.named for found in extracted(model)]


@pytest.mark.parametrize("engine", ["transformers", "llamacpp"])
def test_the_batch_writes_the_same(both: Both, tmp_path: Path, engine: str) -> None:
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in RECORDS), "utf-8")
    model = {"transformers": both.transformers, "llamacpp": both.llamacpp}[engine]
    options = BatchOptions(tasks=("findings",), form="jsonl")
    kept = _Kept(model)
    batch_extract(source, both.bundle, out, options, SilentProgress(), open_bundle=lambda *_: kept.model)
    rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert [row["results"][0]["items"] for row in rows] == [places(found) for found in extracted(model)]


class _Kept:
    """A model that its borrower cannot close."""

    def __init__(self, model: Model) -> None:
        self.model = _Borrowed(**{name: getattr(model, name) for name in model.__dataclass_fields__})


class _Borrowed(Model):
    def close(self) -> None:
        pass


@pytest.mark.parametrize("engine", ["transformers", "llamacpp"])
def test_the_server_says_the_same(both: Both, engine: str) -> None:
    """The page asks by the same routes."""
    model = {"transformers": both.transformers, "llamacpp": both.llamacpp}[engine]
    with TestClient(app_of(model, Options()), base_url="http://127.0.0.1:8765") as web:
        for text, found in zip(RECORDS, extracted(model), strict=True):
            body = web.post("/api/extract", json={"task": "findings", "text": text}).json()
            assert (body["items"], body["raw"]) == (places(found), found.raw)
        for item, reply in zip(EXAMS, evaluated(model, EXAMS), strict=True):
            asked = {"question": item.question, "choices": list(item.choices), "wanted": item.wanted}
            assert tuple(web.post("/api/exam", json=asked).json()["answer"]) == reply.parsed
        for item, reply in zip(CLASSES, evaluated(model, CLASSES), strict=True):
            body = web.post("/api/classify", json={"task": "posts", "text": item.document}).json()
            assert (body["answer"],) == reply.parsed


def test_both_engines_choose_the_same(both: Both) -> None:
    items = [*EXAMS, *CLASSES]
    mine, other = evaluated(both.transformers, items), evaluated(both.llamacpp, items)
    for item, one, two in zip(items, mine, other, strict=True):
        assert one.prompt == two.prompt
        if one.parsed != two.parsed:
            answers = [",".join(reply.parsed or ()) for reply in (one, two)]
            prompt = both.transformers.prompt([{"role": "user", "content": chat_prompt(item)}]).ids
            gap = apart(both.transformers, prompt, *(answer_ids(both.transformers.encoder, text) for text in answers))
            print(f"{item.id}: {answers} differ, {gap} nats apart")
            assert gap <= MARGIN


def test_both_engines_name_the_same_but_for_close_candidates(both: Both) -> None:
    framed = [frame for item in LISTS if (frame := frame_of(both.transformers, item, Manner("chat")))]
    asked = [piece for frame in framed for piece in pieces(both.transformers, frame, Asking())]
    assert [piece.prompt for frame in framed for piece in pieces(both.llamacpp, frame, Asking())] == [
        piece.prompt for piece in asked
    ]
    prompts, held = [piece.prompt.ids for piece in asked], [ListOf(piece.document) for piece in asked]
    mine, other = (
        model.engine.generate(prompts, 60, model.encoder.stops, constraints=held)
        for model in (both.transformers, both.llamacpp)
    )
    assert sum(one == two for one, two in zip(mine, other, strict=True)) > len(asked) // 2
    for prompt, one, two in zip(prompts, mine, other, strict=True):
        if one != two:
            place = next(k for k in range(len(one)) if one[: k + 1] != two[: k + 1])
            gap = apart(both.transformers, [*prompt, *one[:place]], one[place : place + 1], two[place : place + 1])
            print(f"answers part after {place} tokens, {gap} nats apart")
            assert gap <= MARGIN


def apart(model: Model, prompt: list[int], one: list[int], two: list[int]) -> float:
    """How far two continuations lie apart, in nats."""
    (scores,) = model.engine.score([prompt], [[one, two]])
    return abs(scores[0].log_probability - scores[1].log_probability)
