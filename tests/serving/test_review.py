"""Reviews without a browser: what is shown, kept and refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from igakulm.serving.review import Review
from igakulm.serving.review_proposals import Proposal, teaching_order
from igakulm.serving.review_routes import review_app
from igakulm.tasks.own.decisions import Given, decisions_of
from igakulm.tasks.own.rows import read_own_rows
from review_server import SAID, TEXTS, scripted_model, ward, ward_review


def client(review: Review) -> TestClient:
    return TestClient(review_app(review), base_url="http://127.0.0.1:8766")


def row(web: TestClient, task: str, number: int, others: str = "0") -> dict[str, Any]:
    return dict(web.get(f"/review/row?task={task}&number={number}&others={others}").json())


def decide(web: TestClient, shown: dict[str, Any], answer: Any, settles: bool = False) -> Any:
    body = {"task": shown["task"], "number": shown["number"], "hash": shown["hash"], "answer": answer}
    return web.post("/review/decision", json=body | {"settles": settles})


def test_a_decision_is_on_the_disk_before_the_answer_and_training_rows_take_it(tmp_path: Path) -> None:
    task_file = ward(tmp_path)
    web = client(ward_review(task_file))
    shown = row(web, "symptom", 3)
    assert shown["proposed"]["spans"] == [{"start": 7, "end": 9, "text": "頭痛"}]
    assert [one["text"] for one in shown["data"]["spans"]] == ["嘔気", "頭痛"]
    assert decide(web, shown, shown["proposed"]).json() == {"outcome": "accepted"}
    assert decide(web, row(web, "fall", 1), {"labels": ["あり"]}).json() == {"outcome": "accepted"}
    assert decide(web, row(web, "fall", 2), {"labels": ["なし"]}).json() == {"outcome": "corrected"}
    lines = decisions_of(task_file).lines
    assert [(one.task, one.row, one.outcome, one.by) for one in lines] == [
        ("symptom", 4, "accepted", "田中"), ("fall", 2, "accepted", "田中"), ("fall", 3, "corrected", "田中"),
    ]  # fmt: skip
    assert lines[2].proposed == Given(labels=("あり",)) and lines[2].at.startswith("20")
    answers = {one.row: dict(one.answers) for one in read_own_rows(task_file).rows}
    assert answers[4]["symptom"] == ("頭痛",) and answers[2]["fall"] == ("あり",) and answers[3]["fall"] == ("なし",)
    counts = web.get("/review/overview").json()["tasks"][0]
    assert (counts["accepted"], counts["corrected"], counts["open"], counts["proposed"]) == (1, 1, 3, 5)


def test_undo_brings_back_what_held_before(tmp_path: Path) -> None:
    task_file = ward(tmp_path)
    web = client(ward_review(task_file))
    for label in ("あり", "なし"):
        decide(web, row(web, "fall", 0), {"labels": [label]})
    assert web.post("/review/undo", json={}).json() == {"task": "fall", "number": 0}
    assert row(web, "fall", 0)["mine"] == {"outcome": "accepted", "answer": {"labels": ["あり"], "spans": []}}
    web.post("/review/undo", json={})
    assert row(web, "fall", 0)["mine"] is None
    assert web.post("/review/undo", json={}).json() == {"task": None, "number": None}
    assert len(decisions_of(task_file).lines) == 4  # nothing is ever erased


def test_two_people_are_blind_to_each_other_until_a_dispute_is_settled(tmp_path: Path) -> None:
    task_file = ward(tmp_path)
    first, second = client(ward_review(task_file, "田中")), client(ward_review(task_file, "佐藤"))
    decide(first, row(first, "fall", 0), {"labels": ["あり"]})
    shown = row(second, "fall", 0)
    assert shown["mine"] is None and shown["others"] == [] and "田中" not in str(shown)
    decide(second, shown, {"labels": ["なし"]})
    assert first.get("/review/rows?task=fall&filter=disputed").json() == {"rows": [0]}
    shown = row(first, "fall", 0, others="1")
    assert [(one["by"], one["answer"]["labels"]) for one in shown["others"]] == [("田中", ["あり"]), ("佐藤", ["なし"])]
    decide(first, shown, {"labels": ["なし"]}, settles=True)
    assert first.get("/review/rows?task=fall&filter=disputed").json() == {"rows": []}
    assert decisions_of(task_file).lines[-1].settles


@pytest.mark.parametrize(
    "answer",
    [
        {"labels": ["不明"]},
        {"labels": ["あり", "なし"]},
        {"labels": []},
        {"spans": [{"start": 0, "end": 1, "text": TEXTS[0][0]}]},
        {"words": []},
        "あり",
    ],
)
def test_what_does_not_fit_is_refused_and_not_written(tmp_path: Path, answer: Any) -> None:
    task_file = ward(tmp_path)
    web = client(ward_review(task_file))
    assert decide(web, row(web, "fall", 0), answer).status_code == 400
    assert decide(web, row(web, "fall", 0) | {"hash": "other"}, {"labels": ["あり"]}).status_code == 400
    assert decide(web, row(web, "symptom", 0), {"spans": [{"start": 1, "end": 3, "text": "頭痛"}]}).status_code == 400
    assert not Path(task_file.decisions or "").exists()


def test_only_this_page_can_decide(tmp_path: Path) -> None:
    task_file = ward(tmp_path)
    web = client(ward_review(task_file))
    body = {"task": "fall", "number": 0, "hash": row(web, "fall", 0)["hash"], "answer": {"labels": ["あり"]}}
    assert web.post("/review/decision", json=body, headers={"origin": "http://evil.example"}).status_code == 403
    assert web.post("/review/decision", json=body, headers={"host": "evil.example"}).status_code == 421
    assert web.post("/review/decision", content=b"{}", headers={"content-type": "text/plain"}).status_code == 400
    assert (
        web.post("/review/decision", content=b" " * 2**21, headers={"content-type": "application/json"}).status_code
        == 400
    )
    assert "default-src 'none'" in web.get("/").headers["content-security-policy"]
    assert not Path(task_file.decisions or "").exists()


def test_proposals_are_kept_and_asked_once(tmp_path: Path) -> None:
    task_file = ward(tmp_path)
    ward_review(task_file)
    again = ward_review(task_file)
    asked = again.proposals._model.engine.prompts  # type: ignore[attr-defined]
    assert again.proposals.count("symptom") == len(TEXTS) and asked == []


def test_rows_that_would_teach_most_come_first(tmp_path: Path) -> None:
    """Against an oracle: the weights written out by hand."""
    task_file = ward(tmp_path)
    review = ward_review(task_file)
    task, rows = review.tasks["fall"], review.rows

    def said(label: str, chance: float) -> Proposal:
        return Proposal(answer=Given(labels=(label,)), chances=(("あり", chance), ("なし", 1 - chance)))

    proposals = {0: said("なし", 0.01), 1: said("あり", 0.9), 2: said("なし", 0.45), 3: said("なし", 0.01)}
    baseline = {0: ("なし",), 1: ("なし",), 2: ("なし",), 3: ("あり",)}
    # 1: baseline 1, data 1, doubt 0.2, rare 2/3; 3: baseline 1, doubt 0.02; 2: doubt 0.9; 0: 0.02; 4: not known
    assert teaching_order(task, rows, proposals, baseline, 0) == [1, 3, 2, 0, 4]
    assert sorted(teaching_order(task, rows, {}, {}, 1)) == [0, 1, 2, 3, 4]
    assert teaching_order(task, rows, {}, {}, 1) != teaching_order(task, rows, {}, {}, 3)


def test_symptoms_where_model_and_data_differ_come_first(tmp_path: Path) -> None:
    review = ward_review(ward(tmp_path))
    assert set(review.listed("symptom", "open")[:2]) <= {1, 2, 3, 4}
    assert review.listed("symptom", "open").index(0) > review.listed("symptom", "open").index(1)
    assert scripted_model().tasks[1].name == "symptom" and SAID
