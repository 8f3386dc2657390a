"""A model's answer to an item: JSON as asked for, JSON with small mistakes, or plain text with the usual headings.

Does: find question, five options, right letters and explanation, forgiving reasoning, code fences, full-width letters
and digits, options as an object, answers as numbers or as the option's own words.
Does not: judge what they say (exam_checks.py). Nothing is guessed: what is missing or has two readings is rejected.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from igakulm.synth.check import tidy_answer
from igakulm.synth.exam_item import OPTIONS, ExamItem
from igakulm.tasks.items import LETTERS

REASONS = ("malformed_item", "options_count", "answer_missing", "answer_not_among_options")

_KEYS: dict[str, tuple[str, ...]] = {
    "question": ("question", "stem", "problem", "問題", "問題文", "設問", "問"),
    "options": ("options", "choices", "選択肢"),
    "answer": ("answer", "answers", "correct_answer", "correct", "正解", "正答", "解答", "答え", "答"),
    "explanation": ("explanation", "rationale", "解説", "説明", "解説文"),
}
_CIRCLED = "①②③④⑤⑥⑦⑧"
_OPTION_LABEL = re.compile(
    r"^\s*(?:[（(\[]?([A-Ha-h1-8])[)）\]]|([A-Ha-h1-8])\s*[.．:：、]|([A-Ha-h])\s+|([①-⑧]))\s*(?=\S)"
)
_HEADING = re.compile(
    r"^[\s【\[＜<#*■◆]*(問題文?|設問|問|選択肢|正解|正答|解答|答え?|解説文?|説明|question|options|choices|answer|explanation)"
    r"\s*[0-9]{0,3}[】\]＞>*]*\s*[:：]?[ \t]*",
    re.IGNORECASE,
)
_WIDE = {**{code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}, 0x3000: 0x20}
_BARE = re.compile(r"[\s。．.、,，「」『』（）()]")
_LETTERS = re.compile(r"(?<![A-Za-z0-9])[A-Ha-h1-8](?![A-Za-z0-9])")
_ANSWER_FILLING = re.compile(
    r"(正解|正答|解答|答え|選択肢|番目?|です|である|は|と|および|及び|and|または|[\s:：、,，・.。()（）「」\[\]\"'])+"
)


def parse_exam(answer_text: str) -> ExamItem | str:
    """The item in an answer, or the reason (of `REASONS`) for which there is none.

    >>> parse_exam('{"question": "正しいのはどれか。", "options": ["い", "ろ", "は", "に", "ほ"], "answer": ["ｂ"], '
    ...            '"explanation": "ろである。"}').answer
    ('B',)
    >>> parse_exam("わかりません。")
    'malformed_item'
    """
    text = tidy_answer(answer_text)
    fields = _json_fields(text)
    if fields is None:
        fields = _headed_fields(text)
    question, explanation = (_text(fields.get(name)) for name in ("question", "explanation"))
    options = _options(fields.get("options"))
    if not question or not explanation or options is None:
        return "malformed_item"
    if len(options) != OPTIONS:
        return "options_count"
    answer = _answer(fields.get("answer"), options)
    if isinstance(answer, str):
        return answer
    return ExamItem(question, options, answer, explanation)


def _json_fields(text: str) -> dict[str, object] | None:
    """The first JSON object that has a question and options, its keys as `_KEYS` names them."""
    decoder = json.JSONDecoder(strict=False)
    for start in [found.start() for found in re.finditer(r"\{", text)][:20]:
        for candidate in (text[start:], re.sub(r",(\s*[}\]])", r"\1", text[start:])):
            try:
                value, _ = decoder.raw_decode(candidate)
            except (ValueError, RecursionError):
                continue
            fields = _named(value)
            if "question" in fields and "options" in fields:
                return fields
    return None


def _named(value: object) -> dict[str, Any]:
    """The fields of an object under our names; an object that holds one inner object or a list of one is opened."""
    if isinstance(value, dict) and len(value) == 1:
        value = next(iter(value.values()))
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, dict):
        return {}
    known = {_key(key): entry for key, entry in value.items()}
    fields: dict[str, Any] = {}
    for name, keys in _KEYS.items():
        for key in keys:
            if key in known:
                fields.setdefault(name, known[key])
    return fields


def _key(key: str) -> str:
    return unicodedata.normalize("NFKC", key).strip().casefold()


def _headed_fields(text: str) -> dict[str, object]:
    """Fields of a plain text: lines under headings such as 「問題：」 and options that begin with a letter or digit."""
    fields: dict[str, str] = {}
    options: list[str] = []
    now = "question"
    for line in text.split("\n"):
        if not line.strip():
            continue
        heading = _HEADING.match(line)
        if heading is not None:
            now = next(name for name, keys in _KEYS.items() if heading[1].casefold() in keys)
            line = line[heading.end() :]
        label = _label(line)
        if now in ("question", "options") and label is not None and label == LETTERS[len(options) : len(options) + 1]:
            now = "options"
            options.append(_without_label(line))
        elif line.strip():
            fields[now] = f"{fields[now]}\n{line.strip()}" if now in fields else line.strip()
    return {**fields, "options": options} if options else dict(fields)


def _text(value: object) -> str:
    return unicodedata.normalize("NFC", value).strip() if isinstance(value, str) else ""


def _options(value: object) -> tuple[str, ...] | None:
    """The options without their letters, or None when they are no list of filled texts."""
    if isinstance(value, Mapping):
        value = [value[key] for key in sorted(value, key=str)]
    if isinstance(value, str):
        value = [line for line in value.split("\n") if line.strip()]
    if not isinstance(value, list):
        return None
    texts = [_text(_inner(entry)) for entry in value]
    if not texts or not all(texts):
        return None
    labels = [_label(text) for text in texts]
    in_order = labels == list(LETTERS[: len(texts)])
    bare = tuple(_without_label(text) for text in texts) if in_order else tuple(texts)
    return bare if all(bare) else None


def _inner(entry: object) -> object:
    """The text of an option that is given as an object with a label and a text."""
    if isinstance(entry, Mapping):
        texts = [
            value for key, value in entry.items() if _key(str(key)) in ("text", "content", "option", "選択肢", "内容")
        ]
        return texts[0] if len(texts) == 1 else next(iter(entry.values())) if len(entry) == 1 else None
    return str(entry) if isinstance(entry, int | float) and not isinstance(entry, bool) else entry


def _label(line: str) -> str | None:
    """The capital letter that a line begins with (1 is A), or None."""
    found = _OPTION_LABEL.match(_folded(line))
    return _capital(next(filter(None, found.groups()))) if found else None


def _without_label(line: str) -> str:
    # Folding keeps the number of characters, so that the place found in the folded line holds in the line itself.
    found = _OPTION_LABEL.match(_folded(line))
    return line[found.end() :].strip() if found else line.strip()


def _folded(text: str) -> str:
    """Full-width ASCII as plain characters, one for one."""
    return text.translate(_WIDE)


def _capital(label: str) -> str:
    if label in _CIRCLED:
        return LETTERS[_CIRCLED.index(label)]
    return LETTERS[int(label) - 1] if label.isdecimal() else label.upper()


def parse_letters(value: object, options: Iterable[str] = ()) -> tuple[str, ...] | None:
    """Sorted capital letters named by an answer: letters, numbers from 1, or the words of `options`; None if unclear.

    >>> parse_letters("正解：ａ、ｃ"), parse_letters([2]), parse_letters("②"), parse_letters("不明")
    (('A', 'C'), ('B',), ('B',), None)
    """
    entries = value if isinstance(value, list) else [value]
    words = {
        _BARE.sub("", unicodedata.normalize("NFKC", option)): letter
        for letter, option in zip(LETTERS, options, strict=False)
    }
    found: set[str] = set()
    for entry in entries:
        if isinstance(entry, bool) or not isinstance(entry, str | int):
            return None
        text = unicodedata.normalize("NFKC", str(entry))
        if (letter := words.get(_BARE.sub("", text))) is not None:
            found.add(letter)
            continue
        letters = _entry_letters(text, words)
        if not letters:
            return None
        found |= letters
    return tuple(sorted(found)) or None


def _entry_letters(text: str, words: Mapping[str, str]) -> set[str]:
    """Letters of one entry: nothing but letters, or one letter followed by that option's words."""
    label = _label(text)
    if label is not None:
        rest = _BARE.sub("", _without_label(text))
        if words.get(rest) == label:
            return {label}
    compact = re.fullmatch(r"\s*[A-Ha-h]{2,5}\s*", text)
    if compact:
        return {letter.upper() for letter in text.strip()}
    left = _ANSWER_FILLING.sub("", _LETTERS.sub("", text))
    return set() if left else {_capital(letter) for letter in _LETTERS.findall(text)}


def _answer(value: object, options: tuple[str, ...]) -> tuple[str, ...] | str:
    if value is None or value == "" or value == []:
        return "answer_missing"
    letters = parse_letters(value, options)
    if letters is None or not set(letters) <= set(LETTERS[: len(options)]):
        return "answer_not_among_options"
    return letters
