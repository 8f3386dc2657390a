"""`igakulm tokenizer report` as a stranger uses it."""

from __future__ import annotations

from pathlib import Path

import pytest

from foreign_tokenizers import byte_level
from igakulm.bundle.gguf import write_gguf
from igakulm.inference.llamacpp import available
from small_evaluation import igakulm
from tiny_bundle import tokenizer_folder, write_model


@pytest.fixture
def text(tmp_path: Path) -> Path:
    (tmp_path / "notes.txt").write_text("高血圧症の患者は、夜に咳が出る。\n鱻の音\n", encoding="utf-8")
    return tmp_path / "notes.txt"


def test_plain_text_json_and_page(text: Path, tmp_path: Path) -> None:
    byte_level(tmp_path / "bytes")
    words = ("tokenizer", "report", "--tokenizer", tokenizer_folder(), "--beside", tmp_path / "bytes", "--text", text)
    done = igakulm(*words, "--sample", "鱻の音", "--html", tmp_path / "page.html")
    assert done.code == 0, done.err
    assert "‹鱻›|の|音" in done.out and "bytes" in done.out and "notes: 19 characters in 2 documents" in done.out
    assert "\x1b" not in done.out
    assert "高血圧" not in (page := (tmp_path / "page.html").read_text(encoding="utf-8")) and "鱻" in page
    result = igakulm(*words, "--json").json
    assert [one["name"] for one in result["tokenizers"]] == [tokenizer_folder().name, "bytes"]
    assert result["tokenizers"][0]["texts"]["notes"]["fallback_share"] > 0


def test_clean_and_limits(text: Path) -> None:
    text.write_text("ＡＢＣ\n" * 1000, encoding="utf-8")
    words = ("tokenizer", "report", "--tokenizer", tokenizer_folder(), "--text", f"n={text}", "--json")
    plain, cleaned = igakulm(*words, "--max-mebibytes", "0.001").json, igakulm(*words, "--clean").json
    assert plain["tokenizers"][0]["texts"]["n"]["bytes"] == 1044  # 116 documents of 9 bytes
    assert cleaned["tokenizers"][0]["texts"]["n"]["bytes"] == 3000


@pytest.mark.skipif(not available(), reason="xllamacpp is not installed (extra llamacpp)")
def test_beside_llamacpp(text: Path, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model")
    write_gguf(folder, folder / "m.gguf", "q8_0", "tiny")
    words = ("tokenizer", "report", "--tokenizer", folder, "--text", text, "--llamacpp", folder / "m.gguf")
    done = igakulm(*words)
    assert done.code == 0 and "the same ids in 50.00 % of 2 lines" in done.out, done.err
    assert igakulm(*words, "--json").json["llamacpp"]["with_unknown"] == 1


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--tokenizer", "absent"),
        ("--text", "absent.txt"),
        ("--beside", "absent"),
        ("--lexicon", "absent"),
        ("--igakuqa", "absent"),
        ("--llamacpp", "absent.gguf"),
    ],
)
def test_mistakes_are_one_clear_message(option: str, value: str) -> None:
    done = igakulm("tokenizer", "report", "--tokenizer", tokenizer_folder(), option, value)
    assert done.code == 2 and done.out == "" and "absent" in done.err and "Traceback" not in done.err
