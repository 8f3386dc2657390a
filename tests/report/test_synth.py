"""The report's tables on synthetic text, from stage folders invented here."""

from pathlib import Path
from typing import Any

import pytest

from igakulm.errors import InputError
from igakulm.files import write_json, write_jsonl
from igakulm.report.corpus import corpus_section, places_as_written
from igakulm.report.record import RunRecord
from igakulm.report.words import LANGUAGES, words
from igakulm.synth import check, exam_checks, exam_parsing
from igakulm.synth.set_checks import position_bias

WRITERS = {
    "large": {
        "model": "writer-8b",
        "revision": "2026-10",
        "licence": "Apache-2.0",
        "terms": "https://example.org/terms",
        "asked": 1300,
        "kept": 1000,
        "characters": 450_000,
        "share_of_characters": 0.75,
    },
    "small<b>": {"model": "writer-1b", "licence": "MIT", "asked": 300, "kept": 100, "characters": 150_000},
}
KINDS = {
    "exam": {"asked": 100, "kept": 60, "rejected": {"no_question": 30, "cut_off": 10}},
    "textbook": {"asked": 1500, "kept": 1440, "rejected": {"cut_off": 58, "a_new_reason": 2}},
    "verify": {"asked": 50},
}


def record(folder: Path, found: dict[str, Any], rows: list[dict[str, Any]] | None = None) -> RunRecord:
    write_json(folder / "yield.json", found)
    if rows is not None:
        write_jsonl(folder / "exams.jsonl", rows)
    write_json(folder / "corpus" / "funnel.json", {})
    return RunRecord({"synth": folder, "corpus": folder / "corpus"})


def synth_table(run: RunRecord) -> str:
    """The section on the corpus, which is about synthetic text alone here."""
    return corpus_section(run, "ja")


def items(written: str, answer: str) -> list[dict[str, Any]]:
    return [{"answer_written": [old], "answer": [new]} for old, new in zip(written, answer, strict=True)]


@pytest.mark.parametrize("found", [{}, {"writers": {}}])
def test_nothing_where_no_text_was_asked_for(tmp_path: Path, found: dict[str, Any]) -> None:
    assert "合成" not in synth_table(record(tmp_path, found))


def test_writers_stand_with_their_terms_and_no_markup_of_theirs(tmp_path: Path) -> None:
    text = synth_table(record(tmp_path, {"writers": WRITERS}))
    for wanted in ("writer-8b @ 2026-10", "Apache-2.0 — https://example.org/terms", "1,300", "45.0万", "75.0 %"):
        assert wanted in text
    assert "small&lt;b&gt;" in text and "small<b>" not in text
    assert "0.0 %" in text, "a share that an older stage does not say"


def test_reasons_are_counted_by_kind_the_most_frequent_first(tmp_path: Path) -> None:
    text = synth_table(record(tmp_path, {"writers": WRITERS, "kinds": KINDS}))
    assert "1,440 (96.0 %)" in text and "60 (60.0 %)" in text
    assert "58 (3.9 %)" in text and "30 (30.0 %)" in text and "0 (0.0 %)" not in text
    order = [text.index(words("ja")(f"synth.reason.{reason}")) for reason in ("cut_off", "no_question")]
    assert order == sorted(order), "68 texts before 30"
    assert "a_new_reason" in text, "a code without a label is shown as it is"
    assert "verify" not in text


def test_places_before_and_after_the_shuffling(tmp_path: Path) -> None:
    rows = items("A" * 40 + "B" * 10, "ABCDE" * 10)
    rows.append({"answer_written": ["A", "C"], "answer": ["B", "D"]})
    kept = position_bias(dict.fromkeys("ABCDE", 10))
    run = record(tmp_path, {"writers": WRITERS, "answer_positions": kept}, rows)
    before = places_as_written(run)
    assert before.positions == {"A": 40, "B": 10, "C": 0, "D": 0, "E": 0}
    assert before.chi_square == 120.0 and (before.p_value or 0) < 1e-6
    text = synth_table(run)
    assert text.index("書き手が書いた順") < text.index("120.00") < text.index("並べ替えた後")
    assert "&lt; 0.0001" in text and "1.0000" in text and "偶然の範囲にある" in text


def test_places_that_stay_uneven_are_called_so(tmp_path: Path) -> None:
    kept = position_bias({"A": 40, "B": 2})
    text = synth_table(record(tmp_path, {"writers": WRITERS, "answer_positions": kept}, items("AB", "AB")))
    assert "偶然の範囲を超える" in text


def test_items_of_a_stage_that_did_not_write_the_old_places(tmp_path: Path) -> None:
    kept = position_bias({"A": 1, "B": 2})
    for rows in (None, [{"answer": ["A"]}]):
        text = synth_table(record(tmp_path, {"writers": WRITERS, "answer_positions": kept}, rows))
        assert "採用した問題" in text and "書き手が書いた順" not in text
    assert "正解の位置" not in synth_table(record(tmp_path, {"writers": WRITERS}))


def test_agreement_of_the_second_model(tmp_path: Path) -> None:
    verified = {"agrees": 30, "disagrees": 10, "own": 5, "unreadable": 2}
    text = synth_table(record(tmp_path, {"writers": WRITERS, "verified": verified}))
    assert "40問のうち、30問（75.0 %）" in text and "読み取れなかった問題は2問" in text
    assert "解いた" not in synth_table(record(tmp_path, {"writers": WRITERS, "verified": {"own": 5}}))


def test_damaged_counts_are_refused(tmp_path: Path) -> None:
    kinds = {"exam": {"asked": "many"}}
    with pytest.raises(InputError, match=r"(?s)yield.json, kinds.exam.asked"):
        synth_table(record(tmp_path, {"writers": WRITERS, "kinds": kinds}))


def test_every_reason_has_a_meaning() -> None:
    codes = {*check.REASONS, *exam_checks.REASONS, *exam_parsing.REASONS}
    for language in LANGUAGES:
        assert [code for code in codes if words(language).known("synth.reason", code) is None] == []
