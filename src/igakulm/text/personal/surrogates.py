"""What takes the place of a span: its kind in brackets, a numbered person or place, or an invented one.

Does: choose the same surrogate for the same thing, from a secret that only the key file holds; shift dates.
Does not: find spans, or put the surrogates into the text (replacing.py).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field

from igakulm.recipe.personal_data import Dates, Style
from igakulm.text.personal.dates import shifted, year_of
from igakulm.text.personal.exceptions import words
from igakulm.text.personal.gazetteer import gazetteer
from igakulm.text.personal.reading import read
from igakulm.text.personal.spans import JAPANESE, Span

_LONGEST_SHIFT = 364
_SURNAMES = words(
    "青沢 石動 磯野原 大和田 鏡石 北白川 久我山 小鳥遊 榊原 四季森 白雪 瀬戸口 高天原 月見里 東雲 長月 西園寺 "
    "野々宮 花輪 日向寺"
)
_GIVEN = words(
    "あきら かおる しのぶ すばる つかさ なぎさ のぞみ はるか ひかる まこと みさき みずき やすは ゆうき ゆかり "
    "よしみ りつ れい わかば いずみ"
)
_ROLES = (
    (re.compile("先生|せんせい|医師|Dr|ドクター|教授|講師|助教|医長|部長|院長|研修医|医員|addressee"), "医師"),
    (re.compile("看護|Ns|NS|ns|ナース|師長|主任"), "看護師"),
    (
        re.compile("label of staff|薬剤師|療法士|技師|保健師|助産師|栄養士|相談員|ケアマネ|PT|OT|ST|MSW|CM|ヘルパー"),
        "職員",
    ),
    (re.compile("label of family|after a relation"), "家族"),
    (re.compile("label of a person"), "患者"),
)


@dataclass(slots=True)
class Surrogates:
    """The surrogates of one patient (or of one record, where no patient is known).

    Attributes:
        secret: of the key file; without one a random number that nobody keeps.
        scope: names the patient; the same scope and secret give the same surrogates and the same shift of dates.
    """

    style: Style
    dates: Dates
    secret: bytes
    scope: str
    _given_out: dict[tuple[str, str], str] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)

    @property
    def days(self) -> int:
        """By how many days this patient's dates move: 1 to 364, forward or back."""
        number = self._number("days")
        return (number % _LONGEST_SHIFT + 1) * (1 if number >> 20 & 1 else -1)

    def of(self, span: Span, original: str, year: int | None) -> str:
        """What stands in place of `original`; `year` is that of dates without one."""
        if span.kind in ("date", "birth_date") and (self.dates == "shift" or self.style == "invented"):
            moved = shifted(read(original), self.days, year)
            if moved is not None:
                return moved
        if self.style == "kind" or span.kind in ("date", "age", "birth_date", "tag"):
            return f"[{JAPANESE[span.kind]}]"
        return self._numbered(span, original) if self.style == "numbered" else self._invented(span, original)

    def _numbered(self, span: Span, original: str) -> str:
        key = (span.kind, _identity(original))
        same = self._given_out.get(key) or self._person(key)
        if same is None:
            role = _role(span) if span.kind == "name" else JAPANESE[span.kind]
            self._counts[role] = self._counts.get(role, 0) + 1
            same = f"[{role}{_letters(self._counts[role])}]"
        self._given_out[key] = same
        return same

    def _person(self, key: tuple[str, str]) -> str | None:
        """The surrogate of the one person whose surname this is, or who has this surname."""
        kind, name = key
        if kind != "name":
            return None
        found = {
            given
            for (known_kind, known), given in self._given_out.items()
            if known_kind == "name" and known != name and (_is_surname(known, name) or _is_surname(name, known))
        }
        return found.pop() if len(found) == 1 else None

    def _invented(self, span: Span, original: str) -> str:
        number = self._number(f"{span.kind}:{_identity(original)}")
        match span.kind:
            case "name":
                return self._invented_name(original)
            case "mail":
                return f"user{number % 9000 + 1000}@example.jp"
            case "url":
                return f"https://example.jp/{number % 9000 + 1000}"
            case "account":
                return f"user{number % 9000 + 1000}"
            case "address":
                return f"見本県架空市例町{number % 30 + 1}-{number // 31 % 30 + 1}"
            case "institution":
                ending = re.search(
                    r"(?:病院|クリニック|医院|診療所|薬局|センター|ステーション|ホーム|園|校|大学)", original
                )
                return f"見本{_letters(number % 26 + 1)}{ending[0] if ending else '施設'}"
            case _:
                return _other_digits(original, number)

    def _invented_name(self, original: str) -> str:
        parts = [part for part in re.split(r"[ \u3000\n・]+", original) if part]
        surname = gazetteer().full_name(original) if len(parts) == 1 else 0
        first = original[:surname] if surname else parts[0]
        chosen = _SURNAMES[self._number(f"surname:{first}") % len(_SURNAMES)]
        rest = original[surname:] if surname else (parts[1] if len(parts) > 1 else "")
        if not rest:
            return chosen
        gap = re.search(r"[ \u3000\n・]+", original)
        return chosen + (gap[0] if gap else "") + _GIVEN[self._number(f"given:{rest}") % len(_GIVEN)]

    def _number(self, what: str) -> int:
        digest = hmac.new(
            self.secret, f"{self.scope}\0{what}".encode("utf-8", "surrogatepass"), hashlib.sha256
        ).digest()
        return int.from_bytes(digest[:6], "big")


def _identity(original: str) -> str:
    return re.sub(r"[\s・]", "", read(original))


def _is_surname(short: str, name: str) -> bool:
    return len(short) < len(name) and gazetteer().full_name(name) == len(short) and name.startswith(short)


def _role(span: Span) -> str:
    return next((role for pattern, role in _ROLES if pattern.search(span.rule)), "人物")


def _letters(number: int) -> str:
    """1 = A, 26 = Z, 27 = AA."""
    letters = ""
    while number:
        number, place = divmod(number - 1, 26)
        letters = chr(65 + place) + letters
    return letters


def _other_digits(original: str, number: int) -> str:
    """The same shape with other digits; the first group becomes zeros, so that no number of anybody comes out."""
    digits = iter(f"{number * 2654435761 % 10**16:016d}" * (len(original) // 16 + 1))
    shape = read(original)
    first = re.search(r"[0-9]+", shape)
    end = min(first.end(), first.start() + 3) if first else 0
    changed = (("0" if place < end else next(digits)) if "0" <= one <= "9" else one for place, one in enumerate(shape))
    return "".join(changed)


def reference_year(text: str, spans: list[Span]) -> int | None:
    """The year of the first full date of a document, for its dates without one."""
    years = (year_of(read(text[span.start : span.end])) for span in spans if span.kind == "date")
    return next((year for year in years if year), None)
