"""The report's table on synthetic text: which models wrote it, under which terms, and how much of it was kept.

Does: turn the stage's `yield.json` into markup. Does not: judge.
"""

from __future__ import annotations

from collections.abc import Sequence

from igakulm.evaluation.report_inputs import RunRecord
from igakulm.evaluation.report_page import Child, Html, count, el, finite, large, table


def synth_table(record: RunRecord) -> Html:
    """One row for each writer; nothing where no text was asked for."""
    writers = record.json("synth", "yield.json").get("writers")
    if not isinstance(writers, dict) or not writers:
        return Html("")
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
