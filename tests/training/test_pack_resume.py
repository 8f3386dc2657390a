"""Encoding with resume: kept shards, what makes them worthless, the width of a token, worker processes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from igakulm.errors import InputError
from igakulm.files import Doc, sha256_file, write_documents, write_json
from igakulm.pipeline.stages import stage_named
from igakulm.progress import SilentProgress
from igakulm.recipe.schema import PackSection
from igakulm.tokenizer.encode import TextEncoder
from igakulm.training import encoded, pack
from igakulm.training.encoded import encode_texts, token_dtype
from igakulm.training.pack import ENCODED, build_packed
from tiny_bundle import tokenizer_folder

SHARDS = 5


def write_corpus(folder: Path, shards: int = SHARDS) -> Path:
    documents = [
        Doc(f"d{n}", f"第{n}回。患者の血圧は{n}である。" * (1 + n % 4), "s" if n % 2 else "m", "") for n in range(60)
    ]
    size = sum(len(document.text.encode()) for document in documents)
    write_documents(folder / "documents", documents, shard_bytes=size // shards)
    kinds = {"s": {"kind": "general", "characters": 1}, "m": {"kind": "medical", "characters": 1}}
    write_json(folder / "sources.json", kinds)
    assert len(list((folder / "documents").iterdir())) == shards
    return folder


def files(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): sha256_file(path) for path in sorted(folder.rglob("*")) if path.is_file()}


class Case:
    """One corpus and tokenizer; `run` packs and counts the texts that were encoded."""

    def __init__(self, folder: Path, tokenizer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.tokenizer, self.patch = folder, tokenizer, monkeypatch
        self.corpus = write_corpus(folder / "corpus")
        self.keys: dict[str, object] = {"sequence_length": 64, "validation_share": 0.1, "seed": 1, "workers": 1}

    def run(self, name: str, **keys: object) -> int:
        out = self.folder / name
        out.mkdir(exist_ok=True)
        count = 0
        encode = encoded.encode_texts

        def counting(encoder: TextEncoder, texts: list[str]) -> tuple[list[int], bytes]:
            nonlocal count
            count += len(texts)
            return encode(encoder, texts)

        config = PackSection.model_validate({**self.keys, **keys})
        with self.patch.context() as patch:
            patch.setattr(encoded, "encode_texts", counting)
            build_packed(config, self.corpus, self.tokenizer, out, SilentProgress())
        return count

    def interrupted(self, name: str, **keys: object) -> Path:
        """Everything encoded, nothing packed; the folder of kept shards."""

        def killed(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        with self.patch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(pack, "_write_split", killed)
            self.run(name, **keys)
        kept = self.folder / name / ENCODED
        assert len(list(kept.glob("*.tokens"))) == len(list(kept.glob("*.json"))) == SHARDS
        return kept


@pytest.fixture
def case(tmp_path: Path, tokenizer: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    return Case(tmp_path, tokenizer, monkeypatch)


def test_kept_shards_are_not_encoded_again(case: Case) -> None:
    assert case.run("whole") == 60
    case.interrupted("out")
    assert case.run("out") == 0
    assert files(case.folder / "out") == files(case.folder / "whole")
    assert {Path(name).parts[0] for name in files(case.folder / "out")} == {"train", "valid"}
    assert stage_named("pack").resumable


def test_half_written_results_and_leftovers_go(case: Case) -> None:
    case.run("whole")
    kept = case.interrupted("out")
    for name in ("train/tokens.bin", "train/.tokens.bin.1.tmp", "valid/other.npy"):
        path = case.folder / "out" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"half")
    (kept / ".00009.tokens.77.tmp").write_bytes(b"half")
    (kept / "00009.tokens").write_bytes(b"of a corpus that was larger")
    case.run("out")
    assert files(case.folder / "out") == files(case.folder / "whole")


def shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-2])


def lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0\0")


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [shorten, lengthen, flip, empty, Path.unlink])
@pytest.mark.parametrize("suffix", ["tokens", "json"])
def test_damaged_shards_are_encoded_again(case: Case, damage: Callable[[Path], None], suffix: str) -> None:
    case.run("whole")
    kept = case.interrupted("out")
    damage(kept / f"00002.{suffix}")
    assert 0 < case.run("out") < 20, "one shard of five"
    assert files(case.folder / "out") == files(case.folder / "whole")


@pytest.mark.parametrize("text", ["null\n[]", "[]\n[]", '{"key": 1}\n[[1]]', "\n", "{}\n" + "[" * 99_999, "\udce3"])
def test_descriptions_that_are_none_are_encoded_again(case: Case, text: str) -> None:
    kept = case.interrupted("out")
    (kept / "00001.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert 0 < case.run("out") < 20


def test_shards_that_changed_places_are_encoded_again(case: Case) -> None:
    case.run("whole")
    kept = case.interrupted("out")
    for suffix in ("tokens", "json"):
        (kept / f"00000.{suffix}").replace(kept / "aside")
        (kept / f"00001.{suffix}").replace(kept / f"00000.{suffix}")
        (kept / "aside").replace(kept / f"00001.{suffix}")
    assert 20 < case.run("out") < 30
    assert files(case.folder / "out") == files(case.folder / "whole")


@pytest.mark.parametrize(("key", "value"), [("seed", 2), ("validation_share", 0.3), ("max_tokens", 1000)])
def test_shards_of_other_settings_are_encoded_again(case: Case, key: str, value: object) -> None:
    case.interrupted("out")
    assert case.run("out", **{key: value}) > 0
    case.run("whole", **{key: value})
    assert files(case.folder / "out") == files(case.folder / "whole")


def test_shards_of_another_tokenizer_or_text_are_encoded_again(case: Case) -> None:
    case.interrupted("a")
    (case.tokenizer / "tokenizer.json").write_text('{"made": "otherwise"}', encoding="utf-8")
    assert case.run("a") == 60
    case.interrupted("b")
    write_documents(case.corpus / "documents", [Doc("new", "新しい文書。" * 9, "s", "")], shard_bytes=10**6)
    case.run("b", validation_share=0.0)
    ids = (case.folder / "b" / "train" / "documents.txt").read_text()
    assert '"new"' in ids and '"d59"' in ids and '"d0"' not in ids


def test_results_do_not_depend_on_shards_and_layout_options_keep_them(case: Case) -> None:
    case.run("many")
    kept = case.interrupted("other")
    assert case.run("other", sequence_length=32, method="concatenate") == 0, "how rows are laid is no matter of tokens"
    assert not kept.exists()
    case.corpus = write_corpus(case.folder / "one", shards=1)
    case.run("few")
    assert files(case.folder / "many") == files(case.folder / "few")


class Sized:
    """An encoder that gives its last id, or one too many."""

    bos, eos = 1, 2
    begin = (1,)

    def __init__(self, size: int, given: int) -> None:
        self.size, self.given = size, given

    def encode_batch(self, texts: list[str]) -> list[list[int]]:
        return [[self.given] for _ in texts]


@pytest.mark.parametrize(
    ("size", "name"),
    [(65_535, "uint16"), (65_536, "uint16"), (65_537, "uint32"), (262_147, "uint32"), (2**32, "uint32")],
)
def test_the_width_at_its_border(size: int, name: str) -> None:
    assert token_dtype(size).name == name
    lengths, data = encode_texts(Sized(size, size - 1), ["", "x"])  # type: ignore[arg-type]
    assert lengths == [3, 3]
    assert np.frombuffer(data, token_dtype(size)).tolist() == [1, size - 1, 2] * 2


@pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 2**32])
@pytest.mark.parametrize("beyond", [0, 1, 2**40])
def test_ids_beyond_the_vocabulary_are_refused_not_wrapped(size: int, beyond: int) -> None:
    with pytest.raises(InputError, match=f"id {size + beyond:,}, but"):
        encode_texts(Sized(size, size + beyond), ["x"])  # type: ignore[arg-type]
    with pytest.raises(InputError, match="-1"):
        encode_texts(Sized(size, -1), ["x"])  # type: ignore[arg-type]


def test_a_vocabulary_that_no_file_holds() -> None:
    with pytest.raises(InputError, match="too large"):
        token_dtype(2**32 + 1)


def test_processes_give_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = write_corpus(tmp_path / "corpus")
    for name, workers in (("one", 1), ("two", 2)):
        (tmp_path / name).mkdir()
        if workers > 1:
            monkeypatch.setattr(encoded, "PROCESSES_FROM", 0)
            monkeypatch.setattr(encoded, "BATCH_CHARACTERS", 100)
        config = PackSection(sequence_length=64, workers=workers)
        build_packed(config, corpus, tokenizer_folder(), tmp_path / name, SilentProgress())
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_a_killed_worker_is_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = write_corpus(tmp_path / "corpus")
    monkeypatch.setattr(encoded, "PROCESSES_FROM", 0)
    monkeypatch.setattr(encoded, "_start_worker", os._exit)  # the pool is broken before its first result
    (tmp_path / "out").mkdir()
    with pytest.raises(InputError, match=r"was killed[\s\S]*pack.workers"):
        build_packed(PackSection(workers=2), corpus, tokenizer_folder(), tmp_path / "out", SilentProgress())


def test_the_description_names_what_it_was_made_from(case: Case) -> None:
    kept = case.interrupted("out")
    first, rows = (kept / "00000.json").read_text(encoding="utf-8").split("\n")
    assert set(json.loads(first)) == {"key", "sha256"}
    assert sum(row[-1] for row in json.loads(rows)) * 2 == (kept / "00000.tokens").stat().st_size
