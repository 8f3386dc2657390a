"""Texts to measure on: the kinds of files, fixed samples, clear refusals."""

import gzip
import json
from pathlib import Path

import pytest
import zstandard

from igakulm.errors import InputError
from igakulm.tokenizer.sample_texts import SENTENCES, read_sample

ROWS = [{"text": "患者\nの血圧"}, {"text": " "}, {"text": "体温", "id": 3}]


def test_every_kind_of_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("一行目\r\n\n二行目 \n", encoding="utf-8-sig")
    assert read_sample(tmp_path / "a.txt", 1000) == ["一行目", "二行目 "]
    lines = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
    (tmp_path / "a.jsonl").write_bytes(lines)
    (tmp_path / "a.jsonl.zst").write_bytes(zstandard.compress(lines))
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(lines))
    for name in ("a.jsonl", "a.jsonl.zst", "a.jsonl.gz"):
        assert read_sample(tmp_path / name, 1000) == ["患者\nの血圧", "体温"]


def test_a_sample_is_fixed_even_and_in_order(tmp_path: Path) -> None:
    path = tmp_path / "many.txt"
    path.write_text("".join(f"{number:05d}\n" for number in range(10_000)))
    sample = read_sample(path, 5_000)
    assert sample == read_sample(path, 5_000) == sorted(sample)
    assert len(sample) == 1_000
    assert 4_700 < sum(map(int, sample)) / len(sample) < 5_300
    assert set(read_sample(path, 500)) < set(sample)


def test_a_document_longer_than_the_sample_is_cut_between_characters(tmp_path: Path) -> None:
    (tmp_path / "long.txt").write_text("長い文" * 1000)
    assert read_sample(tmp_path / "long.txt", 10) == ["長い文"]


def test_half_a_surrogate_pair_becomes_a_character(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "a\\ud800b"}\n')
    assert read_sample(tmp_path / "a.jsonl", 100) == ["a?b"]


@pytest.mark.parametrize(
    ("name", "content", "part"),
    [
        ("a.txt", b"ok\n\x83\n", "line 2"),
        ("a.jsonl", b'{"text": "a"}\n{"body": "a"}\n', "line 2"),
        ("b.jsonl", b'{"text": 3}\n', "field 'text'"),
        ("c.jsonl", b"[1]\n", "field 'text'"),
        ("d.jsonl", b"{\n", "not JSON"),
        ("e.txt", b" \n\n", "no text"),
        ("f.txt.zst", b"plain", "broken"),
    ],
)
def test_clear_refusals(tmp_path: Path, name: str, content: bytes, part: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=part):
        read_sample(tmp_path / name, 100)
    with pytest.raises(InputError, match="no such file"):
        read_sample(tmp_path / "absent.txt", 100)


def test_the_own_sentences_are_ordinary_lines() -> None:
    assert all(sentence.strip() == sentence and "\n" not in sentence for sentence in SENTENCES)
