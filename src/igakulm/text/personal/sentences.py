"""What MeCab with the IPA dictionary makes of a sentence: words that it takes for names of persons.

Does: cut sentences into words, with what kind of name each is in this sentence, and find persons among them.
Does not: know labels and titles (names.py), or learn (learnt.py).
MeCab reads the whole sentence, so that 「林」 before 「が来た」 can be a person and in 「林を歩く」 is none; it errs
often enough that a name that nothing else speaks for is told with little confidence.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

from igakulm.text.personal.exceptions import NO_NAME, WORD_NAMES
from igakulm.text.personal.gazetteer import Gazetteer
from igakulm.text.personal.name_shapes import is_eponym
from igakulm.text.personal.reading import HAN
from igakulm.text.personal.spans import Span

_SENTENCE = re.compile(r"[^\n。]{1,400}")
"""Longer ones are cut: MeCab's time grows with the square of a run of one kind of characters."""
_KANJI = re.compile(f"[{HAN}]")
_PERSON = {"固有名詞,人名,姓": "surname", "固有名詞,人名,名": "given", "固有名詞,人名,一般": "person"}
_PLACE = "固有名詞,地域"
_ACTS = re.compile(
    r"(?:は|が|も|より|から)(?=[^。\n]{0,16}(?:来院|受診|入院|退院|面会|電話|連絡|話|言|訴|希望|説明|同意|付き添|同席|"
    r"介助|担当|記載|報告|相談|診察|訪問|不在|外出|帰))"
)


class Word(NamedTuple):
    """A word of a sentence; `kind` is surname, given, person, place, or empty."""

    start: int
    end: int
    kind: str


@cache
def _mecab() -> Callable[[str], list[tuple[str, tuple[str, ...]]]]:
    """Words and their features; calls take turns, and nothing of MeCab's is used after its turn."""
    import fugashi
    import ipadic

    tagger, turn = fugashi.GenericTagger(ipadic.MECAB_ARGS), threading.Lock()

    def parse(sentence: str) -> list[tuple[str, tuple[str, ...]]]:
        with turn:
            return [(node.surface, tuple(node.feature)) for node in tagger(sentence)]

    return parse


def named_words(seen: str) -> Iterator[list[Word]]:
    """The words of each sentence that holds kanji, by what MeCab takes them for.

    >>> [[word for word in words if word.kind] for words in named_words("佐藤花子は千葉へ行った。")]
    [[Word(start=0, end=2, kind='surname'), Word(start=2, end=4, kind='given'), Word(start=5, end=7, kind='place')]]
    """
    parse = _mecab()
    for sentence in _SENTENCE.finditer(seen):
        if not _KANJI.search(sentence[0]):
            continue
        place = sentence.start()
        words: list[Word] = []
        for surface, feature in parse(sentence[0].replace("\0", " ")):  # it reads a C string
            start = seen.find(surface, place)  # MeCab leaves out the spaces between words
            if start < 0:
                break
            place = start + len(surface)
            words.append(Word(start, place, _kind(feature)))
        yield words


def _kind(feature: tuple[str, ...]) -> str:
    named = ",".join(feature[1:4])
    return _PERSON.get(named, "place" if named.startswith(_PLACE) else "")


def find_names_in_sentences(seen: str, lists: Gazetteer) -> Iterator[Span]:
    """Surname and given name beside each other, and a surname that does what persons do."""
    for words in named_words(seen):
        before = Word(0, 0, "")
        for word in words:
            pair = before.kind == "surname" and word.kind in ("given", "surname")
            if pair and seen[before.end : word.start] in ("", " "):
                gapped = word.start > before.end
                if (gapped or word.end - word.start > 1) and _may_be(seen, word.end):  # 「塩野義」「泉質」
                    yield Span(before.start, word.end, "name", "names beside each other", 0.75)
            elif word.kind in ("surname", "person") and _ACTS.match(seen, word.end) and _told(seen, word, lists):
                yield Span(word.start, word.end, "name", "does what persons do", 0.6)
            before = word


def _may_be(seen: str, end: int) -> bool:
    return not is_eponym(seen, end) and not re.match(f"[{HAN}]", seen[end : end + 1])


def _told(seen: str, word: Word, lists: Gazetteer) -> bool:
    text = seen[word.start : word.end]
    known = text not in WORD_NAMES and text not in NO_NAME and text not in lists.words and text not in lists.places
    alone = not re.match(f"[{HAN}]", seen[max(0, word.start - 1) : word.start])
    return known and alone and len(text) > 1
