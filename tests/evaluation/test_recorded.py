"""Finished answers in the place of a model."""

from __future__ import annotations

from pathlib import Path

import pytest

from igakulm.errors import InputError
from igakulm.evaluation.igakuqa_predictions import score_predictions
from igakulm.evaluation.predictions import score_jmed_predictions, score_row_predictions
from igakulm.evaluation.recorded import recorded_igakuqa, recorded_jmed, recorded_rows
from igakulm.evaluation.results import igakuqa_results, task_results
from igakulm.evaluation.target import Options, Target
from igakulm.files import read_json
from igakulm.pipeline.evaluate_session import evaluate_model
from igakulm.progress import SilentProgress
from igakulm.recipe.schema import BenchmarksSection, Igakuqa, Jmed, RowTask
from small_evaluation import jmed_answers, question, write_exam, write_igakuqa, write_jmed, write_rows

QUICK = Options(baselines=False, samples=100)


def task_of(exam: Path) -> RowTask:
    return RowTask(name="exam", kind="exam", test=str(exam))


def test_answers_by_item_and_the_tasks_they_cover(tmp_path: Path) -> None:
    data, said = write_jmed(tmp_path / "jmed"), jmed_answers(tmp_path / "said.jsonl")
    recorded, tasks = recorded_jmed(data, said, (), "said")
    assert (recorded.name, tasks, len(recorded.texts)) == ("said", ("smdis", "nrner"), 14)
    assert recorded.texts["smdis-test-00001"] == "A"
    assert recorded_jmed(data, said, ("nrner",), "said")[1] == ("nrner",)
    with pytest.raises(InputError, match="no answers of crade"):
        recorded_jmed(data, said, ("crade",), "said")


def test_the_same_figures_as_without_a_folder(tmp_path: Path) -> None:
    data, said = write_jmed(tmp_path / "jmed"), jmed_answers(tmp_path / "said.jsonl")
    recorded, tasks = recorded_jmed(data, said, (), "said")
    benchmarks = BenchmarksSection(jmed=Jmed(path=str(data), tasks=tasks))
    board = evaluate_model(benchmarks, Target(recorded=recorded), QUICK, tmp_path / "out", SilentProgress())
    found, alone = task_results(board, "said"), score_jmed_predictions(data, said, samples=100)
    for task, scores in alone.items():
        assert {key: found[task][key] for key in scores} == scores
    assert {row["prompt_style"] for row in board["rows"]} == {""} == {row["prompt_sha256"] for row in board["rows"]}
    items = (tmp_path / "out" / "items" / "said" / "smdis.published.generate.jsonl").read_text(encoding="utf-8")
    assert "投稿の文0" in items, "the question stands there, though nobody was prompted"


def test_examinations(tmp_path: Path) -> None:
    exam = write_exam(tmp_path / "exam.jsonl", questions=6)
    said = write_rows(tmp_path / "said.jsonl", [{"id": f"q{n}", "text": "答えはa"} for n in range(6)])
    benchmarks = BenchmarksSection(rows=(RowTask(name="exam", kind="exam", test=str(exam)),))
    target = Target(recorded=recorded_rows(task_of(exam), said, "said"))
    board = evaluate_model(benchmarks, target, QUICK, tmp_path / "out", SilentProgress())
    found, alone = task_results(board, "said")["exam"], score_row_predictions(task_of(exam), said, samples=100)
    assert found["accuracy"] == alone["accuracy"] and found["accuracy"]["value"] == pytest.approx(1 / 3)
    # Only the first questions of an examination can be scored, too.
    first = Options(baselines=False, samples=100, max_items=2)
    board = evaluate_model(benchmarks, target, first, tmp_path / "first", SilentProgress())
    assert task_results(board, "said")["exam"]["n"] == 2


def test_questions_with_pictures_need_no_answer(tmp_path: Path) -> None:
    exam = write_rows(tmp_path / "exam.jsonl", [question(0), question(1, text_only=False)])
    said = write_rows(tmp_path / "said.jsonl", [{"id": "q0", "text": "a"}])
    assert recorded_rows(task_of(exam), said, "said").texts == {"q0": "a"}


def test_igakuqa(tmp_path: Path) -> None:
    folder = write_igakuqa(tmp_path)
    chosen = Igakuqa(path=str(folder / "data"), text_only=False)
    recorded = recorded_igakuqa(chosen, folder / "predictions", "gpt")
    target = Target(recorded=recorded)
    board = evaluate_model(BenchmarksSection(igakuqa=chosen), target, QUICK, tmp_path / "out", SilentProgress())
    found = igakuqa_results(board, "gpt")
    published = score_predictions(folder, folder / "predictions", "gpt")
    assert found["score_share_mean"] == pytest.approx(published["score_share_mean"]) == 50.0
    for year, entry in published["years"].items():
        assert {key: found["years"][year][key] for key in ("points", "total")} == {
            key: entry[key] for key in ("points", "total")
        }
    assert len(recorded.texts) == 16
    assert len(recorded_igakuqa(Igakuqa(path=str(folder)), folder / "predictions", "gpt").texts) == 12, "text only"


def test_only_the_files_of_the_wanted_years_and_parts_are_needed(tmp_path: Path) -> None:
    folder = write_igakuqa(tmp_path)
    (folder / "predictions" / "2019" / "113-B_gpt.jsonl").unlink()
    everything = Igakuqa(path=str(folder))
    with pytest.raises(InputError, match=r"113-B_gpt\.jsonl"):
        recorded_igakuqa(everything, folder / "predictions", "gpt")
    for some in ({"years": (2018,)}, {"parts": ("A",)}):
        chosen = everything.model_copy(update=some)
        assert len(recorded_igakuqa(chosen, folder / "predictions", "gpt").texts) == 6


def test_a_question_without_a_prediction_is_named(tmp_path: Path) -> None:
    folder = write_igakuqa(tmp_path)
    write_rows(folder / "predictions/2018/112-A_gpt.jsonl", [{"problem_id": "112A1", "prediction": "b"}])
    with pytest.raises(InputError, match="no prediction for 112A2"):
        recorded_igakuqa(Igakuqa(path=str(folder)), folder / "predictions", "gpt")


def test_the_published_answers_of_gpt_4(real_data: Path, tmp_path: Path) -> None:
    folder = real_data / "igakuqa"
    chosen = Igakuqa(path=str(folder), text_only=False)
    target = Target(recorded=recorded_igakuqa(chosen, folder / "baseline_results", "gpt4"))
    board = evaluate_model(BenchmarksSection(igakuqa=chosen), target, QUICK, tmp_path / "out", SilentProgress())
    found = igakuqa_results(board, "gpt4")
    assert sorted(found["years"]) == ["2018", "2019", "2020", "2021", "2022"] and found["n"] == 2000
    published = score_predictions(folder, folder / "baseline_results", "gpt4")
    # eight more answers are read: "答え: c" after a calculation, an option with its text in a sentence
    assert found["score_share_mean"] == pytest.approx(published["score_share_mean_tolerant"] + 0.33, abs=0.01)
    assert read_json(tmp_path / "out" / "scoreboard.json") == board
