"""The stage finetune: which tokens are learnt, which rows are left out, what the folder holds."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from igakulm.errors import InputError
from igakulm.model import init
from igakulm.model.folder import write_folder
from igakulm.model.presets import model_config, new_model
from igakulm.progress import Progress, SilentProgress
from igakulm.recipe.schema import BenchmarksSection, Chats, FinetuneSection, ModelSection
from igakulm.tasks.chats import read_chats
from igakulm.tasks.find_layouts import layouts_of
from igakulm.tasks.items import Item
from igakulm.tasks.layouts import TASKS_FILE, read_tasks
from igakulm.tasks.load import Split
from igakulm.tasks.prompts import chat_answer, chat_prompt, listed
from igakulm.text.preparation import read_preparation
from igakulm.text.prepared import Form, prepare
from igakulm.tokenizer.encode import TextEncoder
from igakulm.training import finetune as finetune_module
from igakulm.training.finetune import finetune
from igakulm.training.tuning_rows import TuningRow, hold_out, render_conversation, render_row, render_rows

QUIET = SilentProgress()
MODEL = ModelSection(preset=None, hidden_size=32, layers=2, heads=2, key_value_heads=1)
KEYS: dict[str, Any] = {
    "steps": 8,
    "global_batch": 5,
    "micro_batch": 1,
    "max_length": 120,
    "learning_rate": 1e-2,
    "warmup_steps": 1,
    "checkpoint_every": 4,
    "precision": "fp32",
    "seed": 0,
}


def item(number: int, task: str = "posts", question: str = "熱はあるか") -> Item:
    return Item(f"{number}", task, "choice", f"{question}{number}", ("ある", "ない"), ("AB"[number % 2],))


ITEMS = {
    "exam": [item(number, "exam", "次のうち正しいものはどれか") for number in range(7)],
    "posts": [*(item(number) for number in range(6)), item(99, question="長" * 200)],
}


@pytest.fixture
def base(tmp_path: Path, tokenizer: Path) -> Path:
    encoder = TextEncoder.load(tokenizer)
    model = new_model(model_config(MODEL, encoder.base_size, 24, bos=1, eos=2))
    init.initialise(model, 0)
    folder = tmp_path / "base"
    write_folder(model, init.embedding_scale(32), encoder, tokenizer, folder / "model", chat=False)
    return folder


@pytest.fixture(autouse=True)
def items(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    splits: list[str] = []

    def load(_: BenchmarksSection, split: str) -> Split:
        splits.append(split)
        return Split(split, {}, ITEMS)

    monkeypatch.setattr(finetune_module, "load_split", load)
    return splits


def tune(
    base: Path,
    tokenizer: Path,
    out: Path,
    progress: Progress = QUIET,
    benchmarks: BenchmarksSection | None = None,
    **keys: Any,
) -> dict[str, Any]:
    section = FinetuneSection.model_validate({**KEYS, **keys})
    return finetune(MODEL, section, benchmarks or BenchmarksSection(), base, tokenizer, out, progress)


def test_only_the_answer_and_its_end_are_learnt(tokenizer: Path) -> None:
    encoder = TextEncoder.load(tokenizer)
    row = render_row(item(1), encoder, "cleaned")
    learnt = row.targets[row.targets >= 0].tolist()
    assert learnt == [*encoder.encode(chat_answer(item(1))), encoder.eos]
    first = int(np.flatnonzero(row.targets >= 0)[0])
    assert row.ids[first] == encoder.assistant
    assert row.ids[:2].tolist() == [encoder.bos, encoder.user]
    assert row.ids[2:first].tolist() == encoder.encode(chat_prompt(item(1)))
    assert row.ids[-1] == encoder.eos and row.targets[-1] == -100


def test_long_rows_are_left_out_and_reported(base: Path, tokenizer: Path, tmp_path: Path) -> None:
    summary = tune(base, tokenizer, tmp_path / "out")
    (left,) = [json.loads(line) for line in (tmp_path / "out" / "left_out.jsonl").read_text().splitlines()]
    assert (left["task"], left["id"]) == ("posts", "99") and left["tokens"] > 120
    assert (summary["rows"], summary["rows_left_out"]) == (13, 1)


def test_the_folder_says_how_text_is_prepared_and_laid_out(base: Path, tokenizer: Path, tmp_path: Path) -> None:
    tune(base, tokenizer, tmp_path / "out")
    assert read_tasks(tmp_path / "out" / "model" / TASKS_FILE) == layouts_of(ITEMS)
    assert layouts_of(ITEMS)
    assert read_preparation(tmp_path / "out" / "model") == "cleaned"  # as the corpus of the vocabulary
    tune(base, tokenizer, tmp_path / "width", preparation="width", steps=1)
    assert read_preparation(tmp_path / "width" / "model") == "width"


def test_a_task_is_called_what_the_recipe_calls_it(base: Path, tokenizer: Path, tmp_path: Path) -> None:
    rows = [{"name": "posts", "kind": "classification", "title": "投稿の分類"}, {"name": "exam", "kind": "exam"}]
    benchmarks = BenchmarksSection.model_validate({"rows": rows})
    tune(base, tokenizer, tmp_path / "out", benchmarks=benchmarks, steps=1)
    found = {task.name: task.title_ja for task in read_tasks(tmp_path / "out" / "model" / TASKS_FILE)}
    assert found == {"posts": "投稿の分類", "exam": "試験問題（exam）"}


def test_rows_are_prepared_as_the_recipe_says(tokenizer: Path) -> None:
    encoder = TextEncoder.load(tokenizer)
    wide = Item("1", "finding", "entities", "所見は\n「ＣＴで①肺炎...」", (), ("ＣＴ", "肺炎..."), "ＣＴで①肺炎...")
    written = {"cleaned": ("CT", "肺炎…"), "width": ("CT", "肺炎..."), "raw": ("ＣＴ", "肺炎...")}
    forms: tuple[Form, ...] = ("cleaned", "width", "raw")
    for form in forms:
        row = render_row(wide, encoder, form)
        learnt = row.targets[row.targets >= 0].tolist()
        assert learnt == [*encoder.encode(listed(written[form])), encoder.eos]
        first = int(np.flatnonzero(row.targets >= 0)[0])
        assert row.ids[2:first].tolist() == encoder.encode(prepare(wide.question, form).text)


def test_a_resumed_run_of_another_preparation_is_refused(base: Path, tokenizer: Path, tmp_path: Path) -> None:
    tune(base, tokenizer, tmp_path / "out", steps=4)
    with pytest.raises(InputError, match="preparation"):
        tune(base, tokenizer, tmp_path / "out", preparation="raw")


def test_the_number_of_epochs_is_said(base: Path, tokenizer: Path, tmp_path: Path, items: list[str]) -> None:
    lines: list[str] = []

    class Said(SilentProgress):
        def say(self, text: str) -> None:
            lines.append(text)

    tune(base, tokenizer, tmp_path / "out", Said(), split="document-disjoint")
    assert any("3.1 epochs" in line for line in lines)
    assert items == ["document-disjoint"]


def test_it_learns_and_writes_a_chat_folder(base: Path, tokenizer: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    summary = tune(base, tokenizer, out, steps=40)
    assert summary["loss_last"] < 0.5 * summary["loss_first"]
    assert summary["loss_tokens"] == 40 * 5 * 2
    model = AutoModelForCausalLM.from_pretrained(out / "model")
    assert model.config.vocab_size == 128  # 103 entries, padded
    rows, _ = render_rows(ITEMS, TextEncoder.load(tokenizer), 120, QUIET, form="raw")
    longest = max(len(row.ids) for row in rows)
    assert 24 < model.config.max_position_embeddings == longest
    assert (out / "model" / "chat_template.jinja").is_file()
    before = load_file(base / "model" / "model.safetensors")["model.embed_tokens.weight"]
    after = load_file(out / "model" / "model.safetensors")["model.embed_tokens.weight"]
    assert before.shape == (100, 32) and after.shape == (128, 32)
    assert not torch.equal(after[:100], before)
    metrics = json.loads((out / "metrics.json").read_text())
    assert {sample["task"] for sample in metrics["samples"]} == {"exam", "posts"}
    assert metrics["rows_by_task"] == {"exam": 7, "posts": 6}


def test_tuning_starts_from_the_base_models_function(base: Path, tokenizer: Path, tmp_path: Path) -> None:
    """With a rate of nothing the tuned folder is the base folder but for the new rows."""
    tune(base, tokenizer, tmp_path / "out", steps=1, learning_rate=1e-12, weight_decay=0.0)
    before = load_file(base / "model" / "model.safetensors")
    after = load_file(tmp_path / "out" / "model" / "model.safetensors")
    for name, weight in before.items():
        torch.testing.assert_close(after[name][: len(weight)], weight, rtol=1e-6, atol=1e-7)


def test_two_runs_and_a_resumed_one_write_the_same_weights(base: Path, tokenizer: Path, tmp_path: Path) -> None:
    outs = [tmp_path / name for name in "ab"]
    for out in outs:
        tune(base, tokenizer, out)
    for file in (outs[1] / "checkpoints" / "step-0000008").iterdir():
        file.write_bytes(b"")
    tune(base, tokenizer, outs[1])
    one, other = ((out / "model" / "model.safetensors").read_bytes() for out in outs)
    assert one == other


def test_rows_without_answers_and_no_rows_are_refused(tokenizer: Path) -> None:
    encoder = TextEncoder.load(tokenizer)
    empty = Item("7", "posts", "choice", "q", ("a", "b"), ())
    with pytest.raises(InputError, match="posts, row 7"):
        render_row(empty, encoder, "raw")
    with pytest.raises(InputError, match="no training rows"):
        render_rows({"posts": [item(1)]}, encoder, 3, QUIET, form="raw")
    with pytest.raises(InputError, match="no training rows"):
        render_rows({}, encoder, 100, QUIET, form="raw")


def test_a_base_model_of_a_smaller_vocabulary_is_refused(base: Path, tokenizer: Path, tmp_path: Path) -> None:
    model = new_model(model_config(MODEL, 60, 48, bos=1, eos=2))
    init.initialise(model, 0)
    write_folder(model, 1.0, TextEncoder.load(tokenizer), tokenizer, base / "model", chat=False)
    with pytest.raises(InputError, match="60 entries"):
        tune(base, tokenizer, tmp_path / "out")


CONVERSATIONS = [
    {
        "id": "two-turns",
        "messages": [
            {"role": "system", "content": "短く。"},
            {"role": "user", "content": "熱"},
            {"role": "assistant", "content": "何度"},
            {"role": "user", "content": "九度"},
            {"role": "assistant", "content": "受診"},
        ],
    },
    {"messages": [{"role": "user", "content": "長" * 200}, {"role": "assistant", "content": "はい"}]},
]


def conversations(folder: Path, repeats: int = 1) -> Chats:
    path = folder / "chats.jsonl"
    path.write_text("".join(json.dumps(chat, ensure_ascii=False) + "\n" for chat in CONVERSATIONS), encoding="utf-8")
    return Chats(path=str(path), repeats=repeats)


def test_every_assistant_turn_is_learnt_and_nothing_else(tokenizer: Path, tmp_path: Path) -> None:
    encoder = TextEncoder.load(tokenizer)
    chat = read_chats([conversations(tmp_path)])[0]
    row = render_conversation(chat, encoder, "cleaned")
    assert row.targets[row.targets >= 0].tolist() == [
        *encoder.encode("何度"),
        encoder.eos,
        *encoder.encode("受診"),
        encoder.eos,
    ]
    learnt = np.flatnonzero(row.targets >= 0)
    assert row.targets[learnt].tolist() == row.ids[learnt + 1].tolist()
    assert row.answer_bytes == 12


def test_conversations_are_tuned_on_beside_the_items(base: Path, tokenizer: Path, tmp_path: Path) -> None:
    summary = tune(base, tokenizer, tmp_path / "out", chats=(conversations(tmp_path, repeats=4),))
    assert summary["rows_by_task"] == {"chats": 4, "exam": 7, "posts": 6}
    assert summary["rows"] == 17 and summary["left_out_by_task"] == {"chats": 1, "posts": 1}
    left = [json.loads(line) for line in (tmp_path / "out" / "left_out.jsonl").read_text().splitlines()]
    assert left[1]["id"] == "chats.jsonl/line 2" and left[1]["where"].endswith("chats.jsonl, line 2")
    samples = json.loads((tmp_path / "out" / "metrics.json").read_text())["samples"]
    assert samples[-1]["task"] == "chats" and (samples[-1]["prompt"], samples[-1]["gold"]) == ("九度", "受診")


def test_validation_rows_are_measured_and_not_trained_on(base: Path, tokenizer: Path, tmp_path: Path) -> None:
    summary = tune(base, tokenizer, tmp_path / "out", validation_share=0.3, validate_every=4)
    assert (summary["rows"], summary["validation_rows"]) == (9, 4)
    checks = json.loads((tmp_path / "out" / "metrics.json").read_text())["validation"]
    assert [check["step"] for check in checks][-2:] == [4, 8]
    assert all(check["loss"] > 0 and check["bits_per_byte"] > 0 for check in checks)


def row(name: str, *documents: str) -> TuningRow:
    ids = np.arange(3, dtype=np.int64)
    return TuningRow("t", name, ids, ids, frozenset(documents))


def test_no_share_keeps_every_row_in_its_place() -> None:
    rows = [row("a", "x"), row("b"), row("c", "x")]
    assert hold_out(rows, 0.0, 0) == (rows, [])


@settings(deadline=None)
@given(
    documents=st.lists(st.lists(st.sampled_from("abcdefghij"), max_size=2), min_size=2, max_size=40),
    share=st.floats(0.01, 0.49),
    seed=st.integers(0, 5),
)
def test_no_document_stands_on_both_sides(documents: list[list[str]], share: float, seed: int) -> None:
    rows = [row(str(number), *names) for number, names in enumerate(documents)]
    try:
        kept, held = hold_out(rows, share, seed)
    except InputError as error:
        assert "share a document" in error.what
        return
    assert sorted([*kept, *held], key=lambda one: int(one.name)) == rows
    assert kept and 1 <= len(held) <= max(1, round(share * len(rows)))
    assert not {name for one in kept for name in one.documents} & {name for one in held for name in one.documents}
    assert hold_out(rows, share, seed) == (kept, held)


def test_one_document_alone_cannot_be_split() -> None:
    with pytest.raises(InputError, match="share a document"):
        hold_out([row("a", "x"), row("b", "x"), row("c", "x")], 0.3, 0)
