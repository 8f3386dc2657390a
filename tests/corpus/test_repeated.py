from __future__ import annotations

import random
import re
import tracemalloc
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from igakulm.corpus.repeated import (
    Marks,
    Stripped,
    boilerplate_reason,
    decide,
    mark,
    site_of,
    strip_repeated,
)
from igakulm.recipe.schema import Filters, RepeatedText
from igakulm.text.ngrams import letters_of

FOOTER = "このサイトの文章と写真を許可なく転載することを禁じます"
CONFIG = RepeatedText(boilerplate_documents=3, boilerplate_share=0.5)
LONG = [
    f"{organ}の検査では、前日の夜から食事をとらずに来院し、結果が出るまで{hours}時間ほど待合室で休んでいただきます。"
    for organ, hours in (("胃", 1), ("大腸", 2), ("肝臓", 3), ("心臓", 4), ("肺", 5), ("腎臓", 6))
]


def run(texts: list[str], sites: list[str], config: RepeatedText = CONFIG, sizes: tuple[int, ...] = ()) -> list[str]:
    """Texts after all three steps, in batches of `sizes` and one for the rest."""
    return [stripped.text for stripped in stripped_of(texts, sites, config, sizes)]


def stripped_of(
    texts: list[str], sites: list[str], config: RepeatedText = CONFIG, sizes: tuple[int, ...] = ()
) -> list[Stripped]:
    borders = [0, *np.cumsum(sizes).tolist(), len(texts)]
    batches = [slice(a, b) for a, b in pairwise(borders)]
    marks = [mark(texts[batch], sites[batch], config) for batch in batches]
    repeats = decide(marks, np.ones(len(texts), bool), config)
    found: list[Stripped] = []
    for batch in batches:
        numbers = range(len(texts))[batch]
        found += strip_repeated(texts[batch], sites[batch], numbers, repeats, config)
    return found


def letters(text: str) -> str:
    codes = letters_of([text]).codes
    return codes.tobytes().decode("utf-32-le")


def oracle(texts: list[str], sites: list[str], config: RepeatedText) -> list[str]:
    """The same slowly, with sets of strings."""
    members = Counter(site for site in sites if site)
    having: Counter[tuple[str, str]] = Counter()
    for text, site in zip(texts, sites, strict=True):
        having.update({(site, letters(line)) for line in text.split("\n")} if site else ())
    seen: set[str] = set()
    result = []
    for text, site in zip(texts, sites, strict=True):
        here: set[str] = set()
        kept = []
        sentences = [re.findall(r"[^。!?]*[。!?]+[」』)】〉》]?|[^。!?]+", line) for line in text.split("\n")]
        states = _states(sentences, seen, config)
        for line, parts, repeated in zip(text.split("\n"), sentences, states, strict=True):
            key = letters(line)
            count = having[site, key]
            long = len(key) >= config.sentence_min_characters
            again = long and (key in seen or key in here)
            here.add(key)
            if (
                config.boilerplate
                and len(key) >= config.boilerplate_min_characters
                and count >= config.boilerplate_documents
                and count >= config.boilerplate_share * members[site]
            ):
                continue
            if config.sentences and again:
                continue
            left = "".join(part for part, gone in zip(parts, repeated, strict=True) if not gone).strip(" ")
            kept += [left] if left else []
        for line, parts in zip(text.split("\n"), sentences, strict=True):
            seen.update(key for key in map(letters, (line, *parts)) if len(key) >= config.sentence_min_characters)
        result.append("\n".join(kept))
    return result


def _states(sentences: list[list[str]], seen: set[str], config: RepeatedText) -> list[list[bool]]:
    """For each sentence of each line whether it is in a run of repeated ones."""
    flat = [letters(part) for line in sentences for part in line]
    here: set[str] = set()
    repeated = []
    for key in flat:
        repeated.append(
            config.sentences and len(key) >= config.sentence_min_characters and (key in seen or key in here)
        )
        here.add(key)
    marks = "".join("x" if one else "." for one in repeated)
    marks = re.sub("x+", lambda found: ("x" if len(found[0]) >= config.sentence_run else ".") * len(found[0]), marks)
    states = iter(marks)
    return [[next(states) == "x" for _ in line] for line in sentences]


def test_a_line_that_pages_of_a_site_share_goes_from_all_of_them() -> None:
    texts = [f"{LONG[number]}\n{FOOTER}" for number in range(4)]
    assert run(texts, ["a.jp"] * 4) == LONG[:4]
    found = stripped_of(texts, ["a.jp"] * 4)
    assert [one.boilerplate for one in found] == [len(FOOTER)] * 4
    assert [one.repeated for one in found] == [0] * 4


def test_width_spaces_and_marks_of_a_line_make_no_difference() -> None:
    texts = [f"{LONG[0]}\n■ABC病院 交通案内", f"{LONG[1]}\nabc病院・交通案内", f"ABC病院 交通案内>>\n{LONG[2]}"]
    assert run(texts, ["a.jp"] * 3) == LONG[:3]


@pytest.mark.parametrize(
    ("sites", "config"),
    [
        (["a.jp", "b.jp", "c.jp", "d.jp"], CONFIG),  # one page of each
        ([""] * 4, CONFIG),  # no site
        (["a.jp"] * 4, RepeatedText(boilerplate_documents=5)),  # too few pages
        (["a.jp"] * 4, RepeatedText(boilerplate=False)),
        (["a.jp"] * 4, RepeatedText(boilerplate_documents=2, boilerplate_min_characters=100)),
    ],
)
def test_a_line_stays_where_it_is_no_boilerplate(sites: list[str], config: RepeatedText) -> None:
    texts = [f"{LONG[number]}\n交通案内と駐車場のご利用" for number in range(4)]
    assert run(texts, sites, config) == texts


def test_the_share_of_a_site_counts() -> None:
    texts = [f"{letter}についての頁です\n交通案内と駐車場" for letter in "甲乙丙"] + ["別の頁です"] * 4
    assert run(texts, ["a.jp"] * 7) == texts  # 3 of 7 are fewer than half
    assert run(texts[:6], ["a.jp"] * 6)[0] == "甲についての頁です"


def test_a_line_repeated_in_one_page_only_is_no_boilerplate() -> None:
    texts = ["交通案内と駐車場\n本文です\n" * 5 + "終わり", "別の頁"]
    assert run(texts, ["a.jp"] * 2, RepeatedText(boilerplate_documents=2)) == texts


def test_the_same_line_on_other_sites_is_theirs() -> None:
    texts = ["交通案内と駐車場\n本文"] * 3 + ["交通案内と駐車場\n案内"]
    assert run(texts, ["a.jp"] * 3 + ["b.jp"]) == ["本文"] * 3 + [texts[3]]


def test_one_sentence_is_not_torn_out_of_prose_but_a_run_and_a_whole_line_are() -> None:
    first = "".join(LONG[:3])
    one = f"はじめに。{LONG[1]}終わりに。"
    several = f"はじめに。{LONG[0]}{LONG[1]}{LONG[2]}終わりに。"
    line = f"はじめに。\n{LONG[2]}\n終わりに。"
    assert run([first, one, several, line], [""] * 4) == [
        first,
        one,
        "はじめに。終わりに。",
        "はじめに。\n終わりに。",
    ]


def test_repeats_within_a_document_keep_the_first() -> None:
    text = f"{LONG[0]}\n短い行\n{LONG[0]}\n短い行\n{LONG[0]}"
    assert run([text], [""]) == [f"{LONG[0]}\n短い行\n短い行"]


def test_short_sentences_stay_however_often_they_occur() -> None:
    texts = ["特記すべきことなし。\n経過良好。\n次回は1か月後。"] * 5
    assert run(texts, [""] * 5) == texts


def test_a_dropped_document_keeps_no_sentence_from_another() -> None:
    texts = [LONG[0], LONG[0], LONG[0]]
    marks = [mark(texts, [""] * 3, CONFIG)]
    repeats = decide(marks, np.array([False, True, True]), CONFIG)
    assert [one.text for one in strip_repeated(texts, [""] * 3, range(3), repeats, CONFIG)][1:] == [LONG[0], ""]


def test_quotes_stay_with_their_sentence() -> None:
    quoted = [f"「{sentence}」" for sentence in LONG[:3]]
    first = "と言った。".join(quoted)
    assert run([first, "".join(quoted) + "と皆が言った。"], [""] * 2) == [first, "と皆が言った。"]


def test_reason_when_too_little_is_left() -> None:
    found = stripped_of([f"本文{number}\n{FOOTER}" for number in range(3)], ["a.jp"] * 3)
    reason = boilerplate_reason(found[0], Filters(min_characters=10))
    assert reason is not None and reason[0] == "boilerplate" and str(len(FOOTER)) in reason[1]
    assert boilerplate_reason(found[0], Filters(min_characters=3)) is None
    assert boilerplate_reason(Stripped("", 5), Filters(min_characters=0)) is not None  # nothing is no document
    assert boilerplate_reason(Stripped(""), Filters()) is None  # not for what was short before


@pytest.mark.parametrize(
    ("meta", "site"),
    [
        ('{"url": "http://www.a.jp/x"}', "a.jp"),
        ('{"title": "x", "url": "HTTPS://B.example.COM"}', "b.example.com"),
        ('{"url": "no address"}', ""),
        ('{"url": ""}', ""),
        ('{"url": "http://[broken"}', ""),
        ('{"url": 5}', ""),
        ("{}", ""),
    ],
)
def test_sites(meta: str, site: str) -> None:
    assert site_of("web", meta, RepeatedText()) == site


def random_documents(seed: int, count: int) -> tuple[list[str], list[str]]:
    chooser = random.Random(seed)
    stock = [*LONG, FOOTER, "交通案内", "", "本当か?", "「はい。」", "薬を飲む。水を飲む。", "🙂熱がある!", "a b c"]
    texts, sites = [], []
    for _ in range(count):
        pieces = chooser.choices(stock, k=chooser.randrange(8))
        text = "".join(piece + chooser.choice(["", "\n", "", " "]) for piece in pieces)
        texts.append(re.sub(r" *\n[ \n]*", "\n", text).strip(" \n"))
        sites.append(chooser.choice(["", "a.jp", "b.jp"]))
    return texts, sites


@pytest.mark.parametrize("seed", range(20))
def test_like_the_oracle_and_the_same_for_any_batches(seed: int) -> None:
    texts, sites = random_documents(seed, 40)
    for config in (CONFIG, RepeatedText(sentence_min_characters=5, sentence_run=1 + seed % 3, boilerplate_documents=4)):
        expected = oracle(texts, sites, config)
        assert run(texts, sites, config) == expected
        assert run(texts, sites, config, sizes=(1, 7, 0, 20)) == expected


def test_nothing_and_empty_documents() -> None:
    assert run([], []) == []
    assert run(["", "", "\n"], ["a.jp"] * 3) == ["", "", "\n"]
    with pytest.raises(ValueError, match="1 documents are marked, but 2 are judged"):
        decide([mark(["一"], [""], CONFIG)], np.ones(2, bool), CONFIG)


def generated_marks(batches: int, documents: int, sentences: int) -> list[Marks]:
    source = np.random.default_rng(0)
    marks = []
    for _ in range(batches):
        hashes = np.sort(source.integers(0, 2**64, documents * sentences, np.uint64))
        numbers = source.integers(0, documents, hashes.size).astype(np.int32)
        empty = np.zeros(0, np.uint64), np.zeros(0, np.int32)
        marks.append(Marks(np.zeros(documents, np.uint64), *empty, hashes, numbers))
    return marks


def test_the_decision_needs_little_memory_beside_the_marks() -> None:
    marks = generated_marks(batches=20, documents=1000, sentences=30)
    held = sum(column.nbytes for one in marks for column in one)
    alive = np.ones(20_000, bool)
    tracemalloc.start()
    decide(marks, alive, RepeatedText())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < held / 4 + 2**20
