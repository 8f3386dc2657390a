"""The cleaning of section 2.2.1 once more, one document at a time and as plainly as possible: the judge of clean.py.

It shares the tables of characters.py (they are the definition) and none of the code.
"""

from __future__ import annotations

import re
import unicodedata

from igakulm.text.characters import (
    BEFORE_NFKC,
    CLOSING,
    FRACTIONS,
    NEVER_FIRST,
    PROTECTED,
    RUNS,
    SEPARATOR,
    SMALL_ROMANS,
    UNIFIED,
    needed,
)

KEEP = needed() | set(PROTECTED)
LETTERS = "ぁ-ゖゝゞァ-ヺー-ヾ㐀-䶿一-鿿豈-﫿\U00020000-\U000323af々〆〇"


def nfkc(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def numbers(text: str) -> str:
    def write(found: re.Match[str]) -> str:
        if found["roman"]:
            return nfkc(found[0]) + "・"
        return (" " if found["fraction"] else "^") + nfkc(found[0])

    power = r"(?<=[0-9０-９])[⁺⁻]?[⁰¹²³⁴-⁹]+"
    fraction = rf"(?P<fraction>(?<=[0-9０-９⁰¹²³⁴-⁹])[{FRACTIONS}])"
    roman = rf"(?P<roman>[{SMALL_ROMANS}](?=[Ⅰ-ⅿ]))"
    return re.sub(f"{power}|{fraction}|{roman}", write, text)


def normalise(text: str) -> str:
    pieces = re.split(f"([{PROTECTED}])", text.translate(str.maketrans(dict[str, str | int | None](BEFORE_NFKC))))
    return "".join(piece if piece and piece in PROTECTED else nfkc(piece) for piece in pieces)


def stops(text: str) -> str:
    def replace(found: re.Match[str]) -> str:
        before, after = text[found.start() - 1 : found.start()], text[found.end() : found.end() + 1]
        mark = found[0]
        after_clause = bool(re.match(f"[{LETTERS}{CLOSING}]", before))
        if mark == "，":
            return "," if re.match("[0-9]", before) and re.match("[0-9]", after) else "、"
        if mark == "．":
            ends = after in ("", "\n")
            return "。" if ends or after_clause or (before and before in ")]}%℃\"'") else "."
        if mark == ",":
            return "、" if after_clause else ","
        goes_on = bool(re.match(f"[{LETTERS}{CLOSING}「『【〈《〔()\"' \n]", after)) or not after
        return "。" if after_clause and goes_on else "."

    return re.sub("[，．,.]", replace, text)


def clean(text: str) -> str:
    text = normalise(numbers(text.replace(SEPARATOR, "")))
    text = "".join(unified for character in text if (unified := UNIFIED.get(character, character)) in KEEP)
    text = re.sub(r"．[.．]+|\.[.．]{2,}", "…", text)
    text = re.sub("・・・+", "…", text)
    text = text.replace("°C", "℃").replace("°F", "℉")
    text = re.sub(r"(?<=[ぁ-ゖァ-ヺー々㐀-䶿一-鿿!?])[wW]{2,}(?![A-Za-z0-9.])", "", text)
    text = re.sub("笑笑+", "笑", text)
    text = re.sub(" +", " ", text)
    text = re.sub(" ?\n[ \n]*", "\n", text).strip(" \n")
    text = stops(text)
    text = re.sub("([、。]) ", r"\1", text)
    for character, least in RUNS.items():
        text = re.sub(f"{re.escape(character)}{{{least},}}", character, text)
    text = re.sub("(?<=[0-9A-Za-z])ー(?=[0-9A-Za-z])", "\ue000", text)
    text = re.sub(f"(?<=[ァ-ヺ])-(?=[{NEVER_FIRST}])", "ー", text)
    return text.replace("\ue000", "-").strip(" \n")
