"""What a comparison is made on: names of things, refusals, texts cleaned or not."""

import json
import shutil
from pathlib import Path

import pytest

from igakulm.errors import InputError
from igakulm.tokenizer.material import Asked, gather
from igakulm.tokenizer.sample_texts import SENTENCES


def test_nothing_but_the_tokenizer(plain_folder: Path) -> None:
    material = gather(Asked(plain_folder))
    assert list(material.tokenizers) == [plain_folder.name] and material.encoder.folder == plain_folder
    assert material.texts == {} and material.terms == [] and material.samples == list(SENTENCES)
    assert material.lines() == list(SENTENCES)
    assert material.report is not None and material.report["vocabulary"]["base_size"] == 600
    assert gather(Asked(plain_folder / "tokenizer.json")).tokenizers.keys() == material.tokenizers.keys()
    result = material.measure()
    assert json.loads(json.dumps(result))["tokenizers"][0]["texts"] == {}


def test_names_of_tokenizers_and_texts(plain_folder: Path, lexicon: Path, tmp_path: Path) -> None:
    shutil.copytree(plain_folder, tmp_path / "gemma-1.1")
    shutil.copyfile(plain_folder / "sentencepiece.model", tmp_path / "pieces.v2.model")
    (tmp_path / "notes.v1.txt").write_text("体温\n\n血圧\n")
    (tmp_path / "a=b.txt").write_text("脈\n")
    beside = [f"{tmp_path}/gemma-1.1/tokenizer.json", f"{tmp_path}/pieces.v2.model", f"三={plain_folder}"]
    texts = [f"{tmp_path}/notes.v1.txt", f"{tmp_path}/a=b.txt"]
    asked = Asked(plain_folder, beside=beside, texts=texts, lexicon=lexicon / "terms.tsv", samples=["脈\udcff"])
    material = gather(asked)
    assert list(material.tokenizers) == [plain_folder.name, "gemma-1.1", "pieces.v2", "三"]
    assert material.texts == {"notes.v1": ["体温", "血圧"], "a=b": ["脈"]}
    assert material.lines() == ["体温", "血圧", "脈"] and material.samples == ["脈\ufffd"]
    assert len(material.terms) == 11 and gather(Asked(plain_folder, lexicon=lexicon)).terms == material.terms


def test_texts_can_be_cleaned(plain_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("ＣＲＰ（１）\n")
    texts = [str(tmp_path / "a.txt")]
    assert gather(Asked(plain_folder, texts=texts)).texts["a"] == ["ＣＲＰ（１）"]
    assert gather(Asked(plain_folder, texts=texts, clean=True)).texts["a"] == ["CRP(1)"]


def test_igakuqa_is_a_text(plain_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "2020").mkdir()
    row: dict[str, object] = {"problem_id": "114A1", "points": "1", "text_only": False, "answer": ["a"]}
    row |= {"problem_text": "正しいのはどれか。", "choices": ["肺炎", "喘息"]}
    (tmp_path / "2020" / "114-A.jsonl").write_text(json.dumps(row) + "\n")
    assert gather(Asked(plain_folder, igakuqa=tmp_path)).texts == {"IgakuQA": ["正しいのはどれか。\n肺炎\n喘息"]}


def test_refusals(plain_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "names.csv").write_text("a")
    (tmp_path / "n.txt").write_text("a")
    for asked, part in (
        (Asked(tmp_path), "encoder.json"),
        (Asked(plain_folder / "sentencepiece.model"), "is a folder"),
        (Asked(plain_folder, beside=[str(plain_folder)]), "two things have the name"),
        (Asked(plain_folder, texts=[f"{tmp_path}/n.txt", f"n={tmp_path}/n.txt"]), "two things have the name 'n'"),
        (Asked(plain_folder, texts=[f"={tmp_path}/n.txt"]), "the name is empty"),
        (Asked(plain_folder, beside=["x=absent"]), "no such tokenizer"),
        (Asked(plain_folder, texts=["absent.txt"]), "no such file"),
        (Asked(plain_folder, lexicon=tmp_path / "names.csv"), "terms.tsv"),
        (Asked(plain_folder, lexicon=tmp_path), "terms.tsv"),
        (Asked(plain_folder, igakuqa=tmp_path), "no folder of a year"),
    ):
        with pytest.raises(InputError, match=part):
            gather(asked)
