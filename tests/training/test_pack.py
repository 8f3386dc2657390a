"""Packing on disk: what is written, read back, refused."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from igakulm.errors import InputError
from igakulm.files import Doc, write_documents, write_json
from igakulm.progress import SilentProgress
from igakulm.recipe.schema import PackSection
from igakulm.tokenizer.encode import TextEncoder
from igakulm.training.pack import build_packed
from igakulm.training.packed import PackedRows

QUIET = SilentProgress()
SOURCES = {"books": {"kind": "medical", "characters": 1}, "web": {"kind": "general", "characters": 1}}


def corpus(folder: Path, number: int = 60, longest: int = 80) -> Path:
    rng = np.random.default_rng(5)
    documents = []
    for index in range(number):
        text = "".join(chr(0x3042 + int(code)) for code in rng.integers(0, 80, int(rng.integers(5, longest))))
        documents.append(Doc(f"d{index}", text, "books" if index % 3 == 0 else "web", "CC0"))
    write_documents(folder / "documents", documents)
    write_json(folder / "sources.json", SOURCES)
    return folder


def packed(tmp_path: Path, tokenizer: Path, name: str = "out", **keys: object) -> tuple[Path, dict[str, object]]:
    source = tmp_path / "corpus"
    if not source.exists():
        corpus(source)
    config = PackSection.model_validate({"sequence_length": 32, "validation_share": 0.1, "seed": 1, **keys})
    out = tmp_path / name
    out.mkdir()
    return out, build_packed(config, source, tokenizer, out, QUIET)


def open_rows(folder: Path, tokenizer: Path) -> PackedRows:
    return PackedRows.open(folder, hashlib.sha256((tokenizer / "tokenizer.json").read_bytes()).hexdigest())


def test_in_is_train_and_validation(tmp_path: Path, tokenizer: Path) -> None:
    out, summary = packed(tmp_path, tokenizer)
    names = [
        json.loads(line)
        for split in ("train", "valid")
        for line in (out / split / "documents.txt").read_text().splitlines()
    ]
    assert sorted(names) == sorted(f"d{index}" for index in range(60))
    assert summary["documents_read"] == 60
    assert not list(out.glob(".*"))


def test_every_token_is_predicted_once_in_its_document(tmp_path: Path, tokenizer: Path) -> None:
    out, _ = packed(tmp_path, tokenizer, validation_share=0.0)
    rows = open_rows(out / "train", tokenizer)
    index = json.loads((out / "train" / "index.json").read_text())
    found = 0
    for number in range(len(rows)):
        row = rows.row(number)
        assert len(row.tokens) == sum(row.lengths) <= 32
        place = 0
        for length in row.lengths:
            part = row.tokens[place : place + length]
            assert row.targets[place : place + length - 1].tolist() == part[1:].tolist()
            assert row.targets[place + length - 1] == -100
            assert 2 not in part[:-1].tolist() and 1 not in part[1:].tolist()
            place += length
        found += int((row.targets != -100).sum())
    assert found == index["unique_tokens"] - index["documents"]
    assert index["text_bytes"] > 0 and index["cut_documents"] > 0


def test_names_are_the_documents_of_the_row(tmp_path: Path, tokenizer: Path) -> None:
    out, _ = packed(tmp_path, tokenizer, sequence_length=128)
    rows = open_rows(out / "train", tokenizer)
    names = [name for number in range(len(rows)) for name in rows.names(number)]
    assert sorted(names) == sorted(
        json.loads(line) for line in (out / "train" / "documents.txt").read_text().splitlines()
    )
    assert len(rows.names(0)) == len(rows.row(0).lengths)


def test_concatenation_without_restart_is_one_document_a_row(tmp_path: Path, tokenizer: Path) -> None:
    out, _ = packed(tmp_path, tokenizer, method="concatenate", restart_positions=False)
    rows = open_rows(out / "train", tokenizer)
    assert all(len(rows.row(number).lengths) == 1 for number in range(len(rows)))
    assert all(len(rows.row(number).tokens) == 32 for number in range(len(rows) - 1))
    assert rows.row(0).tokens[-1] == rows.row(1).tokens[0]
    restarted, _ = packed(tmp_path, tokenizer, "restarted", method="concatenate")
    assert any(len(open_rows(restarted / "train", tokenizer).row(n).lengths) > 1 for n in range(5))


def test_same_seed_same_bytes_and_workers_change_nothing(tmp_path: Path, tokenizer: Path) -> None:
    first, _ = packed(tmp_path, tokenizer, "a")
    second, _ = packed(tmp_path, tokenizer, "b", workers=2)
    other, _ = packed(tmp_path, tokenizer, "c", seed=2)
    for name in ("tokens.bin", "rows.npy", "pieces.npy", "documents.txt", "index.json"):
        assert (first / "train" / name).read_bytes() == (second / "train" / name).read_bytes()
    assert (first / "train" / "documents.txt").read_bytes() != (other / "train" / "documents.txt").read_bytes()


def test_medical_documents_repeat_in_training_only(tmp_path: Path, tokenizer: Path) -> None:
    once, _ = packed(tmp_path, tokenizer, "once", sequence_length=128)
    thrice, _ = packed(tmp_path, tokenizer, "thrice", sequence_length=128, medical_repeats=3)
    names = [
        name
        for rows in [open_rows(thrice / "train", tokenizer)]
        for number in range(len(rows))
        for place in range(*rows._rows[number : number + 2])
        for name in [int(rows._pieces[place, 1])]
    ]
    ids = [json.loads(line) for line in (thrice / "train" / "documents.txt").read_text().splitlines()]
    for document, identifier in enumerate(ids):
        assert names.count(document) == (3 if int(identifier[1:]) % 3 == 0 else 1)
    assert (once / "valid" / "tokens.bin").read_bytes() == (thrice / "valid" / "tokens.bin").read_bytes()


@pytest.mark.parametrize("limit", [300, 1500])
def test_max_tokens_takes_medical_documents_first(tmp_path: Path, tokenizer: Path, limit: int) -> None:
    out, _ = packed(tmp_path, tokenizer, max_tokens=limit)
    index = json.loads((out / "train" / "index.json").read_text())
    assert limit - 100 < index["unique_tokens"] <= limit
    ids = [int(json.loads(line)[1:]) for line in (out / "train" / "documents.txt").read_text().splitlines()]
    medical = [number % 3 == 0 for number in ids]
    assert medical == sorted(medical, reverse=True)
    assert all(medical) is (limit == 300)


def test_large_vocabularies_take_four_bytes(tmp_path: Path, tokenizer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(TextEncoder.load(tokenizer)), "size", 70_000)
    out, _ = packed(tmp_path, tokenizer)
    index = json.loads((out / "train" / "index.json").read_text())
    assert index["dtype"] == "uint32"
    assert (out / "train" / "tokens.bin").stat().st_size == 4 * index["tokens"]


@pytest.mark.parametrize("name", ["tokens.bin", "rows.npy", "pieces.npy"])
def test_damaged_and_missing_files_are_refused(tmp_path: Path, tokenizer: Path, name: str) -> None:
    out, _ = packed(tmp_path, tokenizer)
    path = out / "train" / name
    whole = path.read_bytes()
    path.write_bytes(whole[:-2])
    with pytest.raises(InputError, match="damaged"):
        open_rows(out / "train", tokenizer)
    path.unlink()
    with pytest.raises(InputError, match="missing"):
        open_rows(out / "train", tokenizer)


def test_rows_of_another_tokenizer_are_refused(tmp_path: Path, tokenizer: Path) -> None:
    out, _ = packed(tmp_path, tokenizer)
    with pytest.raises(InputError, match="another tokenizer"):
        PackedRows.open(out / "train", "0" * 64)


def test_unknown_sources_short_rows_and_empty_corpora_are_refused(tmp_path: Path, tokenizer: Path) -> None:
    with pytest.raises(InputError, match="sequence_length"):
        packed(tmp_path, tokenizer, "short", sequence_length=4)
    write_documents(tmp_path / "corpus" / "documents", [])
    with pytest.raises(InputError, match="no document to train on"):
        packed(tmp_path, tokenizer, "none")
    write_documents(tmp_path / "corpus" / "documents", [Doc("x", "text", "nowhere", "CC0")])
    with pytest.raises(InputError, match="nowhere"):
        packed(tmp_path, tokenizer, "foreign")
