"""Personal data and web notations are deleted from cleaned text (section 2.2.1).

Does: find telephone numbers, mail addresses, URLs, @accounts and #tags, and by option postal codes and patient numbers
in text that clean.py has brought into one form, and delete them; count what was deleted.
Does not: find names or addresses. It is a first net for public text, not an anonymiser of patient records.

Every rule first looks for a literal (`@`, `://`, a digit 0, …), so that text without one costs almost nothing. What a
pattern finds is checked by its shape (how many digits, which area code) and by the word before it, so that doses,
laboratory values, dates and record numbers stay.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from igakulm.recipe.schema import Privacy
from igakulm.text.characters import SEPARATOR

KINDS = ("mail", "url", "telephone", "account", "tag", "postal_code", "patient_number")
"""In the order in which they are deleted: a mail address ends like a URL, a URL holds digits."""


class Masked(NamedTuple):
    """The texts without personal data, and how many pieces of each kind were deleted."""

    texts: list[str]
    deleted: dict[str, int]


_GAP = "\x1f"
"""Stands where something was deleted until the text around it has been tidied."""

_URL_CHARACTERS = "[!#-;=?-~〜]"
_URL_END = r"(?<![)\].,;:'])"
_URLS = tuple(
    (literal, re.compile(rf"{pattern}{_URL_CHARACTERS}+{_URL_END}"))
    for literal, pattern in (
        ("http", "https?://"),
        ("HTTP", "HTTPS?://"),
        ("ttp", "ttps?://"),
        ("ftp", "ftps?://"),
        ("www.", r"www\.(?<![\w.@-]www\.)"),
    )
)
_TOP_LEVELS = (".jp", ".com", ".org", ".info", ".biz")
_DOMAIN = re.compile(
    r"(?<![\w.@/-])(?!(?:co|or|ne|go|ac|ed|lg|gr)\.jp(?![.A-Za-z0-9]))(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+"
    rf"(?:(?:co|or|ne|go|ac|ed|lg|gr)\.jp|jp|com|org|info|biz)(?![A-Za-z0-9_-]|\.[a-z])(?:/{_URL_CHARACTERS}*)?{_URL_END}"
)
_AT = ("@", "(at)", "[at]", "アットマーク")
_MAIL = re.compile(
    r"(?<![0-9A-Za-z._%+-])[0-9A-Za-z][0-9A-Za-z._%+-]* ?(?:@|[(\[](?:at|アットマーク)[)\]]) ?"
    r"(?:[0-9A-Za-z-]+\.)+[A-Za-z]{2,}"
)
_ACCOUNT = re.compile(r"@(?<![0-9A-Za-z._%+-]@)[A-Za-z_][0-9A-Za-z_]{1,29}")
_TAG = re.compile(r"#(?<![0-9A-Za-z&/#]#)[0-9A-Za-z_ぁ-ゖァ-ヺー々〆㐀-䶿一-鿿]+")
_DIRECTIVE = re.compile("#(?:include|define|ifdef|ifndef|endif|pragma|undef|if|else|elif|region|endregion)")
_COLOUR = re.compile(r"#(?:[0-9A-F]{6}|[0-9a-f]{6})")

_BETWEEN = r"(?:\) ?-?|\(| ?[-.―] ?| )"
_GROUPS = rf"[0-9]{{1,4}}{_BETWEEN}[0-9]{{1,4}}{_BETWEEN}[0-9]{{3,4}}(?![0-9]|[.-][0-9])"
_BRACKETED = re.compile(rf"\(0{_GROUPS}")
_SEPARATED = re.compile(rf"0(?<![0-9]0){_GROUPS}")
_SOLID = re.compile(
    r"0(?<![0-9A-Za-z.-]0)(?:[5789]0[- ]?[0-9]{8}|[5789]0[- ]?[0-9]{4}[- ][0-9]{4}|120[- ]?[0-9]{6})(?![0-9]|[.-][0-9])"
)
_ABROAD = re.compile(
    r"(?<![0-9])(?:\+ ?|00|010-?)81[- ]?(?:\(0\))?[-( ]?[0-9]{1,4}[-) ]?[0-9]{1,4}[- ]?[0-9]{3,4}(?![0-9])"
)
_LABELS = (
    "電話番号",
    "電話",
    "携帯",
    "連絡先",
    "ファックス",
    "ファクス",
    "TEL",
    "Tel",
    "tel",
    "FAX",
    "Fax",
    "fax",
    "Phone",
)
_LABELLED = {
    label: re.compile(
        rf"(?:{label})(?<![A-Za-z]{label})[:.は]? ?\(?"
        r"(?P<number>0[0-9]{8,10}|0[0-9]{1,3}[-( ][0-9]{6,8}|[1-9][0-9]{1,3}[-(][0-9]{4})(?![0-9]|-[0-9]|[年月日円])"
    )
    for label in _LABELS
}
_RECORD = re.compile(r"(?:ID|Id|id|No\.?|コード|番号|ロット|Lot|LOT)[:. ]*$")
_NOT_RECORD = re.compile(r"(?:電話|携帯|連絡先|FAX|TEL|ダイヤル)[^\n]{0,6}$", re.IGNORECASE)
_LETTER_LABEL = re.compile(r"(?:^|[^A-Za-z])(?:TEL|Tel|tel|FAX|Fax|fax|Phone|phone|PHONE|T|F|P)$")

_POSTAL = re.compile(r"〒 ?[0-9]{3} ?-? ?[0-9]{4}(?![0-9])|(?<![0-9-])[0-9]{3}-[0-9]{4}(?= ?[一-鿿]{2,3}[都道府県])")
_PATIENT = re.compile(
    r"((?:(?:患者|受診者|被保険者|保険証|個人|入院|外来)(?:さん)?の?(?:ID|Id|番号|No\.?|コード)"
    r"|(?:診察券|カルテ|マイナンバー)(?:ID|番号|No\.?)?)[:は]? ?)"
    r"[A-Z]{0,3}-?[0-9](?:[- ]?[0-9]){4,15}(?![0-9]|[年月日歳回人mgLk%名床件円])"
)
_MY_NUMBER = re.compile(r"(?<![0-9-])[0-9]{4}([- ]?)[0-9]{4}\1[0-9]{4}(?![0-9-])")

_EMPTIED = re.compile(rf"[(\[「〈《<] ?{_GAP}(?: ?{_GAP})* ?[)\]」〉》>]")
_GAPS = re.compile(rf"( ?)(?:{_GAP} ?)*{_GAP}( ?)")
_LINE_END = re.compile(rf"[\n{SEPARATOR}]")


def mask_texts(texts: Sequence[str], config: Privacy) -> Masked:
    """Delete personal data from cleaned documents.

    Args:
        texts: documents as `clean_texts` returns them (one form of hyphen, half-width digits, no U+001E).
        config: which kinds are deleted.

    >>> mask_texts(["電話は03-1234-5678、体温は38.5℃です。"], Privacy()).texts
    ['電話は、体温は38.5℃です。']
    >>> mask_texts(["アムロジピン5mgを1日1回、2024-01-05から10-12日"], Privacy()).deleted
    {}
    """
    joined = SEPARATOR.join(texts)
    deleted: dict[str, int] = {}
    for kind in KINDS:
        if getattr(config, kind):
            joined, count = _DELETE[kind](joined)
            if count:
                deleted[kind] = count
    if not deleted:
        return Masked(list(texts), {})
    masked = joined.split(SEPARATOR) if texts else []
    tidied = [new if new == old else _tidy(new) for new, old in zip(masked, texts, strict=True)]
    return Masked(tidied, deleted)


def _tidy(text: str) -> str:
    """Close the gaps; brackets and lines that held nothing else go with them."""
    lines = []
    for line in _EMPTIED.sub(_GAP, text).split("\n"):
        closed = (
            _GAPS.sub(lambda found: " " if found[1] and found[2] else "", line).strip(" ") if _GAP in line else line
        )
        if closed or closed == line:
            lines.append(closed)
    return "\n".join(lines).strip("\n")


def _in_lines(text: str, mark: str, edit: Callable[[str], tuple[str, int]]) -> tuple[str, int]:
    """Apply `edit` to the lines that hold `mark`: patterns that begin with anything would be slow on whole texts."""
    pieces: list[str] = []
    done = count = 0
    position = text.find(mark)
    while position >= 0:
        start = max(text.rfind("\n", done, position), text.rfind(SEPARATOR, done, position), done - 1) + 1
        ending = _LINE_END.search(text, position)
        end = ending.start() if ending else len(text)
        line, found = edit(text[start:end])
        pieces += (text[done:start], line)
        done, count = end, count + found
        position = text.find(mark, end)
    return ("".join([*pieces, text[done:]]), count) if count else (text, 0)


def _url(text: str) -> tuple[str, int]:
    count = 0
    for literal, pattern in _URLS:
        if literal in text:
            text, found = pattern.subn(_GAP, text)
            count += found
    for top_level in _TOP_LEVELS:
        text, found = _in_lines(text, top_level, lambda line: _DOMAIN.subn(_GAP, line))
        count += found
    return text, count


def _mail(text: str) -> tuple[str, int]:
    count = 0
    for at in _AT:
        text, found = _in_lines(text, at, lambda line: _MAIL.subn(_GAP, line))
        count += found
    return text, count


def _account(text: str) -> tuple[str, int]:
    return _ACCOUNT.subn(_GAP, text) if "@" in text else (text, 0)


def _tag(text: str) -> tuple[str, int]:
    return _in_lines(text, "#", _tags_of_line)


def _tags_of_line(line: str) -> tuple[str, int]:
    """A line that only starts with one `#` is an entry of a problem list (「#1 糖尿病」「#高血圧」), not a tag."""
    tags = [tag for tag in _TAG.finditer(line) if not tag[0][1:].isdigit() and not _COLOUR.fullmatch(tag[0])]
    tags = [tag for tag in tags if not _DIRECTIVE.fullmatch(tag[0])]
    alone = len(tags) == 1 and not line[: tags[0].start()].strip(" ")
    if alone or all(tag[0][1].isdigit() for tag in tags):
        return line, 0
    kept, done = "", 0
    for tag in tags:
        kept, done = kept + line[done : tag.start()] + _GAP, tag.end()
    return kept + line[done:], len(tags)


def _telephone(text: str) -> tuple[str, int]:
    count = 0

    def delete(found: re.Match[str]) -> str:
        nonlocal count
        if not _is_telephone(found):
            return found[0]
        count += 1
        return f"({_GAP}" if found[0][0] == "(" and ")" not in found[0] else _GAP

    def delete_labelled(found: re.Match[str]) -> str:
        nonlocal count
        count += 1
        return found.string[found.start() : found.start("number")] + _GAP

    if any(prefix in text for prefix in ("+81", "+ 81", "0081", "01081", "010-81")):
        text = _ABROAD.sub(delete, text)
    if "0" in text:
        text = _BRACKETED.sub(delete, text) if "(0" in text else text
        text = _SOLID.sub(delete, _SEPARATED.sub(delete, text))
    for label, pattern in _LABELLED.items():
        if label in text:
            text = pattern.sub(delete_labelled, text)
    return text, count


def _is_telephone(found: re.Match[str]) -> bool:
    """Whether the digits have the shape of a Japanese number and the word before does not say otherwise."""
    before = found.string[max(0, found.start() - 16) : found.start()].rsplit(SEPARATOR, 1)[-1]
    if before and (before[-1] in "-/" or (before[-1] == "." and before[-2:-1].isdigit())):
        return False
    if before and before[-1].isascii() and before[-1].isalpha() and not _LETTER_LABEL.search(before):
        return False
    if _RECORD.search(before) and not _NOT_RECORD.search(before):
        return False
    return _telephone_shape([group for group in re.split("[^0-9+]+", found[0]) if group])


def _telephone_shape(groups: list[str]) -> bool:
    """Japan's numbering plan: ten digits, or eleven after 020, 050, 070, 080, 090 and 0800.

    >>> _telephone_shape(["03", "1234", "5678"]), _telephone_shape(["01", "05", "2024"])
    (True, False)
    """
    digits = "".join(groups)
    for abroad in ("+81", "0081", "01081"):
        if digits.startswith(abroad):
            national = "0" + digits.removeprefix(abroad).removeprefix("0")
            return len(national) in (10, 11) and national[1] != "0"
    if len(digits) == 11:
        return digits[:3] in ("020", "050", "070", "080", "090") or digits[:4] == "0800"
    if len(groups) == 3 and len(groups[2]) != 4 and digits[:4] not in ("0120", "0570", "0990"):
        return False
    return len(digits) == 10 and digits[1] != "0"


def _postal_code(text: str) -> tuple[str, int]:
    return _POSTAL.subn(_GAP, text)


def _patient_number(text: str) -> tuple[str, int]:
    text, count = _PATIENT.subn(rf"\1{_GAP}", text)

    def delete(found: re.Match[str]) -> str:
        nonlocal count
        if not _is_my_number(found[0]):
            return found[0]
        count += 1
        return _GAP

    return _MY_NUMBER.sub(delete, text), count


def _is_my_number(text: str) -> bool:
    """Whether the last of twelve digits is the check digit of the eleven before (ministerial ordinance 85 of 2014).

    >>> _is_my_number("1234 5678 9018"), _is_my_number("1200-1400-1600")
    (True, False)
    """
    digits = [int(character) for character in text if character.isdigit()]
    total = sum(digit * (place % 6 + 2) for place, digit in enumerate(reversed(digits[:-1])))
    return digits[-1] == (11 - total % 11 if total % 11 > 1 else 0)


_DELETE: dict[str, Callable[[str], tuple[str, int]]] = {
    "url": _url,
    "mail": _mail,
    "telephone": _telephone,
    "account": _account,
    "tag": _tag,
    "postal_code": _postal_code,
    "patient_number": _patient_number,
}
