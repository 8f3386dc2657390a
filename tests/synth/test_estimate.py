import json
from pathlib import Path
from typing import Any

import pytest

from chat_server import ChatServer, Clock
from igakulm.asking.client import Answer
from igakulm.errors import InputError
from igakulm.progress import SilentProgress
from igakulm.recipe.schema import SynthSection, Writer
from igakulm.synth.estimate import COMPLETION_SHARE, SERVER_TOKENS_PER_SECOND, estimate, render_estimate
from igakulm.synth.generate import generate_texts
from igakulm.synth.rates import RateLog, rates_path, read_rates
from synthetic_answers import reply


@pytest.fixture
def lexicon(tmp_path: Path) -> Path:
    folder = tmp_path / "lexicon"
    folder.mkdir()
    rows = "".join(f"試験用疾患{number}症\tdisease\n" for number in range(50))
    (folder / "terms.tsv").write_text("term\tkind\n" + rows, encoding="utf-8")
    return folder


def section(url: str, **changes: Any) -> SynthSection:
    writers = tuple(Writer(name=name, endpoint=url, model=name, licence="CC0-1.0") for name in ("one", "two"))
    return SynthSection(**{"writers": writers, "terms": 30, "exams": 10, "concurrency": 4, **changes})


def test_nothing_wanted_costs_nothing(tmp_path: Path) -> None:
    found = estimate(SynthSection(), tmp_path / "none", tmp_path / "a.sqlite", SilentProgress())
    assert found["hours"] == 0 and "no synthetic text" in render_estimate(found)


def test_before_the_first_answer_the_defaults_are_said_to_be_assumed(lexicon: Path, tmp_path: Path) -> None:
    config = section("http://127.0.0.1:9/v1", exams=0)
    found = estimate(config, lexicon, tmp_path / "a.sqlite", SilentProgress())
    assert (found["requests"], found["answered"], found["open"]) == ({"textbook": 30}, 0, 30)
    assert found["completion_tokens"] == round(30 * COMPLETION_SHARE * config.max_tokens)
    slower = max(row["completion_tokens"] for row in found["writers"])
    assert found["hours"] == pytest.approx(slower / (4 * SERVER_TOKENS_PER_SECOND) / 3600, abs=0.01)
    assert found["disk_bytes"] > 0
    assert not any(row["measured"] for row in found["writers"])
    assert not (tmp_path / "a.sqlite").exists(), "nothing is written"
    assert "assumed" in render_estimate(found)


def test_after_a_trial_its_answers_and_rates_count(lexicon: Path, tmp_path: Path) -> None:
    answers = tmp_path / "answers.sqlite"
    with ChatServer(lambda request, times: reply(request)) as server:
        trial = section(server.url, terms=12, exams=4)
        generate_texts(trial, lexicon, tmp_path / "out", SilentProgress(), answers=answers)
        whole = section(server.url, verifier="one")
        asked = len(server.requests)
        found = estimate(whole, lexicon, answers, SilentProgress())
        assert len(server.requests) == asked == 16
    assert found["answered"] == 16
    assert found["requests"]["textbook"] == 30 and found["requests"]["exam"] == 10
    assert found["requests"]["verify"] <= 10
    assert found["open"] == sum(found["requests"].values()) - 16
    assert all(row["measured"] for row in found["writers"])
    per_text = 50  # tokens of every answer, as this server counts
    assert found["completion_tokens"] == pytest.approx(
        24 * per_text + found["requests"]["verify"] * COMPLETION_SHARE * 1024, abs=2
    )
    json.dumps(found)


def test_a_recipe_that_cannot_run_is_refused(lexicon: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="allow_licences"):
        estimate(section("http://h/v1", allow_licences=("MIT",)), lexicon, tmp_path / "a", SilentProgress())


def test_rates_add_up_over_runs_and_idle_time_does_not_count(tmp_path: Path) -> None:
    path, clock = rates_path(tmp_path / "a.sqlite"), Clock()
    for _ in range(2):
        log = RateLog(path, clock)
        clock.time += 100
        log.begin("m")
        clock.time += 10
        log.add("m", "textbook", Answer("", "stop", {"usage": {"prompt_tokens": 7, "completion_tokens": 40}}, False))
        log.add("m", "textbook", Answer("", "stop", {"usage": {"completion_tokens": True}}, False))
        log.end("m")
        clock.time += 1000
    (rate,) = read_rates(path).values()
    assert rate.seconds == 20 and rate.completion_tokens_per_second == 4.0 and rate.requests_per_second == 0.2
    assert (rate.kinds["textbook"].requests, rate.kinds["textbook"].prompt) == (4, 14)


@pytest.mark.parametrize("text", ["", "[]", '{"m": 3}', '{"m": {"seconds": "x", "kinds": {}}}'])
def test_a_damaged_file_of_rates_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "r.json").write_text(text, encoding="utf-8")
    assert read_rates(tmp_path / "r.json") == {}
