"""A comparison of tokenizers as a page of its own (`igakulm tokenizer report --html`).

Does: turn the result of `tokenizer.material` into a page that opens offline. Does not: measure or tokenise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from igakulm.files import write_text
from igakulm.report.page import (
    Child,
    Html,
    count,
    decimal,
    el,
    join,
    note,
    page,
    percent,
    section,
    table,
)
from igakulm.report.tokenizer import TERMS, broken_characters, stored_figures, token_line

FOOTER = "IgakuLM がトークナイザーを測定して作成した。このページは外部のファイルを読み込まない。"
WHO = (("ours", "IgakuLM"), ("llamacpp", "llama.cpp"))
Measured = Sequence[Mapping[str, Any]]


def write_tokenizer_page(result: Mapping[str, Any], path: Path) -> None:
    """Write the page; the same result gives the same bytes.

    Raises:
        InputError: the place cannot be written.
    """
    measured: Measured = result["tokenizers"]
    parts = [
        ("texts", "本文", _texts(measured)),
        ("names", "医学用語", _names(measured)),
        ("samples", "分割の例", _samples(result["samples"], measured)),
        ("llamacpp", "llama.cpp", _llamacpp(result.get("llamacpp"))),
        ("stored", "作成時の記録", stored_figures(result["report"]) if result["report"] else Html("")),
    ]
    shown = [part for part in parts if part[2]]
    sections = [section(anchor, number, name, body) for number, (anchor, name, body) in enumerate(shown, 1)]
    contents = [(anchor, name) for anchor, name, _ in shown]
    title = f"{measured[0]['name']} — IgakuLM トークナイザー"
    write_text(path, page(title, _header(measured), contents, sections, FOOTER))


def _header(measured: Measured) -> Html:
    rows: list[Sequence[Child]] = [
        [one["name"], count(one["size"]), one.get("runtime", ""), count(_tokens(one["samples"]))] for one in measured
    ]
    return el(
        "header",
        el("p", "トークナイザーの比較", class_="kind"),
        el("h1", measured[0]["name"]),
        table(["トークナイザー", "語彙", "実行時の分割", "例文のトークン"], rows, label="トークナイザー"),
    )


def _tokens(samples: Sequence[Sequence[Sequence[Any]]]) -> int:
    return sum(number for parts in samples for _, number in parts)


def _texts(measured: Measured) -> Html:
    return join([_text(title, measured) for title in measured[0]["texts"]])


def _text(title: str, measured: Measured) -> Html:
    first = measured[0]["texts"][title]
    rows: list[Sequence[Child]] = []
    for one in measured:
        entry = one["texts"][title]
        agreement = one.get("mecab_agreement", {}).get(title, {})
        rows.append(
            [
                one["name"],
                decimal(entry["characters_per_token"]),
                decimal(entry["bytes_per_token"], 2),
                count(entry["tokens"]),
                percent(entry["fallback_share"], 3),
                percent(agreement.get("same_share")),
            ]
        )
    caption = f"{title}（{count(first['characters'])} 文字、{count(first['documents'])} 文書）"
    head = ["トークナイザー", "文字／トークン", "バイト／トークン", "トークン", "バイトの割合", "MeCabの有無で同じ文"]
    broken = [
        join(el("h4", one["name"]), broken_characters(worst))
        for one in measured
        if (worst := one["texts"][title]["worst_characters"])
    ]
    return join(
        table(head, rows, caption=caption),
        el("details", el("summary", "一つの文字が複数のトークンに分かれる文字"), broken) if broken else None,
    )


def _names(measured: Measured) -> Html:
    kinds = list(measured[0]["names"])
    rows: list[Sequence[Child]] = [
        [
            one["name"],
            TERMS.get(kind, kind),
            count(entry["names"]),
            percent(entry["one_token_share"]),
            decimal(entry["tokens_per_name"], 2),
        ]
        for kind in kinds
        for one in measured
        for entry in [one["names"][kind]]
    ]
    head = ["トークナイザー", "種類", "名称", "1 トークン", "トークン／名称"]
    return table(head, rows, label="医学用語") if rows else Html("")


def _samples(samples: Sequence[str], measured: Measured) -> Html:
    lines = [
        join(
            el("h4", sample),
            [
                el("p", el("small", f"{one['name']}（{_tokens([one['samples'][place]])}）"), el("br"), line)
                for one in measured
                for line in [token_line(one["samples"][place])]
            ],
        )
        for place, sample in enumerate(samples)
    ]
    return join(lines, note("色の変わり目がトークンの境目。赤は、一つの文字が複数のトークンに分かれるところ。"))


def _llamacpp(found: Mapping[str, Any] | None) -> Html:
    if not found:
        return Html("")
    rows: list[Sequence[Child]] = [
        [
            found["file"],
            count(found["lines"]),
            percent(found["equal_share"], 2),
            count(found["with_unknown"]),
            count(found["refused"]),
            count(found["crashed"]),
        ]
    ]
    head = ["ファイル", "行", "IDが同じ行", "未知の文字がある行", "拒んだ行", "異常終了した行"]
    examples = [
        el(
            "p",
            *(join(name, " ", token_line([(piece, 1) for piece in difference[key]]), el("br")) for key, name in WHO),
        )
        for difference in found["differences"]
    ]
    return join(
        note("GGUFに文章を渡すと、llama.cpp自身の分割が使われる。IgakuLMは常にIDを渡すので、この差の影響を受けない。"),
        table(head, rows, label="llama.cpp"),
        el("h3", "違いの例") if examples else None,
        examples,
    )
