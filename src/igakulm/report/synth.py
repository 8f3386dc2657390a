"""The report's tables on synthetic text: who wrote it, under which terms, how much was kept, and why the rest was not.

Does: turn the stage's `yield.json`, and the places of the right options in `exams.jsonl`, into markup. Does not: judge.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from igakulm.files import read_jsonl
from igakulm.report.inputs import RunRecord
from igakulm.report.page import Child, Html, count, decimal, el, finite, join, large, note, percent, table
from igakulm.synth.set_checks import position_bias

KINDS = {"textbook": "教科書の文章", "exam": "試験問題"}
REASONS = {
    "no_answer": "サーバーから答えが得られない",
    "request_refused": "サーバーが依頼を受け付けない",
    "broken_characters": "壊れた文字や制御文字がある",
    "chatter": "断り、挨拶、対話の制御記号がある",
    "prompt_echo": "依頼文や例をそのまま返した",
    "not_japanese": "日本語ではない",
    "too_short": "短すぎる",
    "repetition": "同じ語句を繰り返す",
    "cut_off": "途中で切れている",
    "term_missing": "求めた用語がない",
    "near_duplicate": "採用済みの文書とほぼ同じ",
    "benchmark_overlap": "ベンチマークの問題と重なる",
    "malformed_item": "問題、選択肢、解説のいずれかを読み取れない",
    "options_count": "選択肢が五つではない",
    "answer_missing": "正解が示されていない",
    "answer_not_among_options": "正解が選択肢の中にない",
    "no_question": "問題文が何も問うていない",
    "duplicate_options": "同じ選択肢がある",
    "option_lengths": "一つの選択肢だけが極端に長い",
    "answer_count": "正解の数が問題文の求める数と違う",
    "answer_contradiction": "解説が別の選択肢を正解と述べる",
    "answer_given_away": "問題文に正解が書かれている",
    "verification": "別のモデルの解答と一致しない",
}
"""What the reason codes of the checks mean."""
UNEVEN = 0.01
SMALLEST_P = 0.0001


def synth_table(record: RunRecord) -> Html:
    """Writers, reasons and places; nothing where no text was asked for."""
    found = record.json("synth", "yield.json")
    writers = found.get("writers")
    if not isinstance(writers, dict) or not writers:
        return Html("")
    return join(_writers(writers), _kinds(found.get("kinds")), _places(record, found), _agreement(found))


def _writers(writers: Mapping[str, Any]) -> Html:
    rows: list[Sequence[Child]] = []
    for name, entry in writers.items():
        model = " @ ".join(str(entry[key]) for key in ("model", "revision") if entry.get(key))
        terms = " — ".join(str(entry[key]) for key in ("licence", "terms") if entry.get(key))
        share = f"{100 * (finite(entry.get('share_of_characters')) or 0.0):.1f}%"
        texts = [el("td", text, class_="text") for text in (model, terms)]
        rows.append(
            [name, *texts, count(entry.get("asked")), count(entry.get("kept")), large(entry.get("characters")), share]
        )
    heads = [el("th", text, scope="col", class_="text") for text in ("モデル", "ライセンスと利用条件")]
    head: list[Child] = ["書き手", *heads, "依頼", "採用", "文字数", "割合"]
    return table(head, rows, caption="合成した文書の書き手", kind="wide")


def _kinds(kinds: object) -> Html:
    """Kept and rejected texts of each kind: one row for each reason, the most frequent first."""
    pairs = kinds.items() if isinstance(kinds, dict) else ()
    known = {name: entry for name, entry in pairs if name in KINDS and isinstance(entry, dict)}
    if not known:
        return Html("")
    asked = [entry.get("asked") for entry in known.values()]
    rejected = [_reasons(entry.get("rejected")) for entry in known.values()]
    total: Counter[str] = sum(rejected, Counter())
    rows: list[Sequence[Child]] = [
        ["依頼", *(count(entry.get("asked")) for entry in known.values())],
        ["採用", *(_of(entry.get("kept"), entry.get("asked")) for entry in known.values())],
    ]
    for reason, _ in sorted(total.items(), key=lambda item: (-item[1], item[0])):
        name = el("th", REASONS.get(reason, reason), el("small", reason), scope="row")
        rows.append([name, *(_of(own[reason], of) for own, of in zip(rejected, asked, strict=True))])
    caption = "合成した文書の採否（不採用は最初に当てはまった理由で数える）"
    return table(["", *(KINDS[name] for name in known)], rows, caption=caption)


def _reasons(counts: object) -> Counter[str]:
    """Counts by reason code, without what is no count."""
    pairs = counts.items() if isinstance(counts, dict) else ()
    return Counter({str(reason): round(number) for reason, value in pairs if (number := finite(value)) is not None})


def _of(part: object, whole: object) -> str:
    if finite(part) == 0:
        return "0"
    share = percent((finite(part) or 0.0) / total) if (total := finite(whole)) else "–"
    return f"{count(part)} ({share})"


def _places(record: RunRecord, found: Mapping[str, Any]) -> Html:
    """Where the right option stands, as written and as kept, with the test against even places."""
    kept = found.get("answer_positions")
    if not isinstance(kept, dict) or not kept.get("items"):
        return Html("")
    written = places_as_written(record)
    named = [("書き手が書いた順", written), ("並べ替えた後", kept)] if written["items"] else [("採用した問題", kept)]
    rows: list[Sequence[Child]] = [
        [
            name,
            *(count(number) for number in bias["positions"].values()),
            count(bias["items"]),
            decimal(bias["chi_square"], 2),
            _p_value(bias["p_value"]),
        ]
        for name, bias in named
    ]
    uneven = (value := finite(kept.get("p_value"))) is not None and value < UNEVEN
    extent = "偶然の範囲を超える" if uneven else "偶然の範囲にある"
    return join(
        table(["", *kept["positions"], "問題数", "χ²", "p"], rows, caption="正解が一つの問題での正解の位置"),
        note(f"位置が均等であるかのχ²検定（自由度4）。採用した問題での偏りは{extent}（p < {UNEVEN} を偏りとする）。"),
    )


def _p_value(value: object) -> str:
    number = finite(value)
    return "< 0.0001" if number is not None and number < SMALLEST_P else decimal(number, 4)


def places_as_written(record: RunRecord) -> dict[str, Any]:
    """`position_bias` of the kept items with one right option, at the places where their writers put it."""
    path = record.folders["synth"] / "exams.jsonl"
    letters: Counter[str] = Counter()
    for row in read_jsonl(path) if path.is_file() else ():
        written = row.get("answer_written")
        if isinstance(written, list) and len(written) == 1:
            letters[str(written[0])] += 1
    return position_bias(letters)


def _agreement(found: Mapping[str, Any]) -> Html:
    verified = found.get("verified")
    if not isinstance(verified, dict):
        return Html("")
    both = (finite(verified.get("agrees")) or 0.0) + (finite(verified.get("disagrees")) or 0.0)
    if not both:
        return Html("")
    unread = (finite(verified.get("unreadable")) or 0.0) + (finite(verified.get("no_answer")) or 0.0)
    return note(
        f"別のモデルが正解を見ずに解いた{count(both)}問のうち、{count(verified.get('agrees', 0))}問"
        f"（{percent((finite(verified.get('agrees')) or 0.0) / both)}）で答えが一致した。"
        f"答えを読み取れなかった問題は{count(unread)}問。一致は正しさの証明ではない。"
    )
