"""The cleaning of section 2.2.1 once more, a document at a time and as plainly as possible: the judge of the fast one.

Written from the paper's list of rules and from Unicode's own tables (names, categories, decompositions), by these
principles: no two numbers become one; what a reader sees and no document needs leaves a space where it stood between
words; one look has one form. Which characters look alike is a choice and no fact, so that table is shared
(lookalikes.py, symbol_fonts.py), as are the needed characters; nothing else is.
"""

from __future__ import annotations

import re
import unicodedata

from igakulm.text.characters import CLOSING, NEVER_FIRST, SEPARATOR, needed
from igakulm.text.lookalikes import BEFORE_NFKC, UNIFIED
from igakulm.text.replacement import repair
from igakulm.text.symbol_fonts import sign_of

PROTECTED = "…℃℉．，"
KEEP = needed() | set(PROTECTED)
LETTERS = "ぁ-ゖゝゞァ-ヺー-ヾ㐀-䶿一-鿿豈-﫿\U00020000-\U000323af々〆〇"
LATIN = "A-Za-zÀ-ÖØ-öø-ɏ"
UNSEEN, SEEN = "\x01", "\x02"
SPACING = "".join(
    chr(code)
    for code in range(0xA1, 0x20000)
    if re.match(" .", unicodedata.normalize("NFKC", chr(code))) and chr(code) not in BEFORE_NFKC
)
"""Accents that stand by themselves: NFKC makes a space with a mark of them."""
SECONDS = {
    chr(int(parts[1], 16))
    for parts in (unicodedata.decomposition(chr(code)).split() for code in range(0x20000))
    if len(parts) == 2 and not parts[0].startswith("<")
}
"""What canonical composition may join to the character before."""


def nfkc(text: str) -> str:
    pieces = re.split(f"([{PROTECTED}])", text)
    return "".join(piece if piece and piece in PROTECTED else unicodedata.normalize("NFKC", piece) for piece in pieces)


def form(character: str) -> str:
    return BEFORE_NFKC.get(character) or nfkc(character)


def way(character: str) -> str:
    """How Unicode says that a character is made of others: <super>, <sub>, <fraction>, <circle> …"""
    found = re.match("<[a-z]+>", unicodedata.decomposition(character)) if character else None
    return found[0] if found else ""


def is_roman(character: str) -> bool:
    return "ROMAN NUMERAL" in unicodedata.name(character or " ", "") and form(character).isascii()


def is_letter_sign(character: str) -> bool:
    name = unicodedata.name(character, "")
    enclosed = re.fullmatch("(NEGATIVE )?(CIRCLED|SQUARED) LATIN (CAPITAL|SMALL) LETTER [A-Z]", name)
    return character == "🆎" or (bool(enclosed) and character not in "ⓇⓡⒸⓒ")


def is_mark(character: str) -> bool:
    """Whether it belongs to the character before it."""
    first = form(character)[:1]
    mark = any(unicodedata.combining(one) or one in SECONDS for one in (character, first) if one)
    return mark or character in "゛゜ﾞﾟ"


def is_latin(character: str) -> bool:
    return bool(re.fullmatch(f"[{LATIN}]", form(character) if character else "")) and character.isalpha()


ROMANS = ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX"]


def bracket(text: str, place: int) -> str:
    """≪ and ≫ that both stand in one line, with something and none of their kind between, else << and >>."""
    if text[place] == "≪":
        return "≪" if re.match("[^≪≫\n\x1e]{1,79}≫", text[place + 1 : place + 81]) else "<<"
    return "≫" if re.search("≪[^≪≫\n\x1e]{1,79}$", text[max(0, place - 80) : place]) else ">>"


def written(text: str, place: int, before: str) -> str:
    """The form of one character: apart from a number, or a word, that it does not belong to."""
    character = text[place]
    previous, after = text[place - 1 : place], text[place + 1 : place + 2]
    after = "" if after and is_mark(after) else after
    if "\uf020" <= character <= "\uf0ff":
        line = text[:place].rsplit("\n", 1)[-1].rsplit(SEPARATOR, 1)[-1][-4:]
        bullet = not line.strip(" \t\u3000") and not re.match("[0-9A-Za-z]", after)
        return sign_of(ord(character), bullet=bullet) or character
    if character == "·":
        return "." if before.isdecimal() and after.isdecimal() else character
    if character in "≪≫":
        return bracket(text, place)
    if character in SPACING:
        return character
    made = form(character)
    if is_letter_sign(character):
        return (" " if is_latin(before) else "") + made + (" " if is_latin(after) and not is_letter_sign(after) else "")
    if is_roman(character):
        made += "・" if made.upper() in ROMANS and is_roman(after) else ""
        return made if is_roman(previous) or not is_latin(before) else " " + made
    if unicodedata.category(character) == "Nd" or not made:
        return made
    return number(character, made, before, previous, after)


def number(character: str, made: str, before: str, previous: str, after: str) -> str:
    """A form with digits at its ends, apart from the digits beside it; a raised one behind a number is a power."""
    kind = way(character)
    signs = kind in ("<super>", "<sub>") and made in "+−"
    if before.isdecimal() and not (kind in ("<super>", "<sub>") and way(previous) == kind and is_number_part(previous)):
        follows = bool(after) and way(after) == "<super>" and form(after).isdecimal()
        if kind == "<super>" and (made.isdecimal() or (signs and follows)):
            made = "^" + made
        elif made[0].isdecimal():
            made = " " + made
    return made + " " if (made[-1].isdecimal() or signs) and after.isdecimal() else made


def is_number_part(character: str) -> bool:
    return form(character).isdecimal() or form(character) in "+−"


def forms(text: str) -> str:
    """Everything in its form; marks that stand by themselves after a kana are joined to it."""
    text = re.sub("([0-9])\ufe0f?\u20e3", r"(\1)", re.sub("([#*])\ufe0f?\u20e3", r"\1", text))
    text = re.sub("([0-9]{1,2}|[A-Za-z])\u20dd", r"(\1)", text)
    text = re.sub("(?:[^\n\x1e\u0336]\u0336){2,}", " ", text)
    text = re.sub("(?<=[か-とは-ほうカ-トハ-ホウワヰヱヲ]) (?=[\u3099\u309a])", "", text)
    for start, end, mended in reversed(list(repair(text))):
        text = text[:start] + mended + text[end:]
    made = ""
    for place, character in enumerate(text):
        before = made[-1:] if made[-1:] in SPACING + "ﾞﾟ" else nfkc(made[-30:])[-1:]
        if character in "゛゜ﾞﾟ":
            combining = "\u3099" if character in "゛ﾞ" else "\u309a"
            degree = "°" if combining == "\u309a" and before.isdecimal() else character
            made += combining if re.match("[ぁ-ゖァ-ー]", before) else degree
        elif is_mark(character):
            made += character
        else:
            made += written(text, place, before)
    kept = re.split(f"([{PROTECTED}{SPACING}ﾞﾟ])", made)
    return "".join(piece if len(piece) == 1 and place % 2 else nfkc(piece) for place, piece in enumerate(kept))


def unseen(character: str) -> bool:
    """A control, a mark, a joiner, a filler: nothing that a reader sees by itself."""
    name, category = unicodedata.name(character, ""), unicodedata.category(character)
    if category == "Cf":
        seen = "ARABIC|SYRIAC|KAITHI|EGYPTIAN|INTERLINEAR"
        return not re.match(seen, name) or character == "\u061c"  # ARABIC LETTER MARK is a joiner
    return category in ("Cc", "Mn", "Me") or ("HANGUL" in name and "FILLER" in name)


TOUCHING = {one for one in needed() if one.isalnum() or re.match(f"[{LETTERS}]", one)}
TOUCHING |= set("+-.,/:^*=<>%~〜±×÷≤≥'\"．，…°_#")


def deleted(text: str) -> str:
    """One form for each look; what no document needs becomes UNSEEN or SEEN, and then a space or nothing."""
    marked = ""
    for character in text:
        unified = UNIFIED.get(character, character)
        marked += unified if unified in KEEP and character not in SPACING else UNSEEN if unseen(character) else SEEN

    def space(found: re.Match[str]) -> str:
        before, after = marked[found.start() - 1 : found.start()], marked[found.end() : found.end() + 1]
        if re.fullmatch("[0-9]", before) and re.fullmatch("[0-9]", after):
            return " "
        return " " if SEEN in found[0] and before in TOUCHING and after in TOUCHING else ""

    return re.sub(f"[{UNSEEN}{SEEN}]+", space, marked)


def stops(text: str) -> str:
    def replace(found: re.Match[str]) -> str:
        before, rest = text[found.start() - 1 : found.start()], text[found.end() :]
        after, mark = rest[:1], found[0]
        after_clause = bool(re.match(f"[{LETTERS}{CLOSING}]", before))
        if mark == "，":
            return "," if re.match("[0-9]", before) and re.match("[0-9]{3}(?![0-9])", rest) else "、"
        if mark == "．":
            ends = after in ("", "\n")
            return "。" if ends or after_clause or (before and before in ")]}%℃\"'") else "."
        if mark == ",":
            return "、" if after_clause else ","
        goes_on = bool(re.match(f"[{LETTERS}{CLOSING}「『【〈《〔()\"' \n]", after)) or not after
        return "。" if after_clause and goes_on else "."

    return re.sub("[，．,.]", replace, text)


def laughs(text: str) -> str:
    def replace(found: re.Match[str]) -> str:
        after = text[found.end() : found.end() + 1]
        return " " if text[found.start() - 1] not in "!?" and re.match(f"[{LETTERS}À-ÖØ-öø-ɏͰ-Ͽ]", after) else ""

    return re.sub(r"(?<=[ぁ-ゖァ-ヺー々㐀-䶿一-鿿!?])[wW]{2,}(?![A-Za-z0-9.wW])", replace, text)


LEAST = (
    (2, "!?、。…ー〜・―♪☆★"), (3, "-_=*#→←:,※"), (4, "○●◎△▲▽▼□■◇◆×/|^<>ぁ-ゖァ-ヺ"), (6, "↑↓"), (7, "+"),
)  # fmt: skip
STEPS = ("○●◎△▲▽▼□■◇◆☆★×✓/", "+-±", "→←↑↓↗↘")


def runs(text: str) -> str:
    """Emphasis becomes one character; a score, a value, a level of significance, a course and columns stay."""

    def replace(found: re.Match[str]) -> str:
        run, mark = found[0], found[0][0]
        before, after = text[: found.start()], text[found.end() :]
        sides = before[-1:] + after[:1]
        near = (re.sub(" $", "", before)[-1:], re.sub("^ ", "", after)[:1])
        score = any(mark in steps and any(side in steps for side in sides) for steps in STEPS)
        numbers = re.search("[0-9]$", before) and re.match("[0-9]", after) and mark not in "!?、。…〜・―♪※ぁ-ヺ"
        numbers = numbers and not re.match("[ぁ-ゖァ-ヺ]", mark)
        columns = mark == "," and re.search("[0-9A-Za-z]$", before) and re.match("[0-9A-Za-z]", after)
        significance = mark == "*" and len(run) <= 4 and any(re.match("[0-9A-Za-z']", side) for side in near)
        value = len(run) <= 10 and mark in "○●◎△▲▽▼□■◇◆☆★×→←↑↓+-*" and near[0] and near[0] in ":=("
        course = mark in "→←↑↓" and any(re.match("[0-9]", side) for side in near)
        return run if score or numbers or columns or significance or value or course else mark

    pattern = "|".join(rf"([{re.escape(marks) if least != 4 else marks}])\{number}{{{least - 1},}}"
                       for number, (least, marks) in enumerate(LEAST, 1))  # fmt: skip
    return re.sub(pattern, replace, text)


def clean(text: str) -> str:
    text = deleted(forms(text.replace(SEPARATOR, "\x01")))
    text = re.sub(r"．[.．]+|\.[.．]{2,}", "…", text)
    text = re.sub("・・・+", "…", text)
    no_unit = f"(?![0-9{LATIN}ァ-ヺ])(?!-[{LATIN}])"
    text = re.sub(f"°C{no_unit}", "℃", text)
    text = re.sub(f"°F{no_unit}(?![{LETTERS}Ͱ-Ͽ])", "℉", text)
    text = laughs(re.sub("笑笑+", "笑", text))
    text = re.sub(" +", " ", text)
    text = re.sub(" ?\n[ \n]*", "\n", text).strip(" \n")
    text = stops(text)
    text = re.sub("([、。]) ", r"\1", text)
    text = runs(text)
    text = re.sub("(?<=[0-9A-Za-z])ー(?=[0-9A-Za-z])", "\ue000", text)
    text = re.sub(f"(?<=[ァ-ヺ])-(?=[{NEVER_FIRST}])", "ー", text)
    return text.replace("\ue000", "-").strip(" \n")
