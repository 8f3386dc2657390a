"""The report's section on the tokenizer: compression, names in one piece, characters that fall back to bytes.

Does: turn the tokenizer's `report.json` (see tokenizer/report.py) into markup. Does not: tokenise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from igakulm.report.board import rows_of
from igakulm.report.inputs import RunRecord
from igakulm.report.page import (
    Child,
    Html,
    count,
    decimal,
    el,
    facts,
    finite,
    join,
    note,
    percent,
    section,
    size,
    table,
)

KINDS = {"medical": "医学", "general": "一般"}
TERMS = {"disease": "病名", "drug": "薬剤名"}
RUNTIMES = {"plain": "実行時にMeCabを使わない", "mecab": "実行時にもMeCabで分割する"}


def tokenizer_section(number: int, record: RunRecord) -> Html:
    """Vocabulary, characters per token, names, byte fallback, token borders."""
    report = record.json("tokenizer", "report.json")
    if not report:
        return section("tokenizer", number, "トークナイザー", note("この実行にはトークナイザーの記録がありません。"))
    return section("tokenizer", number, "トークナイザー", stored_figures(report))


def stored_figures(report: Mapping[str, Any]) -> Html:
    """Everything that a tokenizer's report.json says."""
    return join(
        facts(_facts(report)),
        el("div", _compression(_inner(report, "compression")), _names(_inner(report, "names")), class_="pair"),
        note(
            "圧縮率は語彙の学習に使わなかった文書で測る。「1 トークン」は、名称が一つのトークンになる割合。"
            "「MeCabの1語」は、利用者辞書を入れたMeCabが名称を分割しない割合。"
        ),
        _fallback(_inner(report, "byte_fallback")),
        _samples(report.get("samples")),
    )


def _inner(report: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = report.get(key)
    return value if isinstance(value, dict) else {}


def _facts(report: Mapping[str, Any]) -> list[tuple[Child, Child]]:
    vocabulary, training = _inner(report, "vocabulary"), _inner(report, "training")
    agreement, fallback = _inner(report, "mecab_agreement"), _inner(report, "byte_fallback")
    dictionary = _inner(report, "user_dictionary")
    runtime = str(vocabulary.get("runtime") or "")
    text_bytes = sum(finite(value) or 0.0 for value in _inner(training, "bytes").values())
    pairs: list[tuple[Child, Child, bool]] = [
        ("語彙", count(vocabulary.get("base_size")), "base_size" in vocabulary),
        ("対話トークンを含む語彙", count(vocabulary.get("size")), "size" in vocabulary),
        ("分割の方式", RUNTIMES.get(runtime, runtime), bool(runtime)),
        ("学習に使った本文", size(text_bytes), text_bytes > 0),
        ("異なり語数", count(training.get("word_types")), "word_types" in training),
        ("加えた名称", count(training.get("names")), "names" in training),
        ("利用者辞書の語", count(training.get("user_dictionary_names")), "user_dictionary_names" in training),
        ("文の中で1語になる辞書の名称", percent(dictionary.get("one_word_share"), 2), "one_word_share" in dictionary),
        (
            "辞書で境目が動いた一般の文",
            percent(dictionary.get("moved_border_share"), 2),
            "moved_border_share" in dictionary,
        ),
        ("バイトに分かれたトークン", percent(fallback.get("token_share"), 3), "token_share" in fallback),
        ("MeCabの有無で同じになる文", percent(agreement.get("same_share")), "same_share" in agreement),
    ]
    return [(name, value) for name, value, known in pairs if known]


def _compression(kinds: Mapping[str, Any]) -> Html:
    rows: list[Sequence[Child]] = [
        [
            KINDS.get(kind, kind),
            decimal(entry.get("characters_per_token"), 2),
            decimal(entry.get("bytes_per_token"), 2),
            count(entry.get("tokens")),
        ]
        for kind, entry in kinds.items()
        if isinstance(entry, dict)
    ]
    head = ["本文", "文字／トークン", "バイト／トークン", "測ったトークン"]
    return el("div", table(head, rows, caption="圧縮率")) if rows else Html("")


def _names(kinds: Mapping[str, Any]) -> Html:
    rows: list[Sequence[Child]] = [
        [
            TERMS.get(kind, kind),
            count(entry.get("names")),
            percent(entry.get("one_token_share")),
            decimal(entry.get("tokens_per_name"), 2),
            percent(entry.get("one_mecab_word_share")),
        ]
        for kind, entry in kinds.items()
        if isinstance(entry, dict)
    ]
    head = ["名称", "数", "1 トークン", "トークン／名称", "MeCabの1語"]
    return el("div", table(head, rows, caption="医学用語のまとまり")) if rows else Html("")


def _fallback(found: Mapping[str, Any]) -> Html:
    worst = rows_of(found.get("worst_characters"))
    if not worst:
        return note("語彙にないためバイトに分かれた文字はない。") if found else Html("")
    return join(el("h3", "バイトに分かれる文字（多い順）"), broken_characters(worst))


def broken_characters(worst: Iterable[Mapping[str, Any]]) -> Html:
    """Characters without a token of their own, with code point and count."""
    characters = [
        el(
            "span",
            el("b", str(entry.get("character", ""))),
            el("small", f"{entry.get('code_point', '')} × {count(entry.get('count'))}"),
        )
        for entry in worst
    ]
    return el("p", characters, class_="characters")


def _samples(samples: object) -> Html:
    lines = [el("p", token_line(parts)) for parts in samples] if isinstance(samples, list) else []
    if not lines:
        return Html("")
    return join(
        el("h3", "分割の例"),
        lines,
        note("色の変わり目がトークンの境目。赤は、一つの文字が複数のトークンに分かれるところ。"),
    )


def token_line(parts: Iterable[Sequence[Any]]) -> Html:
    """Text with its token borders: `parts` are pairs of text and number of tokens (2 or more: a broken character)."""
    return el(
        "span",
        [el("span", text, class_="broken" if tokens > 1 else None) for text, tokens in parts],
        class_="tokens",
    )
