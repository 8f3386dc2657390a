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

from igakulm.corpus.characters import SEPARATOR
from igakulm.recipe.schema import Privacy

KINDS = ("mail", "url", "telephone", "account", "tag", "postal_code", "patient_number")
"""In the order in which they are deleted: a mail address ends like a URL, a URL holds digits."""


class Masked(NamedTuple):
    """The texts without personal data, and how many pieces of each kind were deleted."""

    texts: list[str]
    deleted: dict[str, int]


_TOP = r"(?:co\.jp|or\.jp|ne\.jp|go\.jp|ac\.jp|ed\.jp|lg\.jp|gr\.jp|jp|com|org|info|biz)"
_URL_CHARACTERS = "[!#-;=?-~〜]"
_URL_END = r"(?<![)\].,;:'])"
_URL = re.compile(rf"(?:h?ttps?|ftp)://{_URL_CHARACTERS}+{_URL_END}|(?<![\w.@-])www\.{_URL_CHARACTERS}+{_URL_END}")
_DOMAIN = re.compile(
    rf"(?<![\w.@/-])(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+{_TOP}(?![A-Za-z0-9_-]|\.[a-z])(?:/{_URL_CHARACTERS}*)?{_URL_END}"
)
_MAIL = re.compile(
    r"[0-9A-Za-z][0-9A-Za-z._%+-]* ?(?:@|[(\[](?:at|アットマーク)[)\]]) ?(?:[0-9A-Za-z-]+\.)+[A-Za-z]{2,}",
    re.IGNORECASE,
)
_ACCOUNT = re.compile(r"@(?<![0-9A-Za-z._%+-]@)[A-Za-z_][0-9A-Za-z_]{1,29}")
_TAG_LINE = re.compile(rf"[^\n{SEPARATOR}]*#[^\n{SEPARATOR}]*")
_TAG = re.compile(r"(?<![0-9A-Za-z&/#])#[0-9A-Za-z_ぁ-ゖァ-ヺー々〆㐀-䶿一-鿿]+")
_COLOUR = re.compile(r"#(?:[0-9A-F]{6}|[0-9a-f]{6})")

_BETWEEN = r"(?:\) ?-?|\(| ?[-.] ?| )"
_GROUPS = rf"[0-9]{{1,4}}{_BETWEEN}[0-9]{{1,4}}{_BETWEEN}[0-9]{{3,4}}(?![0-9]|[.-][0-9])"
_BRACKETED = re.compile(rf"\(0{_GROUPS}")
_SEPARATED = re.compile(rf"0(?<![0-9]0){_GROUPS}")
_SOLID = re.compile(
    r"0(?<![0-9A-Za-z.-]0)(?:[5789]0[- ]?[0-9]{8}|[5789]0[- ]?[0-9]{4}[- ][0-9]{4}|120[- ]?[0-9]{6})(?![0-9]|[.-][0-9])"
)
_ABROAD = re.compile(
    r"(?<![0-9])(?:\+ ?|00|010-?)81[- ]?(?:\(0\))?[-( ]?[0-9]{1,4}[-) ]?[0-9]{1,4}[- ]?[0-9]{3,4}(?![0-9])"
)
_LABEL_WORDS = "電話番号|電話|携帯|でんわ|連絡先|ファックス|ファクス|ファクシミリ"
_LABEL = rf"(?:{_LABEL_WORDS}|(?<![A-Za-z])(?:TEL|Tel|tel|FAX|Fax|fax|Phone|PHONE))"
_LABELLED = re.compile(
    rf"({_LABEL}[:.は]? ?\(?)"
    r"(?:0[0-9]{8,10}|0[0-9]{1,3}[-( ][0-9]{6,8}|[1-9][0-9]{1,3}[-(][0-9]{4})(?![0-9]|-[0-9]|[年月日円])"
)
_RECORD = re.compile(r"(?:ID|Id|id|No\.?|コード|番号|ロット|Lot|LOT)[:. ]*$")
_NOT_RECORD = re.compile(rf"(?:{_LABEL}|電話|携帯|FAX|TEL|フリーダイヤル)[^\n]{{0,6}}$")
_LETTER_LABEL = re.compile(r"(?:^|[^A-Za-z])(?:TEL|Tel|tel|FAX|Fax|fax|Phone|phone|PHONE|T|F|P)$")

_POSTAL = re.compile(r"〒 ?[0-9]{3} ?-? ?[0-9]{4}(?![0-9])|(?<![0-9-])[0-9]{3}-[0-9]{4}(?= ?[一-鿿]{2,3}[都道府県])")
_PATIENT = re.compile(
    r"((?:(?:患者|受診者|被保険者|保険証|個人|入院|外来)(?:さん)?の?(?:ID|Id|番号|No\.?|コード)"
    r"|(?:診察券|カルテ|マイナンバー)(?:ID|番号|No\.?)?)[:は]? ?)"
    r"[A-Z]{0,3}-?[0-9](?:[- ]?[0-9]){4,15}(?![0-9]|[年月日歳回人mgLk%名床件円])"
)
_MY_NUMBER = re.compile(r"(?<![0-9-])[0-9]{4}([- ])[0-9]{4}\1[0-9]{4}(?![0-9-])")

_EMPTY = re.compile(r"\( *\)|\[ *\]|「 *」|〈 *〉|《 *》|<>")
_SPACES = re.compile(" {2,}")
_LINE_ENDS = re.compile(" ?\n[ \n]*")


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
    """Without the empty brackets and lines that a deletion leaves."""
    text = _SPACES.sub(" ", _EMPTY.sub("", text))
    return _LINE_ENDS.sub("\n", text).strip(" \n")


def _url(text: str) -> tuple[str, int]:
    count = found = 0
    if "://" in text or "www." in text:
        text, count = _URL.subn("", text)
    if ".jp" in text or ".com" in text or ".org" in text or ".info" in text or ".biz" in text:
        text, found = _DOMAIN.subn("", text)
    return text, count + found


def _mail(text: str) -> tuple[str, int]:
    if "@" not in text and "at)" not in text and "at]" not in text and "アットマーク" not in text:
        return text, 0
    return _MAIL.subn("", text)


def _account(text: str) -> tuple[str, int]:
    return _ACCOUNT.subn("", text) if "@" in text else (text, 0)


def _tag(text: str) -> tuple[str, int]:
    """A line that only starts with one `#` is an entry of a problem list (「#1 糖尿病」「#高血圧」), not a tag."""
    if "#" not in text:
        return text, 0
    count = 0

    def in_line(found: re.Match[str]) -> str:
        nonlocal count
        line = found[0]
        tags = [tag for tag in _TAG.finditer(line) if not tag[0][1:].isdigit() and not _COLOUR.fullmatch(tag[0])]
        words = [tag for tag in tags if not tag[0][1].isdigit()]
        if not words or (len(tags) == 1 and not line[: tags[0].start()].strip()):
            return line
        count += len(tags)
        kept, done = "", 0
        for tag in tags:
            kept, done = kept + line[done : tag.start()], tag.end()
        return kept + line[done:]

    return _TAG_LINE.sub(in_line, text), count


def _telephone(text: str) -> tuple[str, int]:
    count = 0

    def delete(found: re.Match[str]) -> str:
        nonlocal count
        if not _is_telephone(found):
            return found[0]
        count += 1
        return "(" if found[0][0] == "(" and ")" not in found[0] else ""

    def delete_labelled(found: re.Match[str]) -> str:
        nonlocal count
        count += 1
        return str(found[1])

    if "81" in text:
        text = _ABROAD.sub(delete, text)
    if "0" in text:
        text = _BRACKETED.sub(delete, text) if "(0" in text else text
        text = _SOLID.sub(delete, _SEPARATED.sub(delete, text))
    return _LABELLED.sub(delete_labelled, text), count


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
    return _POSTAL.subn("", text)


def _patient_number(text: str) -> tuple[str, int]:
    text, count = _PATIENT.subn(r"\1", text)
    text, found = _MY_NUMBER.subn("", text)
    return text, count + found


_DELETE: dict[str, Callable[[str], tuple[str, int]]] = {
    "url": _url,
    "mail": _mail,
    "telephone": _telephone,
    "account": _account,
    "tag": _tag,
    "postal_code": _postal_code,
    "patient_number": _patient_number,
}
