from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from igakulm.errors import InputError
from igakulm.recipe.task_file import ColumnsSection, OwnSplitSection, OwnTaskSection, TaskFile
from igakulm.tasks.own.items import items_of
from igakulm.tasks.own.rows import OwnRow
from igakulm.tasks.own.splits import Sides, split_rows


def task_file(**split: Any) -> TaskFile:
    task = OwnTaskSection(name="t", kind="classify", column="c", question="どれか。", labels=("x", "y"))
    columns = ColumnsSection(text="a", patient="p", date="d")
    return TaskFile(name="n", data=("d",), columns=columns, split=OwnSplitSection(**split), tasks=(task,))


def row(number: int, patient: str = "", text: str = "", label: str = "x", date: str = "") -> OwnRow:
    return OwnRow("f", number, str(number), patient, date, text or f"文{number}", {"t": (label,)})


def sides_of(sides: Sides) -> list[set[int]]:
    return [{one.row for one in side} for side in (sides.train, sides.validation, sides.test)]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 60), st.booleans()), min_size=60, max_size=120),
    st.integers(0, 5),
)
def test_no_patient_and_no_text_stands_on_two_sides(given_rows: list[tuple[int, int, bool]], seed: int) -> None:
    rows = [row(n, f"p{p}", f"文{t}", "xy"[y]) for n, (p, t, y) in enumerate(given_rows)]
    try:
        sides = split_rows(task_file(by="patient", seed=seed), rows)
    except InputError:
        return  # all rows hang together
    assert sum(map(len, sides_of(sides))) == len(rows)
    for what in ("patient", "text"):
        found = [{getattr(one, what) for one in side} for side in (sides.train, sides.validation, sides.test)]
        assert not found[0] & found[1] and not found[0] & found[2] and not found[1] & found[2]


def test_shares_labels_and_seed() -> None:
    rows = [row(n, f"p{n // 2}", label="y" if n // 2 % 4 == 0 else "x") for n in range(400)]
    first = split_rows(task_file(by="patient"), rows)
    assert abs(len(first.test) - 80) <= 8 and abs(len(first.validation) - 40) <= 6
    assert 0.15 < sum(one.answers["t"] == ("y",) for one in first.test) / len(first.test) < 0.35
    assert sides_of(first) == sides_of(split_rows(task_file(by="patient"), rows))
    assert sides_of(first) != sides_of(split_rows(task_file(by="patient", seed=1), rows))


def test_folds_test_every_row_once() -> None:
    rows = [row(n, f"p{n // 3}") for n in range(60)]
    tested = [sides_of(split_rows(task_file(by="patient", folds=5), rows, fold))[2] for fold in range(5)]
    assert sorted(number for side in tested for number in side) == list(range(60))


def test_the_future_is_tested() -> None:
    rows = [row(n, date=f"2024-0{1 + n // 20}-{1 + n % 20:02d}") for n in range(100)]
    sides = split_rows(task_file(by="date"), rows)
    assert max(one.date for one in sides.train) < min(one.date for one in sides.validation)
    assert max(one.date for one in sides.validation) < min(one.date for one in sides.test)
    with pytest.raises(InputError, match="is no date"):
        split_rows(task_file(by="date"), [row(1, date="先週")])
    with pytest.raises(InputError, match="too few days"):
        split_rows(task_file(by="date"), [row(n, date="2024-01-01") for n in range(9)])


def test_one_patient_cannot_be_split() -> None:
    with pytest.raises(InputError, match="1 patients are too few"):
        split_rows(task_file(by="patient"), [row(n, "p") for n in range(20)])


def test_items_of_every_kind(tmp_path: Path) -> None:
    tasks = (
        OwnTaskSection(name="one", kind="classify", column="c", question="どれか。", labels=("なし", "あり")),
        OwnTaskSection(name="many", kind="classify", column="c", labels=("咳", "熱"), multiple=True),
        OwnTaskSection(name="items", kind="extract", column="c", question="症状は。", item="症状"),
        OwnTaskSection(name="pair", kind="compare", column="c", second="s", question="似るか。", labels=("同", "違")),
        OwnTaskSection(name="qa", kind="question-answer", column="c", second="s"),
        OwnTaskSection(name="free", kind="free-text", column="c", question="要約は。"),
    )
    loaded = TaskFile(name="n", data=("d",), columns=ColumnsSection(text="a"), tasks=tasks)
    answers = {"one": ("あり",), "many": ("熱",), "items": ("熱",), "pair": ("違",), "qa": ("38度",), "free": ("発熱",)}
    seconds = {"pair": "平熱。", "qa": "体温は。"}
    found = items_of(loaded, [OwnRow("f", 7, "r", "p1", "", "熱がある。", answers, seconds)])
    assert {name: [(item.question, item.choices, item.answer) for item in items] for name, items in found.items()} == {
        "one": [("どれか。\n「熱がある。」", ("なし", "あり"), ("B",))],
        "many.1": [("次の記録に「咳」は当てはまりますか。\n「熱がある。」", ("当てはまる", "当てはまらない"), ("B",))],
        "many.2": [("次の記録に「熱」は当てはまりますか。\n「熱がある。」", ("当てはまる", "当てはまらない"), ("A",))],
        "items": [("症状は。\n「熱がある。」", (), ("熱",))],
        "pair": [("似るか。\n文1: 熱がある。\n文2: 平熱。", ("同", "違"), ("B",))],
        "qa": [("体温は。\n「熱がある。」", (), ("38度",))],
        "free": [("要約は。\n「熱がある。」", (), ("発熱",))],
    }
    assert {(item.patient, item.group) for items in found.values() for item in items} == {("p1", "")}
