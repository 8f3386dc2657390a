"""Baselines: what each may look at, where it is not defined, and that it honours the question."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from igakulm.answering.reading import Prediction
from igakulm.errors import InputError
from igakulm.evaluation.baselines import Setting, find_names, predict, predict_folds, read_terms
from igakulm.evaluation.metrics import measure
from igakulm.recipe.schema import Igakuqa
from igakulm.tasks.benchmarks.igakuqa import load_questions
from igakulm.tasks.items import Item
from igakulm.tasks.load import Split


def post(identifier: str, text: str, letter: str, tag: str = "cough") -> Item:
    return Item(
        identifier,
        "posts",
        "choice",
        f"今ありますか。\n「{text}」",
        ("ある", "ない"),
        (letter,),
        document=text,
        tag=tag,
    )


def note(identifier: str, text: str, answer: tuple[str, ...] = (), tag: str = "d") -> Item:
    return Item(identifier, "notes", "entities", f"所見は。\n「{text}」", (), answer, document=text, tag=tag)


TRAIN = [
    post("1", "咳が出てつらい", "A"),
    post("2", "咳が止まらない", "A"),
    post("3", "咳の薬の広告を見た", "B"),
    post("4", "咳についての記事を読んだ", "B"),
    post("5", "咳の話題の記事", "B"),
]
NOTES = [note("1", "発熱と咳", ("発熱", "咳")), note("2", "発熱", ("発熱",)), note("3", "甲錠", ("甲錠",), tag="m-key")]


def answers(name: str, items: Sequence[Item], setting: Setting) -> list[Prediction]:
    found = predict(name, items, setting)
    assert found is not None and len(found) == len(items)
    return found


def test_chance_honours_how_many_are_wanted_and_is_seeded() -> None:
    two = [replace(post(str(place), "x", "A"), choices=tuple("abcde"), wanted=2) for place in range(200)]
    found = answers("chance", two, Setting(seed=3))
    assert all(guess is not None and len(set(guess)) == 2 and set(guess) <= set("ABCDE") for guess in found)
    assert found == answers("chance", two, Setting(seed=3)) != answers("chance", two, Setting(seed=4))
    assert answers("chance", two[50:], Setting(seed=3)) == found[50:]
    number = Item("n", "t", "number", "q", (), ("720",))
    (digits,) = answers("chance", [number], Setting())[0] or ()
    assert len(digits) == 3 and digits.isdigit()
    (span,) = answers("chance", [note("1", "発熱")], Setting())[0] or ()
    assert span in "発熱"


def test_always_a_and_majority() -> None:
    assert answers("always-a", [replace(TRAIN[0], wanted=2)], Setting()) == [("A", "B")]
    assert predict("always-a", NOTES, Setting()) is None
    assert answers("majority", TRAIN[:2], Setting(TRAIN)) == [("B",), ("B",)]
    assert answers("majority", [note("x", "腹痛"), note("y", "乙錠", tag="m-key")], Setting(NOTES)) == [
        ("発熱",),
        ("甲錠",),
    ]
    assert predict("majority", TRAIN, Setting()) is None


def test_nearest_copies_within_the_tag() -> None:
    other = post("9", "咳の薬の広告を見たよ", "A", tag="fever")
    assert answers("nearest", [post("x", "咳の薬の広告を見たよ", "?")], Setting([*TRAIN, other])) == [("B",)]
    assert answers("nearest", [note("x", "発熱と咳嗽")], Setting(NOTES)) == [("発熱", "咳")]
    assert predict("nearest", TRAIN, Setting()) is None


def test_ngram_learns_words_and_their_tag() -> None:
    test = [post("x", "咳が出ている", "A"), post("y", "咳の記事を読む", "B")]
    assert answers("ngram", test, Setting(TRAIN)) == [("A",), ("B",)]
    swapped = [replace(row, tag="fever", answer=("B",) if row.answer == ("A",) else ("A",)) for row in TRAIN]
    mixed = [*test, *(replace(item, tag="fever") for item in test)]
    assert answers("ngram", mixed, Setting(TRAIN + swapped)) == [("A",), ("B",), ("B",), ("A",)]


def test_ngram_borders() -> None:
    assert predict("ngram", NOTES, Setting(NOTES)) is None
    assert predict("ngram", TRAIN, Setting()) is None
    assert answers("ngram", TRAIN[:1], Setting(TRAIN[2:])) == [("B",)]
    several = [replace(row, answer=("A", "B"), wanted=2) for row in TRAIN]
    assert predict("ngram", TRAIN, Setting(several)) is None


def test_ngram_compares_the_sentences_of_a_pair() -> None:
    def pair(identifier: str, first: str, second: str, letter: str) -> Item:
        return replace(post(identifier, "", letter, tag=""), sentences=(first, second))

    words = ["発熱が続いた", "咳が止まった", "胸が痛んだ", "眠れなかった", "足がむくんだ", "食欲が落ちた"]
    train = [pair(f"s{word}", word, word + "。", "A") for word in words]
    train += [pair(f"d{word}", word, other, "B") for word, other in zip(words, words[3:] + words[:3], strict=True)]
    test = [pair("x", "息切れがした", "息切れがした。", "A"), pair("y", "息切れがした", "皮膚を生検", "B")]
    assert answers("ngram", test, Setting(train)) == [("A",), ("B",)]


def test_dictionary_uses_the_tag_s_names_and_the_lexicon() -> None:
    terms = {"disease": ["急性腎不全", "腎不全"], "drug": ["乙注射液"]}
    test = [note("x", "急性腎不全と発熱、乙注射液を開始"), note("y", "乙注射液と甲錠、発熱", tag="m-key")]
    assert answers("dictionary", test, Setting(NOTES, terms=terms)) == [("急性腎不全", "発熱"), ("乙注射液", "甲錠")]
    assert answers("dictionary", test, Setting(NOTES))[0] == ("発熱",)
    assert predict("dictionary", TRAIN, Setting(TRAIN)) is None
    assert predict("dictionary", test, Setting()) is None


def test_tagger_finds_what_no_training_row_named_and_keeps_tags_apart() -> None:
    frames = ("今朝から{}を訴え、{}を処方。", "{}のため{}を開始した。")
    train = [
        note(f"{number}{tag}", frame.format(symptom, drug), (drug if tag == "m-key" else symptom,), tag)
        for number, (symptom, drug) in enumerate(
            [("頭痛", "甲錠"), ("発熱", "乙錠"), ("胸痛", "丙錠"), ("動悸", "丁錠")]
        )
        for frame in frames
        for tag in ("d", "m-key")
    ]
    test = [note("x", "今朝から悪寒を訴え、戊錠を処方。", tag=tag) for tag in ("d", "m-key")]
    assert answers("tagger", test, Setting(train)) == [("悪寒",), ("戊錠",)]
    assert predict("tagger", TRAIN, Setting(TRAIN)) is None
    assert predict("tagger", test, Setting()) is None
    assert predict("tagger", test, Setting([note("1", "発熱", ("咳",))])) is None


def test_names_are_found_longest_first_and_as_written() -> None:
    assert find_names("ＣＯＰＤとCOPD急性増悪、㎎", frozenset({"COPD", "COPD急性増悪"})) == ("ＣＯＰＤ", "COPD急性増悪")
    assert find_names("", frozenset({"咳嗽"})) == ()
    assert find_names("咳嗽咳嗽", frozenset({"咳嗽"})) == ("咳嗽",)


def test_reading_the_lexicon(tmp_path: Path) -> None:
    assert read_terms(None) == {}
    with pytest.raises(InputError, match=r"no terms\.tsv"):
        read_terms(tmp_path)
    path = tmp_path / "terms.tsv"
    path.write_text('term\tkind\treading\n"肺炎\tdisease\t\n甲錠\tdrug\t\n', encoding="utf-8")
    assert read_terms(tmp_path) == {"disease": ['"肺炎'], "drug": ["甲錠"]}
    path.write_text("name\n", encoding="utf-8")
    with pytest.raises(InputError, match="columns"):
        read_terms(tmp_path)


def test_folds_are_predicted_from_their_own_training_rows() -> None:
    halves = (TRAIN[:3], TRAIN[3:])
    folds = [
        Split(f"fold-{place}-of-3", {"posts": list(test)}, {"posts": list(train)})
        for place, (test, train) in enumerate([halves, halves[::-1], ([], TRAIN)], 1)
    ]
    first, second = (answers("majority", test, Setting(train)) for test, train in (halves, halves[::-1]))
    assert predict_folds("majority", "posts", folds, Setting(TRAIN)) == first + second
    assert first != [("A",)] * 3
    assert predict_folds("dictionary", "posts", folds, Setting()) is None
    assert predict_folds("majority", "posts", [replace(folds[0], train={"posts": []})], Setting(TRAIN)) is None


def test_ngram_is_the_same_in_another_process() -> None:
    """Hash seeds differ between processes, so sets and dictionaries are walked in another order there."""
    code = (
        "from igakulm.tasks.items import Item; from igakulm.evaluation.baselines import Setting, predict\n"
        "def pair(n): return Item(str(n), 't', 'choice', '', ('a', 'b', 'c'), ('ABC'[n * n % 3],), tag=str(n % 2),"
        " sentences=(f'熱が{n * 7 % 11}日続く', f'咳が{n * 5 % 13}日続く'))\n"
        "print(predict('ngram', [pair(n) for n in range(150, 220)], Setting([pair(n) for n in range(150)])))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1 and "('B',)" in said.pop()


def test_unknown_baseline() -> None:
    with pytest.raises(InputError, match="unknown baseline"):
        predict("oracle", TRAIN, Setting())


def test_chance_on_the_real_examination_is_about_a_fifth(real_data: Path) -> None:
    items = load_questions(Igakuqa(path=str(real_data / "igakuqa/data")))
    shares = [measure(items, answers("chance", items, Setting(seed=seed)))[0].value for seed in range(5)]
    assert 0.17 < sum(shares) / 5 < 0.21
