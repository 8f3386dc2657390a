"""A judge over HTTP: both orders, agreement with itself and with people, answers that cannot be read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chat_server import ChatServer, Reply, Request, chat_reply
from igakulm.errors import InputError
from igakulm.evaluation.board import Board, Column
from igakulm.evaluation.item_files import Answered
from igakulm.evaluation.judge import judge_file, judge_messages, read_score
from igakulm.evaluation.metrics import linear_kappa
from igakulm.tasks.items import Item


def evaluated(folder: Path) -> Path:
    """A file of four free answers."""
    items = [
        Item(str(place), "free", "text", f"問{place}", (), (f"参照{place}",), document=f"文{place}")
        for place in range(4)
    ]
    board = Board(folder, 50, 0)
    answered = Answered("m", "baseline", "generate", "", [(f"参照{place}",) for place in range(4)], [None] * 4)
    board.add(Column("free", "test", items), answered)
    path = folder / board.files[0]["file"]
    rows = [json.loads(line) | {"answer": f"答え{place}"} for place, line in enumerate(path.read_text().splitlines())]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def biased(request: Request, _: int) -> Reply:
    """A judge that gives one point more when the reference comes first, and no score to the last answer."""
    first = request.question.index("参照解答") < request.question.index("採点する")
    number = int(request.question[request.question.index("答え") + 2])
    return chat_reply("よくわからない" if number == 3 else f"理由。\n点数：{number + 1 + first}")


def test_judge(tmp_path: Path) -> None:
    human = tmp_path / "human.jsonl"
    human.write_text("".join(json.dumps({"id": str(place), "score": place + 2}) + "\n" for place in range(3)))
    path = evaluated(tmp_path / "evaluation")
    with ChatServer(biased) as server:
        found = judge_file(path, server.url, "judge", tmp_path / "out", human=human, samples=50)
        assert len(server.requests) == 8
        assert judge_file(path, server.url, "judge", tmp_path / "out", human=human, samples=50) == found
        assert len(server.requests) == 8, "what was judged is not asked again"
    assert found["score"]["value"] == pytest.approx((1.5 + 2.5 + 3.5 + 1) / 4)  # unread counts as the lowest
    assert (found["n"], found["unread"], found["order"]["same"], found["order"]["shift"]) == (4, 0.25, 0.0, 1.0)
    assert (found["human"]["n"], found["human"]["spearman"]) == (3, pytest.approx(1.0))
    assert found["human"]["difference"] == pytest.approx(-0.5)
    rows = [json.loads(line) for line in (tmp_path / "out/judged.jsonl").read_text().splitlines()]
    assert [row["score"] for row in rows] == [1.5, 2.5, 3.5, None]


def test_what_cannot_be_judged(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"id": "1", "kind": "choice"}\n')
    with pytest.raises(InputError, match="no free answers"):
        judge_file(path, "http://127.0.0.1:9/v1", "judge", tmp_path / "out")
    human = tmp_path / "human.jsonl"
    human.write_text('{"id": "0", "score": 7}\n')
    with ChatServer(biased) as server, pytest.raises(InputError, match="from 1 to 5"):
        judge_file(evaluated(tmp_path / "evaluation"), server.url, "judge", tmp_path / "out", human=human)


def test_both_orders_show_the_same() -> None:
    one, other = (
        judge_messages("問", "参照", "答え", "基準", swapped=swapped)[1]["content"] for swapped in (False, True)
    )
    assert one != other and sorted(one) == sorted(other)


def test_scores_are_read_or_not() -> None:
    assert [
        read_score(text) for text in ("点数：5", "Score: 2", "**点数：** 3", "点数：4.5", "5点", "点数：1\n点数：1")
    ] == [
        5,
        2,
        3,
        None,
        None,
        1,
    ]


def test_linear_kappa_is_that_of_its_definition() -> None:
    pairs = [(1, 2), (2, 2), (3, 5), (4, 4), (5, 3)]
    seen = sum(abs(a - b) for a, b in pairs) / 5
    blind = sum(abs(a - b) for a, _ in pairs for _, b in pairs) / 25
    assert linear_kappa(pairs, 5) == pytest.approx(1 - seen / blind)
