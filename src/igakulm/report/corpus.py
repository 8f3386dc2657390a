"""The report's section on the corpus: what each step left, what was dropped and why, licences, decontamination.

Does: turn `funnel.json`, `sources.json` and `statistics.json` into markup, with the tokens of corpus_tokens.py.
Does not: judge.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from igakulm.corpus.histograms import LENGTHS
from igakulm.evaluation.corpus_tokens import table_one, tokens_by_source
from igakulm.report.board import listed, rows_of
from igakulm.report.charts import bar
from igakulm.report.inputs import RunRecord
from igakulm.report.page import (
    Child,
    Html,
    count,
    details,
    el,
    finite,
    join,
    large,
    note,
    section,
    table,
)
from igakulm.report.synth import synth_table

SCRIPTS = {
    "hiragana": "ひらがな",
    "katakana": "カタカナ",
    "kanji": "漢字",
    "latin": "ラテン文字",
    "greek": "ギリシャ文字",
    "digit": "数字",
    "other": "句読点・記号など",
}
KINDS = {"medical": "医学", "general": "一般"}
STEPS = {
    "read": "読み込み",
    "clean": "整形",
    "filter": "規則による選別",
    "exact": "完全重複の除去",
    "near": "近似重複の除去",
    "decontamination": "評価問題の除去",
    "boilerplate": "定型文の除去",
    "quality": "モデルによる選別",
}
REASONS = {
    "unreadable": "読み取れない行",
    "too_short": "短すぎる",
    "too_long": "長すぎる",
    "oscar_warning": "OSCARの警告がある",
    "oscar_category": "OSCARの分類で除く対象",
    "oscar_harmful": "OSCARの有害文らしさが高い",
    "oscar_language": "OSCARの言語判定が不確か",
    "not_japanese": "日本語の割合が低い",
    "symbols": "記号が多い",
    "digits": "数字が多い",
    "repetition": "同じ行や文の繰り返しが多い",
    "list_page": "短い行ばかりの一覧",
    "advertisement": "広告の語が多い",
    "adult": "成人向けの語が多い",
    "truncated": "文の途中で切れている",
    "exact_duplicate": "先の文書とまったく同じ",
    "near_duplicate": "先の文書とほぼ同じ",
    "boilerplate": "定型文や既出の文を除くと短すぎる",
    "quality": "モデルの判定が低い",
}
PERSONAL = {
    "mail": "メールアドレス",
    "url": "URL",
    "telephone": "電話番号",
    "account": "アカウント名（@）",
    "tag": "ハッシュタグ（#）",
    "postal_code": "郵便番号",
    "patient_number": "患者番号など",
}


def corpus_section(number: int, record: RunRecord) -> Html:
    """Funnel, reasons with samples, licences, decontamination."""
    funnel = record.json("corpus", "funnel.json")
    if not funnel:
        return section("corpus", number, "コーパス", note("この実行にはコーパスの記録がありません。"))
    sources = rows_of(funnel.get("sources"))
    return section(
        "corpus",
        number,
        "コーパス",
        _funnel_table(sources),
        note(
            "各段階の後に残った文書数と文字数。棒は、その出典から読み込んだ文字数に対する残りの割合。"
            "整形では、個人情報やウェブ表記も本文から消す。"
        ),
        _table_one(record, funnel),
        _histograms(record.json("corpus", "statistics.json")),
        _reasons(funnel.get("reasons"), funnel.get("samples")),
        _licences(record.json("corpus", "sources.json")),
        synth_table(record),
        el("div", _decontamination(funnel), _personal(funnel.get("personal_data_deleted")), class_="pair"),
    )


def _funnel_table(sources: Sequence[Mapping[str, Any]]) -> Html:
    per_source = [{str(step.get("step")): step for step in rows_of(source.get("steps"))} for source in sources]
    names = list(dict.fromkeys(name for steps in per_source for name in steps))
    names.sort(key=lambda name: list(STEPS).index(name) if name in STEPS else len(STEPS))
    rows: list[Sequence[Child]] = []
    for source, steps in zip(sources, per_source, strict=True):
        kind = KINDS.get(str(source.get("kind")), str(source.get("kind") or ""))
        title = el("th", str(source.get("name")), el("small", kind), scope="row")
        rows.append([title, *(_funnel_cell(steps, name, names[0]) for name in names)])
    totals = {name: _sum(per_source, name) for name in names}
    if len(sources) > 1 and names:
        rows.append([el("th", "合計", scope="row"), *(_funnel_cell(totals, name, names[0]) for name in names)])
    head = ["出典", *(STEPS.get(name, name) for name in names)]
    return table(head, rows, caption="段階ごとの文書数と文字数", kind="wide funnel")


def _sum(per_source: Sequence[Mapping[str, Mapping[str, Any]]], name: str) -> dict[str, float]:
    entries = [steps[name] for steps in per_source if name in steps]
    return {key: sum(finite(entry.get(key)) or 0.0 for entry in entries) for key in ("documents", "characters")}


def _funnel_cell(steps: Mapping[str, Mapping[str, Any]], name: str, first: str) -> Html:
    entry = steps.get(name, {})
    characters, whole = finite(entry.get("characters")), finite(steps.get(first, {}).get("characters"))
    share = characters / whole if characters is not None and whole else None
    size = el("small", f"{large(characters)}字") if characters is not None else None
    return el("td", count(entry.get("documents")), size, bar(share))


def _table_one(record: RunRecord, funnel: Mapping[str, Any]) -> Html:
    """Documents, characters and tokens of each source that are left, as in the paper's table 1."""
    folders = record.folders
    known = "corpus" in folders and "tokenizer" in folders
    tokens = tokens_by_source(folders["corpus"], folders["tokenizer"]) if known else {}
    rows: list[Sequence[Child]] = []
    for row in table_one(funnel, tokens):
        number = "—" if row["tokens"] is None else f"{'' if row['exact'] else '約 '}{large(row['tokens'])}"
        kind = el("td", KINDS.get(row["kind"], row["kind"]), class_="text")
        name = "合計" if row["source"] == "all" and not row["kind"] else row["source"]
        rows.append([name, kind, count(row["documents"]), f"{large(row['characters'])}字", number])
    head: list[Child] = ["出典", el("th", "種別", scope="col", class_="text"), "文書数", "文字数", "トークン数"]
    explained = (
        note("トークン数は、この実行の分かち書きによる。「約」は本文の一部から見積もった値。") if tokens else None
    )
    return join(table(head, rows, caption="コーパスの内訳"), explained) if rows else Html("")


def _histograms(statistics: Mapping[str, Any]) -> Html:
    """Lengths of the kept documents, and the scripts of their characters."""
    groups = [groups for groups in statistics.values() if isinstance(groups, dict)]
    lengths, scripts = _summed(groups, "lengths"), _summed(groups, "scripts")
    scripts.pop("space", None)
    if not lengths:
        return Html("")
    ends = {**dict(pairwise(LENGTHS)), LENGTHS[-1]: None}
    by_length = [
        (f"{low:,} 〜 {end:,}" if (end := ends.get(low)) else f"{low:,} 〜", lengths[str(low)])
        for low in LENGTHS
        if str(low) in lengths
    ]
    by_script = [(SCRIPTS.get(name, name), number) for name, number in scripts.items()]
    return el(
        "div",
        _histogram("文書の長さ（字）", "文書数", by_length),
        _histogram("文字の種類", "文字数", by_script),
        class_="pair",
    )


def _summed(groups: Sequence[Mapping[str, Any]], what: str) -> dict[str, int]:
    found: Counter[str] = Counter()
    for group in groups:
        entries = group.get(what)
        found.update({str(name): int(finite(number) or 0) for name, number in entries.items()} if entries else {})
    return dict(found)


def _histogram(title: str, unit: str, counts: Sequence[tuple[str, int]]) -> Html:
    whole = sum(number for _, number in counts) or 1
    rows: list[Sequence[Child]] = [
        [name, large(number), el("td", bar(number / whole, tall=True), class_="chart")] for name, number in counts
    ]
    head: list[Child] = [title, unit, el("th", "割合", scope="col", class_="text")]
    return el("div", table(head, rows, caption=title))


def _reasons(reasons: object, samples: object) -> Html:
    if not isinstance(reasons, dict) or not reasons:
        return note("除いた文書はありません。")
    counts = {str(name): finite(value) or 0.0 for name, value in reasons.items()}
    total = sum(counts.values())
    rows: list[Sequence[Child]] = []
    for name, number in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])):
        shown = rows_of(samples.get(name)) if isinstance(samples, dict) else []
        title = el("th", reason_name(name), el("code", name), scope="row")
        share = number / total if total else 0.0
        rows.append(
            [
                title,
                count(number),
                el("td", bar(share, tall=True), class_="chart"),
                el("td", _samples(shown), class_="text"),
            ]
        )
    heads = [el("th", name, scope="col", class_="text") for name in ("割合", "例（冒頭）")]
    head: list[Child] = ["理由", "文書数", *heads]
    caption = f"除いた理由（のべ {count(total)} 文書）"
    return join(
        table(head, rows, caption=caption, kind="wide"),
        note("例は除いた文書の冒頭をそのまま示す。個人情報を含みうるため、この報告を外へ渡す前に確かめる。"),
    )


def reason_name(reason: str) -> str:
    """A reason code in Japanese.

    >>> reason_name("too_short"), reason_name("benchmark:posts"), reason_name("own_rule")
    ('短すぎる', '評価問題の文を含む', 'own_rule')
    """
    return "評価問題の文を含む" if reason.startswith("benchmark") else REASONS.get(reason, reason)


def _samples(samples: Sequence[Mapping[str, Any]]) -> Child:
    if not samples:
        return None
    listed_samples = [
        el("li", el("span", str(sample.get("id", "")), class_="id"), str(sample.get("text", ""))[:200])
        for sample in samples[:3]
    ]
    return details(f"{len(listed_samples)} 件を見る", el("ul", listed_samples, class_="samples"))


def _licences(sources: Mapping[str, Any]) -> Html:
    rows = [
        [
            name,
            el("td", KINDS.get(str(entry.get("kind")), str(entry.get("kind") or "")), class_="text"),
            el("td", listed(entry.get("licences") or ["不明"]), class_="text"),
            count(entry.get("documents")),
            f"{large(entry.get('characters'))}字",
        ]
        for name, entry in sources.items()
        if isinstance(entry, dict)
    ]
    if not rows:
        return Html("")
    heads = [el("th", name, scope="col", class_="text") for name in ("種別", "ライセンス")]
    head: list[Child] = ["出典", *heads, "文書数", "文字数"]
    return table(head, rows, caption="学習に使う文書のライセンス")


def _decontamination(funnel: Mapping[str, Any]) -> Html:
    found, unchecked = funnel.get("decontamination"), funnel.get("benchmark_items_too_short")
    if not isinstance(found, dict) or not found:
        return Html("")
    short = unchecked if isinstance(unchecked, dict) else {}
    rows = [[name, count(number), count(short.get(name, 0))] for name, number in found.items()]
    return el(
        "div",
        table(["評価課題", "除いた文書", "短くて調べられない問題"], rows, caption="評価問題の混入"),
        note(
            "課題のテスト問題と長い文字列を共有したため、学習用の文書から除いた数。"
            "0 は検査して混入がなかったことを示す。"
        ),
    )


def _personal(deleted: object) -> Html:
    if not isinstance(deleted, dict) or not deleted:
        return Html("")
    rows = [[PERSONAL.get(name, name), count(number)] for name, number in deleted.items()]
    return el(
        "div",
        table(["種類", "箇所"], rows, caption="本文から消した個人情報とウェブ表記"),
        note("規則で見つけたものだけを消す。すべてを消せたことは保証されない。"),
    )
