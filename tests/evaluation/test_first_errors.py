"""Wrong answers in the order in which people should look at them, and the table that says why."""

from __future__ import annotations

from pathlib import Path

from igakulm.evaluation.ask_items import Reply
from igakulm.evaluation.board import Board, Column
from igakulm.evaluation.first_errors import wrong_answers
from igakulm.evaluation.item_files import Answered
from igakulm.report.own_errors import COLUMNS, error_rows
from igakulm.tasks.items import Item


def item(number: int, answer: str) -> Item:
    text = f"{number}日目の記録。"
    return Item(
        f"N{number}#{number + 1}.ab12cd", "fall", "choice", f"転倒は。\n「{text}」", ("あり", "なし"), (answer,), text
    )


ITEMS = [item(number, "A") for number in range(5)]


def answered(name: str, role: str, letters: str, chances: tuple[float, ...] = ()) -> Answered:
    said = [None if letter == "?" else (letter,) for letter in letters]
    replies = [
        Reply(
            f"prompt {place}", False, letters[place], "options", said[place], said[place], shares=(1 - chance, chance)
        )
        for place, chance in enumerate(chances)
    ]
    return Answered(name, role, "options" if role == "model" else "baseline", "chat", said, said, replies)


def test_what_others_say_too_comes_first_then_what_the_model_was_sure_of(tmp_path: Path) -> None:
    board = Board(tmp_path, 50, 0)
    column = Column("fall", "published", ITEMS)
    board.add(column, answered("majority", "baseline", "BBBBB"))
    board.add(column, answered("ngram", "baseline", "ABAAA"))
    board.add(column, answered("tuned", "model", "BBB?A", (0.6, 0.55, 0.97, 0.5, 0.1)))
    board.write(["fall"], {})
    found = wrong_answers(tmp_path)
    assert [one.id[:2] for one in found] == ["N1", "N2", "N0", "N3"]
    assert [one.agree for one in found] == [("ngram",), (), (), ()]  # the majority looks at no text
    assert [one.certain for one in found] == [0.55, 0.97, 0.6, None]
    rows = error_rows(found, {"fall": "転倒"}, {"fall": ("あり", "なし")})
    assert all(tuple(row) == COLUMNS for row in rows)
    assert rows[0] == {
        "順": "1",
        "見るところ": "ほかの方法も同じ答えです。表の答えが正しいか確かめてください",
        "モデル": "調整後モデル",
        "課題": "転倒",
        "番号": "N1",
        "行": "2",
        "本文": "1日目の記録。",
        "表の答え": "あり",
        "モデルの答え": "なし",
        "確率": "0.550",
        "点": "0.00",
        "同じ答えの方法": rows[0]["同じ答えの方法"],
    }
    assert [row["見るところ"] for row in rows[1:]] == [
        "モデルが強く確信している誤りです",
        "答えが違います",
        "答えを読み取れませんでした",
    ]
