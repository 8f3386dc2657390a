"""Documents with planted near-duplicates of nine kinds, and the true similarity of two documents.

Does: make prose-like text without meaning, change given texts, and build a set of both with what belongs to what.
Does not: read anything. Used by the tests and by benchmarks/near_duplicates.py.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

from igakulm.text.cleaning import clean_text
from igakulm.text.ngrams import letters_of, ngrams_of

_HIRAGANA = [chr(code) for code in range(0x3042, 0x3094)]
_KATAKANA = [chr(code) for code in range(0x30A2, 0x30F4)]
_KANJI = [chr(code) for code in range(0x4E00, 0x5A00)]
_WIDE = {code: code + 0xFEE0 for code in range(0x21, 0x7F)} | {0x20: 0x3000}
_HALF_KATAKANA = str.maketrans("アイウエオカキクケコサシスセソ", "ｱｲｳｴｵｶｷｸｹｺｻｼｽｾｿ")
_HEADER = "トップページ > 病気の説明 > 詳しい説明の頁\nこの頁は印刷してお使いいただけます"
_FOOTER = "前の頁へ戻る | 次の頁へ進む | お問い合わせ先\nこのサイトの文章と写真の無断転載はご遠慮ください"


def words(seed: int, count: int = 20_000) -> list[str]:
    """Made-up words, the frequent ones first."""
    chooser = random.Random(seed)
    made = []
    for _ in range(count):
        kind = chooser.choices([_HIRAGANA, _KATAKANA, _KANJI], [3, 1, 3])[0]
        made.append("".join(chooser.choices(kind, k=chooser.randrange(1, 5))))
    return made


def prose(chooser: random.Random, vocabulary: Sequence[str], length: int) -> str:
    """Sentences and paragraphs of about `length` characters; words are drawn with Zipf's law."""
    sentences: list[str] = []
    size = 0
    while size < length:
        count = chooser.randrange(8, 25)
        ranks = [int(len(vocabulary) ** chooser.random()) - 1 for _ in range(count)]
        parts = [vocabulary[rank] for rank in ranks]
        if chooser.random() < 0.3:
            parts[count // 2] = f"{chooser.randrange(1000)}.{chooser.randrange(10)}mg"
        parts[count // 3] += "、"
        sentences.append("".join(parts) + ("。\n" if chooser.random() < 0.2 else "。"))
        size += len(sentences[-1])
    return "".join(sentences).strip()


def edited(text: str, chooser: random.Random, share: float) -> str:
    """A share of the letters replaced, left out or doubled by others."""
    characters = list(text)
    letters = [place for place, character in enumerate(characters) if character not in "、。\n"]
    for place in chooser.sample(letters, max(1, round(share * len(letters)))):
        other = chooser.choice(_KANJI)
        characters[place] = chooser.choice([other, "", characters[place] + other])
    return "".join(characters)


def _width(text: str, chooser: random.Random) -> str:
    wide = text.translate(_WIDE) if chooser.random() < 0.7 else text
    return wide.translate(_HALF_KATAKANA)


def _punctuation(text: str, chooser: random.Random) -> str:
    comma, stop = chooser.choice([("，", "．"), (",", "."), ("、 ", "。 "), ("", "!"), (" ", "。\n\n")])
    return text.replace("、", comma).replace("。", stop)


def _truncated(text: str, chooser: random.Random) -> str:
    return text[: round(len(text) * chooser.uniform(0.75, 0.95))]


def _without_a_sentence(text: str, chooser: random.Random) -> str:
    sentences = text.split("。")
    del sentences[chooser.randrange(len(sentences) - 1)]
    return "。".join(sentences)


KINDS: dict[str, Callable[[str, random.Random], str]] = {
    "exact": lambda text, _: text,
    "edited 1 %": lambda text, chooser: edited(text, chooser, 0.01),
    "edited 3 %": lambda text, chooser: edited(text, chooser, 0.03),
    "edited 6 %": lambda text, chooser: edited(text, chooser, 0.06),
    "width": _width,
    "punctuation": _punctuation,
    "boiler-plate added": lambda text, _: f"{_HEADER}\n{text}\n{_FOOTER}",
    "truncated": _truncated,
    "a sentence dropped": _without_a_sentence,
}
REQUIRED = {
    "exact": 1.0,
    "edited 1 %": 1.0,
    "edited 3 %": 0.75,
    "width": 1.0,
    "punctuation": 1.0,
    "boiler-plate added": 0.9,
    "truncated": 0.9,
    "a sentence dropped": 0.9,
}
"""Share of each kind that must be found; edits of 6 % are reported only."""


class Planted(NamedTuple):
    """Cleaned documents; `of[i]` is the original of document i, -1 for one without, and `kinds[i]` what was done."""

    texts: list[str]
    of: list[int]
    kinds: list[str]


def plant(originals: Sequence[str], each: int, seed: int) -> Planted:
    """`each` variants of every kind, of different originals, mixed in behind them; half-alike documents in between."""
    chooser = random.Random(seed)
    made: list[tuple[str, int, str]] = []
    for kind, change in KINDS.items():
        made += [
            (change(originals[place], chooser), place, kind) for place in chooser.sample(range(len(originals)), each)
        ]
    for _ in range(each):
        one, other = chooser.sample(range(len(originals)), 2)
        text = originals[one][: len(originals[one]) // 2] + originals[other][len(originals[other]) // 2 :]
        made.append((text, -1, "half of two"))
    chooser.shuffle(made)
    texts = [*originals, *(text for text, _, _ in made)]
    return Planted(
        [clean_text(text) for text in texts],
        [-1] * len(originals) + [of for _, of, _ in made],
        ["original"] * len(originals) + [kind for _, _, kind in made],
    )


def true_jaccard(one: str, other: str, length: int = 5) -> float:
    """Shared n-grams of letters and digits among all of two texts."""
    first, second = (set(ngrams_of(letters_of([text]), length).hashes.tolist()) for text in (one, other))
    return len(first & second) / max(len(first | second), 1)
