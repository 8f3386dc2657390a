"""What `igakulm demo` prints, on a tiny untrained bundle: its real answers, whatever they are worth."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import igakulm
from igakulm.serving.demo import ANSWER_TOKENS, QUESTION, RECORD, demo
from igakulm.tasks.layouts import write_tasks
from page_server import POSTS
from tiny_bundle import write_bundle, write_model


def test_the_answers_are_the_models(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "b")
    lines = list(demo(bundle, "transformers"))
    with igakulm.load(bundle, "transformers") as model, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answer = model.ask(QUESTION, max_tokens=ANSWER_TOKENS)
        found = model.extract(RECORD)
    assert lines[0] == f"質問  {QUESTION}" and lines[2] == f"記録  {RECORD}"
    assert lines[1].removeprefix("答え  ").removesuffix("…") == (answer.strip() or "（何も答えませんでした）")
    assert len(lines) == 3 + len(found) + 1 and "診断や治療" in lines[-1]  # no scores: nothing is said of baselines


def test_nothing_is_asked_that_the_bundle_was_not_made_for(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model")
    write_tasks(folder / "tasks.json", [POSTS])
    assert not any(line.startswith("記録") for line in demo(folder, "transformers"))


def test_the_question_is_worded_as_no_row_words_it(project: Path) -> None:
    rows = (project / "samples" / "chats" / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    asked = [json.loads(line)["messages"][0]["content"] for line in rows]
    assert len(asked) == len(set(asked)) > 400 and QUESTION not in asked
    assert any("褥瘡" in question for question in asked)
