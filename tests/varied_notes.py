"""Labelled notes in many variations, to train the tagger of personal data with: other people, places and days.

Does: put other invented names, addresses, institutions and dates of birth where a note is labelled, the same person
the same name within a note, and other separators and titles around them; hand on sample texts without any label.
Does not: use the notes that are held out.
"""

from __future__ import annotations

import json
import random
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from igakulm.recipe.personal_data import Kind
from igakulm.text.personal.exceptions import ENGLISH_GIVEN, words
from igakulm.text.personal.gazetteer import gazetteer, romanised
from igakulm.text.personal.reading import HAN, read
from igakulm.text.tagger import Mark
from labelled_notes import FOLDER, Half, Note, from_templates, hand_written, hard_negatives

_HAN = re.compile(f"[{HAN}]+")
_HALF = {unicodedata.normalize("NFKC", chr(code)): chr(code) for code in range(0xFF66, 0xFF9E)}
_PATIENT, _DOCTOR, _NURSE = ("さん", "様", "氏", "さま"), ("先生", "医師", "Dr", "Dr."), ("Ns", "看護師", "NS")
_CLASSES = tuple((title, group) for group in (_PATIENT, _DOCTOR, _NURSE) for title in group[:3])
_ENGLISH = words(
    "Smith Brown Wilson Taylor Clark Lewis Walker Young Allen Wright Scott Green Baker Adams Nelson Carter Mitchell "
    "Roberts Turner Phillips Parker Evans Edwards Collins Stewart Morris Rogers Reed Cook Morgan Bell Murphy Bailey "
    "Rivera Cooper Richardson Cox Howard Ward Torres Peterson Gray Ramirez Watson Brooks Kelly Sanders Price Bennett "
    "Tran Pham Santos Reyes Kumar Singh Chen Wang Zhang Park Choi Schmidt Weber Rossi Silva Costa Ivanov Kovacs"
)
_SEPARATORS = {
    "：": (":", "　", " ", "＝"),
    "　": (" ", "　　", "\n"),
    "、": ("・", " "),
    "・": ("、", "/"),
    "／": ("、", "　"),
}
_FLOWERS = words(
    "あおぞら みどり ひばり すみれ やまびこ かがやき のぞみ いずみ なのはな ほほえみ たんぽぽ しおさい こもれび"
)
_HOUSE = re.compile(
    r"(?:総合病院|記念病院|中央病院|医療センター|大学病院|病院|(?:[一-鿿]{1,5}科)?(?:クリニック|医院|診療所)|薬局|"
    r"訪問看護ステーション|の[里苑郷家園]|保育園|幼稚園|小学校|中学校|高校|高等学校|大学|株式会社|警察署|市役所)$"
)


@dataclass(frozen=True)
class Pools:
    """Names to draw from; `first` and `last` are the characters of frequent surnames, which make up unknown ones."""

    frequent: list[str]
    surnames: list[str]
    short: list[str]
    first: list[str]
    last: list[str]
    given: list[str]
    given_first: list[str]
    given_last: list[str]
    surname_kana: list[str]
    given_kana: list[str]
    surname_letters: list[str]
    given_letters: list[str]
    places: list[str]


def _pools() -> Pools:
    lists = gazetteer()
    frequent = sorted(name for name in lists.frequent if _HAN.fullmatch(name))
    pairs = [name for name in frequent if len(name) == 2]
    given = sorted(name for name in lists.given if _HAN.fullmatch(name))
    given_pairs = [name for name in given if len(name) == 2]
    surname_kana = sorted(name for name in lists.surname_readings if 2 <= len(name) <= 6)
    given_kana = sorted(name for name in lists.given_readings if 2 <= len(name) <= 5)
    return Pools(
        frequent=frequent,
        surnames=sorted(name for name in lists.surnames if _HAN.fullmatch(name)),
        short=[name for name in frequent if len(name) == 1],
        first=[name[0] for name in pairs],
        last=[name[1] for name in pairs],
        given=given,
        given_first=[name[0] for name in given_pairs],
        given_last=[name[1] for name in given_pairs],
        surname_kana=surname_kana,
        given_kana=given_kana,
        surname_letters=[letters for name in surname_kana if (letters := romanised(name))],
        given_letters=[letters for name in given_kana if (letters := romanised(name))],
        places=sorted(place for place in lists.places if 2 <= len(place) <= 3 and _HAN.fullmatch(place)),
    )


POOLS = _pools()


class Cast:
    """The people of one variation of a note: an old word of a name to the new one."""

    def __init__(self, draw: random.Random) -> None:
        self.draw = draw
        self.known: dict[tuple[str, str], str] = {}

    def surname(self) -> str:
        chance = self.draw.random()
        if chance < 0.3:
            return self.draw.choice(POOLS.frequent)
        if chance < 0.6:
            return self.draw.choice(POOLS.surnames)
        if chance < 0.66:
            return self.draw.choice(POOLS.short)
        return self.draw.choice(POOLS.first) + self.draw.choice(POOLS.last)

    def given_name(self) -> str:
        chance = self.draw.random()
        if chance < 0.7:
            return self.draw.choice(POOLS.given)
        if chance < 0.85:
            kana = self.draw.choice(POOLS.given_kana)
            return kana if chance < 0.78 else hiragana(kana)
        return self.draw.choice(POOLS.given_first) + self.draw.choice(POOLS.given_last)

    def of(self, role: str, word: str) -> str:
        if (role, word) not in self.known:
            new = {"surname": self.surname, "given": self.given_name}.get(role, lambda: self.kana(role, word))()
            self.known[role, word] = new
        return self.known[role, word]

    def kana(self, role: str, word: str) -> str:
        new = self.draw.choice(POOLS.surname_kana if role == "surname kana" else POOLS.given_kana)
        return hiragana(new) if re.match("[ぁ-ん]", word) else new

    def name(self, text: str) -> str:
        """Another name of the same form."""
        if re.search("[ｦ-ﾟ]", text):
            return halved(self.name(unicodedata.normalize("NFKC", text)))
        if re.match("[A-Za-zＡ-Ｚａ-ｚ]", text):
            return self.latin(text)
        words = [word for word in re.split(r"([ 　\n・、,]+)", text) if word]
        plain = [word for word in words if not re.fullmatch(r"[ 　\n・、,]+", word)]
        if len(plain) == 2:
            return "".join(self.word(word, "surname" if word == plain[0] else "given") for word in words)
        if len(plain) > 2 or not _HAN.fullmatch(text):
            return "".join(self.word(word, self.guess(word)) for word in words)
        cut = gazetteer().full_name(text)
        if cut:
            return self.of("surname", text[:cut]) + self.of("given", text[cut:])
        return self.word(text, self.guess(text))

    def guess(self, word: str) -> str:
        lists = gazetteer()
        known_given = word in lists.given and word not in lists.frequent
        return "given" if known_given or not _HAN.search(word) else "surname"

    def word(self, word: str, role: str) -> str:
        if re.fullmatch(r"[ 　\n・、,]+", word):
            return word
        if re.fullmatch("[ァ-ヺー]+|[ぁ-んー]+", word):
            return self.of(f"{role} kana", word)
        mixed = re.fullmatch(rf"([{HAN}]+)([ァ-ヺーぁ-ん]+)", word)
        if mixed:
            return self.of("surname", mixed[1]) + self.of("given kana", mixed[2])
        return self.of(role, word) if _HAN.fullmatch(word) else word

    def latin(self, text: str) -> str:
        plain = unicodedata.normalize("NFKC", text)
        if len(plain.replace(".", "").strip()) < 3:
            return text
        english = self.draw.random() < 0.4
        pool = (_ENGLISH, sorted(ENGLISH_GIVEN)) if english else (POOLS.surname_letters, POOLS.given_letters)
        place = 0

        def other(found: re.Match[str]) -> str:
            nonlocal place
            place += 1
            if len(found[0]) == 1:
                return found[0]
            new = self.draw.choice(pool[place % 2])
            return new.upper() if found[0].isupper() else new.capitalize()

        new = re.sub("[A-Za-z'’-]+", other, plain)
        return new if plain == text else "".join(chr(ord(one) + 0xFEE0) if "!" <= one <= "~" else one for one in new)


def hiragana(text: str) -> str:
    return "".join(chr(ord(one) - 0x60) if "ァ" <= one <= "ヶ" else one for one in text)


def halved(text: str) -> str:
    marks = str.maketrans({"\u3099": "ﾞ", "\u309a": "ﾟ"})
    return "".join(_HALF.get(one, one) for one in unicodedata.normalize("NFD", text)).translate(marks)


def _digits(text: str, draw: random.Random) -> str:
    return re.sub("[0-9]", lambda _: draw.choice("0123456789"), text)


def _birth(text: str, draw: random.Random) -> str:
    def other(found: re.Match[str]) -> str:
        size = len(found[0])
        if size == 8:
            return f"{draw.randint(1920, 2024)}{draw.randint(1, 12):02}{draw.randint(1, 28):02}"
        new = draw.randint(1920, 2024) if size == 4 else draw.randint(1, 12)
        return f"{new:0{size}}"

    return re.sub("[0-9]+", other, text)


def _address(text: str, draw: random.Random) -> str:
    if draw.random() < 0.5 or not re.search("[市区町村郡]", text):
        return _digits(text, draw)
    head = f"{draw.choice(POOLS.places)}{draw.choice('県市府郡')}" if draw.random() < 0.5 else ""
    town = f"{draw.choice(POOLS.places)}{draw.choice(['', '町', '', '大字'])}"
    block, house, room = draw.randint(1, 9), draw.randint(1, 40), draw.randint(1, 30)
    numbers = (f"{block}-{house}-{room}", f"{house * room}番地", f"{block}丁目{house}番{room}号", f"{house * room}")
    return f"{head}{draw.choice(POOLS.places)}{draw.choice('市区町村')}{town}{draw.choice(numbers)}"


def _house(text: str, draw: random.Random, cast: Cast) -> str:
    end = _HOUSE.search(text)
    if not end or draw.random() < 0.3:
        return text
    heads = (draw.choice(POOLS.places), cast.surname(), draw.choice(_FLOWERS), hiragana(draw.choice(POOLS.given_kana)),
             f"{draw.choice(['県立', '市立', '町立', '聖'])}{draw.choice(POOLS.places)}")  # fmt: skip
    return draw.choice(heads) + end[0]


def varied(note: Note, number: int) -> tuple[str, list[Mark]]:
    """One variation of a note, as the rules read it, with the marks of the kinds that the tagger learns."""
    draw = random.Random(f"{note.name} {number}")
    cast = Cast(draw)
    separators = draw.random() < 0.5
    text, marks, done = "", [], 0
    for start, end, kind in sorted(note.spans):
        text += _between(note.text[done:start], draw, separators)
        new = _other(note.text[start:end], kind, draw, cast)
        marks.append(Mark(len(text), len(text) + len(new), kind))
        text, done = text + new, end
    return read(text + _between(note.text[done:], draw, separators)), marks


def _other(text: str, kind: Kind, draw: random.Random, cast: Cast) -> str:
    if kind == "name":
        return cast.name(text)
    if kind == "birth_date":
        return _birth(text, draw)
    if kind == "address":
        return _address(text, draw)
    if kind == "institution":
        return _house(text, draw, cast)
    return _digits(text, draw)


def _between(text: str, draw: random.Random, separators: bool) -> str:
    """What stands around labels, with another title at its beginning and, in some notes, other separators."""
    for title, group in _CLASSES:
        if text.startswith(title) and draw.random() < 0.5:
            text = draw.choice(group) + text[len(title) :]
            break
    if separators and len(text) > 1:
        for one, others in _SEPARATORS.items():
            if draw.random() < 0.3:
                text = text.replace(one, draw.choice(others))
    return text


def training_notes(halves: Sequence[Half], times: int) -> Iterator[tuple[str, list[Mark]]]:
    """Variations of the notes of some sets, and their negatives as they are."""
    for half in halves:
        for note in [*hand_written(half), *from_templates(half)[::4]]:
            yield from (varied(note, number) for number in range(times))
        yield from ((read(line), []) for line in hard_negatives(half))


def sample_texts(samples: Path, longest: int = 120) -> Iterator[tuple[str, list[Mark]]]:
    """Prose that names nobody: beginnings of the project's sample texts, and lines of reports of cases."""
    names = ("corpus/diseases_1", "corpus/diseases_2", "corpus/drugs", "corpus/tests_nursing", "tasks/nursing.train")
    for name in names:
        for line in (samples / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            yield read((row.get("text") or row["document"])[:longest]), []
    for line in (FOLDER / "prose.txt").read_text(encoding="utf-8").splitlines():
        yield read(line), []
