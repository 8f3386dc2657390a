"""The strings that a free answer lists, in whatever form a person would read as a list.

Does: read lists in brackets of every kind, JSON objects, bullets and numbered lines, 「」, commas, and the sentences
that say that there is nothing. Does not: change a character of what is listed, or read prose: an answer that is not
plainly a list is None.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from igakulm.text.broken import whole_characters
from igakulm.text.lists import list_items
from igakulm.text.literals import MAX_CHARACTERS, json_or_literal

Strings = tuple[str, ...]
_SIGNS = str.maketrans("［］｛｝＇＂“”„‘’，；：（）＜＞【】", '[]{}\'""""\'\',;:()<>[]')
"""Signs of structure in one width; one character each, so that places stay."""
_TOKENS = re.compile(r"<\|[^|<>\n]{1,40}\|>|</?s>|<(?:end_of_turn|eos|eot)>|[(\[]終(?:了|わり)?[)\]]\s*$", re.I)
_TAGGED = re.compile(r"<(answer|final|回答|答え)>(.*?)(?:</\1>|$)", re.DOTALL | re.I)
_FENCE = re.compile(r"```[a-zA-Z]*")
_BULLET = re.compile(r"^[ \t]*(?:(?:[-+・•●◦▪■○◯→]|\*(?!\*))+[ \t]*|\(?\d{1,2}[.):](?!\d)[ \t]*|[①-⑳][ \t]*|\|[ \t]*)")
_QUOTED = re.compile(
    r"\"((?:[^\"\\\n]|\\.)*)\"|'((?:[^'\\\n]|\\.)*)'|「([^「」\n]*)」|『([^『』\n]*)』|`([^`\n]*)`|\*\*([^*\n]+)\*\*"
)
_SEPARATOR = re.compile(r"\s*(?:[,、;|/・\n]|と|および|及び|ならびに|and)?\s*(?:と)?\s*")
_HEAD = (
    r"(?:(?:最終|抽出)?(?:回答|解答|答え|答|結果|抽出結果|リスト|一覧)|[Aa]nswers?|[Ff]inal [Aa]nswer|[Ll]ist"
    r"|[Ee]ntities|(?:症状|所見|薬剤?|薬の名前|表現|用量|用法)(?:・所見)?)"
)
_LEAD = re.compile(rf"^\s*(?:{_HEAD}\s*(?::|=|は|→)|[a-z_]+\s*=)\s*")
_TAIL = re.compile(
    r"\s*(?:(?:です|である|になります|となります|が(?:あり|み[らと]め[らり]れ|認められ)ます|以上です)?[。.]?)\s*$"
)
_MARKED = re.compile(rf"(?:{_HEAD}|修正後|以下|まとめると|したがって)[^\[\]。]{{0,12}}$")
_EMPTY_WORD = re.compile(
    r"(?:該当(?:する(?:もの|表現|症状|語句?))?(?:は|が)?(?:特に)?(?:なし|無し|ありません|ない)|特に(?:なし|ありません)|なし|無し|ありません"
    r"|none|n/a|null|nil|-|なし)(?:です)?[。.]?",
    re.I,
)
_NOTHING = re.compile(
    r"[^。\n]{0,30}(?:(?:表現|症状|所見|薬剤?|名前|用量|用法|記載|もの|語句?|該当|情報|記述|病名|疾患|項目)(?:は|が"
    r"|も)[^。\n]{0,10}(?:ありません|ない|なし|見つかりません|見当たりません|認められません|みられません|存在しません|記載されていません|含まれていません)"
    r"(?:でした)?|記載(?:は|が)?(?:ありません|なし))[。.]?"
)
_PROSE = re.compile(r"[。?？!！]|(?:です|ます|ません|である|した|する|ない|ください)$")
_REFUSAL = re.compile(
    r"できません|できない|わかりません|分かりません|不明|控え|提示|入力|相談|申し訳|不足|cannot|can't|sorry", re.I
)
_KEYS = (
    "entities",
    "entity",
    "answer",
    "answers",
    "result",
    "results",
    "items",
    "list",
    "回答",
    "答え",
    "症状",
    "所見",
    "薬",
    "薬剤",
    "表現",
    "結果",
    "抽出結果",
)
_TEXT_KEYS = (
    "text",
    "entity",
    "name",
    "term",
    "expression",
    "span",
    "value",
    "word",
    "mention",
    "surface",
    "表現",
    "症状",
    "所見",
    "薬剤",
    "薬",
    "名前",
    "語",
)
LONGEST = 60
"""Characters of an item that stands without quotes or bullets."""


def parse_entities(text: str, document: str = "") -> Strings | None:
    """The strings that a text lists, each once, in order; () when it says that there is none; None when unread.

    Args:
        text: the answer.
        document: what the strings were to be taken from; decides between readings where it is known.

    >>> parse_entities("回答: ['発熱', '咳', '咳']"), parse_entities("- 発熱\\n- 咳")
    (('発熱', '咳'), ('発熱', '咳'))
    >>> parse_entities("「発熱」「咳」"), parse_entities("該当する表現はありません。")
    (('発熱', '咳'), ())
    >>> parse_entities("__import__('os').listdir('/')") is None
    True
    """
    if len(text) > MAX_CHARACTERS:
        return None
    if tags := _TAGGED.findall(text):
        text = tags[-1][1]
    text = _FENCE.sub("", _TOKENS.sub("\n", text)).strip()
    found = _read(text, document)
    if found is None:
        return None
    kept = tuple(dict.fromkeys(whole_characters(entry).strip() for entry in found if entry.strip()))
    if len(kept) == 1 and _EMPTY_WORD.fullmatch(kept[0]) and kept[0] not in document:
        return ()
    return kept


def _read(text: str, document: str) -> Sequence[str] | None:
    signs = text.translate(_SIGNS)
    if not text or re.search(r"[A-Za-z_]\(", signs):
        return None
    if _EMPTY_WORD.fullmatch(signs.strip("「」[]'\" ")) or _NOTHING.fullmatch(signs):
        return ()
    if (boxed := _in_brackets(text, signs)) is not None:
        return boxed.entries
    if _REFUSAL.search(text):
        return None
    return _bulleted(text, document) or _quoted(text, signs) or _separated(text, document)


class _Brackets:
    """The strings of the bracketed lists of a text; `entries` is None where the brackets cannot be read."""

    def __init__(self, entries: Sequence[str] | None) -> None:
        self.entries = entries


def _in_brackets(text: str, signs: str) -> _Brackets | None:
    """The lists in brackets; None when the text holds none."""
    regions = [region for region in _regions(signs) if not _is_note(text, region)]
    if not regions:
        if "[" not in signs or "]" in signs:
            return None
        return _Brackets(list_items(signs))  # cut off
    lists = [_region(text[start:end], signs[start:end]) for start, end in regions]
    if any(entries is None for entries in lists):
        lists = [entries for entries in lists if entries is not None] if len(lists) > 1 else []
        if not lists or len(lists) != len(regions):
            return _Brackets(None)
    known = [entries for entries in lists if entries is not None]
    gaps = [signs[before[1] : after[0]] for before, after in pairwise(regions)]
    if all(_SEPARATOR.fullmatch(gap) for gap in gaps):
        return _Brackets([entry for entries in known for entry in entries])
    if len(set(map(tuple, known))) == 1 or _MARKED.search(signs[: regions[-1][0]].rstrip()):
        return _Brackets(known[-1])
    return _Brackets(None)


def _regions(signs: str) -> list[tuple[int, int]]:
    """Places of the outermost brackets [] and {}; of () where the text is nothing but one pair with quotes in it."""
    found: list[tuple[int, int]] = []
    depth, begin = 0, 0
    quote = ""
    for place, sign in enumerate(signs):
        if quote:
            quote = "" if sign == quote and signs[place - 1] != "\\" else quote
        elif depth and sign in "'\"" and (signs[place - 1] in "[{,:、 \n(" or signs[place - 1] in "'\""):
            quote = sign
        elif sign in "[{":
            begin, depth = (place, 1) if not depth else (begin, depth + 1)
        elif sign in "]}" and depth:
            depth -= 1
            if not depth:
                found.append((begin, place + 1))
    if not found and re.fullmatch(r"\(\s*['\"].*['\"]\s*,?\s*\)", signs, re.DOTALL):
        return [(0, len(signs))]
    return found


def _is_note(text: str, region: tuple[int, int]) -> bool:
    """Whether brackets hold the number of a reference or a heading, and are not all that the text is."""
    start, end = region
    inside = text[start + 1 : end - 1].strip()
    if (start, end) == (0, len(text)):
        return False
    return bool(re.fullmatch(r"[\d,\s\-]+|例|注|" + _HEAD, inside)) and text[start] in "[［【"


def _region(text: str, signs: str) -> Sequence[str] | None:
    """The strings in one pair of brackets."""
    quoted = _only_quoted(text[1:-1], signs[1:-1])
    if quoted is not None:
        return quoted
    value = json_or_literal(signs) if signs[:1] != "(" else None
    if isinstance(value, (dict, list)):
        return _of_value(value)
    inside = text[1:-1].strip()
    if not inside or re.search(r"[\[\]{}()<>=:]|__", signs[1:-1]):
        return [] if not inside else None
    entries = [entry.strip(" 「」『』'\"") for entry in re.split(r"[,、，;；\n]", inside)]
    return [entry for entry in entries if entry] if all(len(entry) <= LONGEST for entry in entries) else None


def _of_value(value: object, depth: int = 0) -> list[str] | None:
    """The strings of a JSON value: a list of texts, of objects with a text, or an object with such a list."""
    if isinstance(value, list):
        entries = [_text_of(entry) for entry in value]
        return (
            [entry for entry in entries if entry is not None] if all(entry is not None for entry in entries) else None
        )
    if isinstance(value, dict) and not depth:
        lists = [value[key] for key in _KEYS if isinstance(value.get(key), list)]
        lists = lists[:1] or [entry for entry in value.values() if isinstance(entry, list)]
        return _of_value(lists[0], 1) if len(lists) == 1 else None
    return None


def _text_of(entry: object) -> str | None:
    if isinstance(entry, bool):
        return None
    if isinstance(entry, (str, int, float)):
        try:
            return str(entry)
        except ValueError:  # an integer of more digits than Python writes out
            return None
    if isinstance(entry, dict):
        texts = [entry[key] for key in _TEXT_KEYS if isinstance(entry.get(key), str)]
        return texts[0] if texts else None
    return "None" if entry is None else None


def _only_quoted(text: str, signs: str) -> list[str] | None:
    """The quoted strings of a text that is nothing but them and signs between them (or nothing at all); else None."""
    found: list[str] = []
    place = 0
    for quoted in _QUOTED.finditer(signs):
        gap = signs[place : quoted.start()]
        if not _SEPARATOR.fullmatch(gap):
            return None
        group = next(number for number in range(1, 7) if quoted[number] is not None)
        inner = text[quoted.start(group) : quoted.end(group)]
        if "\\" in inner and group in (1, 2):
            decoded = json_or_literal(signs[quoted.start()] + inner + signs[quoted.end() - 1])
            inner = decoded if isinstance(decoded, str) else inner
        nested = _QUOTED.fullmatch(inner)
        if group == 6 and nested:
            inner = next(part for part in nested.groups() if part is not None)
        found.append(inner)
        place = quoted.end()
    if not found:
        return [] if not signs.strip() else None
    return found if _SEPARATOR.fullmatch(signs[place:]) else None


def _quoted(text: str, signs: str) -> list[str] | None:
    """Strings in quotes of any kind, with no more than a lead and an ending around them."""
    lead = _LEAD.match(signs) or re.match(r"[^「」'\"*。\n]{0,20}(?:は|:)\s*(?=[「『'\"*])", signs)
    start = lead.end() if lead else 0
    tail = _TAIL.search(signs)
    end = tail.start() if tail else len(signs)
    return _only_quoted(text[start:end], signs[start:end]) or None


def _bulleted(text: str, document: str) -> list[str] | None:
    """Items of bulleted or numbered lines, after and before at most two lines without bullets."""
    lines = [line for line in text.split("\n") if line.strip() and not re.fullmatch(r"[\s|:-]+", line)]
    marked = [bool(_BULLET.match(line)) for line in lines]
    if not any(marked):
        return None
    first, last = marked.index(True), len(marked) - marked[::-1].index(True)
    if not all(marked[first:last]) or first > 2 or len(lines) - last > 2:
        return None
    if last - first == 1 and first == 0 and len(lines) > 1 and not document:
        return None
    entries = [_item(_BULLET.sub("", line, count=1), document) for line in lines[first:last]]
    if lines[first].lstrip().startswith("|"):
        entries = entries[1:]  # the head of a table
    return [entry for entry in entries if entry] if all(entry for entry in entries) else None


def _item(line: str, document: str) -> str | None:
    """The item of one line: what stands before an explanation; None for a sentence."""
    line = line.strip().rstrip("|").strip()
    signs = line.translate(_SIGNS)
    quoted = _QUOTED.match(signs)
    if quoted and (quoted.end() == len(signs) or signs[quoted.end()] in ":(、,。 -"):
        group = next(number for number in range(1, 7) if quoted[number] is not None)
        return line[quoted.start(group) : quoted.end(group)]
    line = line.rstrip("。,、")
    if document and line in document:
        return line
    head = re.split(r"\s*[:(]|\s-\s", line.translate(_SIGNS), maxsplit=1)[0]
    if head and len(head) < len(line) and (not document or head in document.translate(_SIGNS)):
        return line[: len(head)]
    return line if len(line) <= LONGEST and not _PROSE.search(line) else None


def _separated(text: str, document: str) -> list[str] | None:
    """Items between commas or on lines of their own; one alone only where the document holds it."""
    lead = _LEAD.match(text.translate(_SIGNS))
    body = text[lead.end() if lead else 0 :]
    tail = _TAIL.search(body)
    body = body[: tail.start()] if tail else body
    entries = list(_split(body, document))
    if not entries or any(len(entry) > LONGEST or _PROSE.search(entry) for entry in entries):
        return None
    if document:
        inside = sum(entry in document for entry in entries)
        return entries if inside == len(entries) or (len(entries) > 1 and 2 * inside >= len(entries)) else None
    return entries if len(entries) > 1 else None


def _split(body: str, document: str) -> Iterator[str]:
    """The parts of a body; と and および divide only where the document holds both sides."""
    for part in re.split(r"\s*[,、，;；|\n]\s*|\s+/\s+|(?<=\S)・(?=\S)", body):
        joined = re.split(r"および|及び|と" if document else r"および|及び", part)
        held = all(side in document for side in joined) and part not in document
        several = len(joined) > 1 and (held or not document)
        for entry in joined if several else [part]:
            if entry.strip():
                yield entry.strip()
