"""Rows of a data file that no question can be made of, and items that a model gave no answer to: counted and listed.

Does: say why a row is left out, collect such rows, or refuse the first one (`strict`). Does not: read files or print.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from igakulm.errors import InputError
from igakulm.files import write_jsonl
from igakulm.tasks.personal_data import Deidentifiers

LEFT_OUT_FILE = "left_out.jsonl"
REASONS = {
    "image": ("needs a picture", "図が必要"),
    "voided": ("voided by the examiners", "正解なし・採点除外"),
    "no-answer": ("no answer is given", "正解の記載なし"),
    "wrong-answer": ("the answer is none of the options", "正解が選択肢にない"),
    "no-choices": ("no options, and the answer is no number", "選択肢なし"),
    "wrong-choices": ("the options cannot be read", "選択肢が読めない"),
    "no-id": ("no id", "IDなし"),
    "same-id": ("the id occurs before", "IDの重複"),
    "no-question": ("no question or document", "問題文・文書なし"),
    "wrong-field": ("a field of another form", "項目の形式が違う"),
    "no-file": ("the file is not there", "ファイルなし"),
    "broken-line": ("not a line of JSON", "JSONとして読めない行"),
    "too-long": ("the question does not fit the model; counts as wrong", "文脈長に収まらない（不正解に数える）"),
    "refused": ("the server gave no answer; counts as wrong", "サーバーの回答なし（不正解に数える）"),
}
"""Reason code to its text in English and Japanese."""
NOT_ODD = frozenset({"image"})
"""The row says of itself that text cannot answer it: that is no fault of the file."""


class OddRow(InputError):
    """A row that no item can be made of; `reason` is one of `REASONS`."""

    def __init__(self, reason: str, what: str, *, where: str | None = None, hint: str | None = None) -> None:
        assert reason in REASONS, reason
        super().__init__(what, where=where, hint=hint)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class LeftOut:
    """One row: its task, file and line (or the model that gave no answer), id ("" when it has none), reason code, and
    what exactly is wrong.
    """

    task: str
    where: str
    id: str
    reason: str
    what: str


@dataclass(slots=True)
class Screen:
    """Takes the rows that readers leave out, and files that are missing; a `strict` one refuses the first odd row.

    `personal_data`: task -> what took personal data out of its rows, with its counts.
    """

    strict: bool = False
    rows: list[LeftOut] = field(default_factory=list)
    missing: list[LeftOut] = field(default_factory=list)
    personal_data: Deidentifiers = field(default_factory=dict)

    def leave_out(self, task: str, row_id: str, odd: OddRow) -> None:
        """Take one row.

        Raises:
            OddRow: the screen is strict and the row does not say of itself that it cannot be asked.
        """
        if self.strict and odd.reason not in NOT_ODD:
            raise odd
        self.rows.append(LeftOut(task, odd.where or "", row_id, odd.reason, odd.what))

    def miss(self, task: str, where: str, what: str) -> None:
        """Take a file that is not there; twice the same is once."""
        absent = LeftOut(task, where, "", "no-file", what)
        if absent not in self.missing:
            self.missing.append(absent)

    def lines(self) -> list[str]:
        """What was left out, one line for each task and for each missing file, for people.

        >>> screen = Screen(rows=[LeftOut("t", "", "1", "voided", "")])
        >>> screen.lines()
        ['t: 1 row is left out: voided by the examiners 1']
        """
        told = []
        for task, reasons in counts(self.rows).items():
            total = sum(reasons.values())
            why = ", ".join(f"{REASONS[reason][0]} {number:,}" for reason, number in reasons.items())
            told.append(f"{task}: {total:,} {'row is' if total == 1 else 'rows are'} left out: {why}")
        return told + [f"{row.task}: {row.what} ({row.where})" for row in self.missing]


def counts(rows: Iterable[LeftOut]) -> dict[str, dict[str, int]]:
    """Task -> reason -> how many rows; reasons in the order of `REASONS`.

    >>> counts([LeftOut("t", "", "1", "voided", ""), LeftOut("t", "", "2", "image", "")])
    {'t': {'image': 1, 'voided': 1}}
    """
    found: dict[str, Counter[str]] = {}
    for row in rows:
        found.setdefault(row.task, Counter())[row.reason] += 1
    return {task: {reason: number[reason] for reason in REASONS if number[reason]} for task, number in found.items()}


def write_left_out(path: Path, rows: Iterable[LeftOut]) -> None:
    """Write one object for each row."""
    write_jsonl(path, map(asdict, rows))
