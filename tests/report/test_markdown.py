"""The scoreboard as Markdown: tables by split, comparisons, the examination; invented rows."""

from typing import Any

from igakulm.evaluation.scoreboard import Scoreboard
from igakulm.report import markdown

Row = dict[str, Any]


def figure(model: str, value: float, task: str = "quiz", mode: str = "options-letter", **more: Any) -> Row:
    row: Row = {"model": model, "role": "model", "task": task, "split": "published", "answer_mode": mode, "n": 40}
    row |= {"prompt_style": "chat", "metric": "kappa", "value": value, "low": value - 0.1, "high": value + 0.1}
    return row | {"unparsed": 0.0, "truncated": 0} | more


def pair(second: str, p: float, difference: float = 0.2, **more: Any) -> Row:
    row: Row = {"task": "quiz", "split": "published", "metric": "kappa", "first": "a", "first_mode": "options-letter"}
    row |= {"second": second, "second_mode": "generate", "difference": difference, "low": 0.1, "high": 0.3, "p": p}
    return row | {"n": 40, "documents": 30} | more


def render_markdown(board: Row) -> str:
    return markdown.render_markdown(Scoreboard.model_validate(board))


def test_a_table_for_each_split_and_metric() -> None:
    rows = [
        figure("m", 0.5),
        figure("m", 0.4, mode="generate", unparsed=0.25),
        figure("m", 0.7, split="document-disjoint"),
        figure("m", 0.8, metric="accuracy"),
        figure("ngram", 0.6, mode="baseline", role="baseline", prompt_style=""),
    ]
    text = render_markdown({"rows": rows})
    published, disjoint = text.split("## Split: ")[1:]
    assert published.startswith("published\n\n### Cohen's kappa") and "### Accuracy" in published
    lines = published.splitlines()
    assert lines[4:9] == [
        "| Model | quiz |",
        "|---|---|",
        "| m (options-letter, chat) | 0.500 [0.400, 0.600] n=40 |",
        "| m (generate, chat) | 0.400 [0.300, 0.500] n=40, unread 25% |",
        "| ngram | 0.600 [0.500, 0.700] n=40 |",
    ]
    assert disjoint.startswith("document-disjoint") and "0.700" in disjoint and "ngram" not in disjoint


def test_published_figures_stand_beside_their_split_only() -> None:
    published = {"model": "Outside", "task": "quiz", "metric": "kappa", "value": 0.9, "split": "published"}
    rows = [figure("m", 0.5), figure("m", 0.5, split="document-disjoint")]
    text = render_markdown({"format": 2, "rows": rows, "published": [published]})
    assert text.count("| Outside † | 0.900 |") == 1
    assert text.index("Outside") < text.index("document-disjoint")


def test_comparisons() -> None:
    text = render_markdown({"rows": [], "paired": [pair("b", 0.004), pair("c", 0.03), pair("d", 0.04, -0.1)]})
    assert "| quiz (published) | kappa | a (options-letter) | b (generate) | +0.200 [+0.100, +0.300] |" in text
    assert "| 0.0040 | 0.0120 | 40 | A is higher |" in text
    assert text.count("no difference shown") == 2


def test_of_many_comparisons_only_differences_are_listed() -> None:
    text = render_markdown({"rows": [], "paired": [pair("b", 0.0001), *(pair(f"x{k}", 0.5) for k in range(70))]})
    assert text.count("| quiz (published) |") == 1 and "70 further comparisons show no difference." in text


def test_examination() -> None:
    marks: Row = {"required": 161, "required_total": 200, "required_mark": 160, "general": 200, "general_total": 299}
    row = {"model": "m", "answer_mode": "generate", "year": "2018", "general_mark": 208, "contraindicated": 1, **marks}
    more = {"contraindicated_limit": 3, "complete": True, "passed": False}
    text = render_markdown({"rows": [], "passing": [row | more, row | more | {"complete": False, "passed": None}]})
    assert (
        "| m (generate) | 2018 | 161/200 (mark 160) | 200/299 (mark 208) | 1 (at most 3) | mark not reached |" in text
    )
    assert "| not judged |" in text and text.count("mark reached") == 0


def test_names_cannot_break_the_table() -> None:
    text = render_markdown({"rows": [figure("a|b\n# <script>\x00", 0.5)], "paired": [pair("x|y\n", 0.5)]})
    assert "| a\\|b # &lt;script> " in text and "\x00" not in text and "\n# " not in text


def test_empty_and_odd_boards() -> None:
    boards: list[Row] = [{}, {"rows": [], "published": []}, {"rows": [{}], "paired": [{}], "passing": [{}]}]
    for board in boards:
        assert render_markdown(board).startswith("# Scoreboard")
