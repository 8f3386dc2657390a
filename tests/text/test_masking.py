from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from igakulm.recipe.schema import Privacy
from igakulm.text.cleaning import clean_text
from igakulm.text.personal.masking import KINDS, mask_texts

CASES = [json.loads(line) for line in Path(__file__).with_name("privacy_cases.jsonl").read_text("utf-8").splitlines()]


def masked(case: dict[str, Any]) -> str:
    config = Privacy(**dict.fromkeys(case.get("options", ()), True))
    return mask_texts([clean_text(case["text"])], config).texts[0]


def letters(text: str) -> str:
    """What counts when too much was deleted: brackets and spaces around a deletion may go with it."""
    return "".join(character for character in text if character not in " ()「」<>〈〉\n")


def test_the_labelled_cases_are_many_and_of_both_kinds() -> None:
    assert len(CASES) >= 300
    assert sum(not case["personal"] for case in CASES) >= 150


def test_precision_and_recall_on_the_labelled_cases(capsys: pytest.CaptureFixture[str]) -> None:
    right = missed = wrong = 0
    notes: list[str] = []
    for case in CASES:
        text, found = clean_text(case["text"]), masked(case)
        expected = text
        for piece in case["personal"]:
            assert piece in text, f"the case is wrong: {piece!r} is not in {text!r}"
            if piece in found:
                missed += 1
                notes.append(f"missed {piece!r} in {text!r}: {found!r}")
            else:
                right += 1
            expected = expected.replace(piece, piece if piece in found else "", 1)
        if letters(expected) != letters(found):
            wrong += 1
            notes.append(f"too much of {text!r}: {found!r}, expected {expected!r}")
    precision, recall = right / (right + wrong), right / (right + missed)
    with capsys.disabled():
        print(f"\npersonal data: {len(CASES)} cases, precision {precision:.3f}, recall {recall:.3f}")
    assert precision >= 0.98 and recall >= 0.98, "\n".join(notes)


@pytest.mark.parametrize("kind", ["telephone", "mail", "url", "account", "tag"])
def test_a_kind_that_is_switched_off_stays(kind: str) -> None:
    text = "電話03-1234-5678、mail taro@example.jp、https://example.jp/a 、@hanako_s さん 今日 #健康 です"
    everything = mask_texts([text], Privacy())
    assert set(everything.deleted) == {"telephone", "mail", "url", "account", "tag"}
    off = Privacy(**{kind: False})
    assert set(mask_texts([text], off).deleted) == set(everything.deleted) - {kind}


def test_documents_of_a_batch_do_not_run_into_each_other() -> None:
    texts = ["電話03-1234", "5678", "mail taro@", "example.jp.", "#", "健康 #", "http://", "a"]
    assert mask_texts(texts, Privacy()).texts[:3] == texts[:3]
    assert len(mask_texts(texts, Privacy()).texts) == len(texts)


def test_what_a_deletion_leaves_is_tidied_and_the_rest_is_untouched() -> None:
    texts = ["連絡先 (03-1234-5678) まで\nhttps://example.jp/\n以上", "改行\n\nと  空白"]
    assert mask_texts(texts, Privacy()).texts == ["連絡先 まで\n以上", "改行\n\nと  空白"]


def test_nothing_to_do() -> None:
    assert mask_texts([], Privacy()) == ([], {})
    assert mask_texts([""], Privacy()) == ([""], {})
    off = Privacy(**dict.fromkeys(KINDS, False))
    assert mask_texts(["03-1234-5678"], off).texts == ["03-1234-5678"]


def test_masking_twice_changes_nothing_more() -> None:
    options = {"postal_code": True, "patient_number": True}
    once = mask_texts([clean_text(case["text"]) for case in CASES], Privacy(**options)).texts
    assert mask_texts(once, Privacy(**options)).texts == once
