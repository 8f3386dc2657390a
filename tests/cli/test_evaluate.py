"""`igakulm evaluate …` and `igakulm scoreboard` as a stranger uses them: refusals, odd answers, broken servers."""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chat_server import ChatServer, Clock, Reply, Request, chat_reply, letters_reply, unused_url
from igakulm.asking.client import Retry
from igakulm.evaluation.baselines import BASELINES
from igakulm.evaluation.same_model import WITNESSES
from igakulm.files import read_json, read_jsonl
from small_evaluation import (
    Done,
    igakulm,
    jmed_answers,
    model_folder,
    question,
    results,
    write_exam,
    write_igakuqa,
    write_jmed,
    write_rows,
)

QUICK = ("--samples", "100", "--no-baselines")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All benchmarks, finished answers, and one evaluation of each kind (`model`, `said`)."""
    folder = tmp_path_factory.mktemp("data")
    write_exam(folder / "exam.jsonl")
    write_jmed(folder / "jmed")
    write_igakuqa(folder / "igakuqa")
    jmed_answers(folder / "answers.jsonl")
    write_rows(folder / "said.jsonl", [{"id": f"q{n}", "text": "答えは a"} for n in range(12)])
    (folder / "model").symlink_to(model_folder())
    return folder


@pytest.fixture(scope="module")
def evaluated(data: Path) -> Path:
    """An evaluation of the model on the examination, with baselines."""
    done = igakulm(
        "evaluate", "exam", "--data", data / "exam.jsonl", "--model", data / "model", *_out(data / "evaluated")
    )
    assert done.code == 0, done.err
    return data / "evaluated"


def _out(folder: Path) -> tuple[str, ...]:
    return ("--out", str(folder), "--samples", "100")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries without pauses."""
    clock = Clock()
    quick = functools.partial(Retry, attempts=3, sleep=clock.sleep, clock=clock, now=clock)
    monkeypatch.setattr("igakulm.inference.endpoint.Retry", quick)


@pytest.fixture
def here(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, in which the benchmarks lie."""
    for path in data.iterdir():
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(done: Done, *parts: str) -> None:
    assert done.code == 2, (done.code, done.err)
    assert "Traceback" not in done.err and done.out == ""
    for part in parts:
        assert part in " ".join(done.err.split()), done.err


EXAM = ("evaluate", "exam", "--data", "exam.jsonl")
JMED = ("evaluate", "jmed", "--data", "jmed", "--task", "smdis")
IGAKUQA = ("evaluate", "igakuqa", "--data", "igakuqa")
OURS = ("--model", "model", "--out", "new")
SERVER = ("--endpoint", "http://127.0.0.1:1/v1", "--name", "x", "--out", "new")
REFUSALS: list[tuple[tuple[str, ...], str]] = [
    ((*EXAM, "--out", "new"), "either a model or an endpoint"),
    ((*EXAM, *OURS, "--endpoint", "http://127.0.0.1:1/v1"), "either a model or an endpoint"),
    ((*EXAM, "--endpoint", "http://127.0.0.1:1/v1", "--out", "new"), "add --name NAME"),
    ((*EXAM, "--endpoint", "127.0.0.1:80", "--name", "x", "--out", "new"), "not a plain http or https address"),
    ((*EXAM, "--endpoint", "http://me:secret@h/v1", "--name", "x"), "not a plain http or https address"),
    ((*EXAM, "--model", "absent", "--out", "new"), "no model at this path"),
    ((*EXAM, "--model", "exam.jsonl", "--out", "new"), "no GGUF file"),
    ((*EXAM, "--model", "jmed", "--out", "new"), "not a model folder"),
    ((*EXAM, *OURS, "--name", "a\nb"), "control characters"),
    ((*EXAM, *OURS, "--name", "a\udcffb"), "control characters"),
    ((*EXAM, *OURS, "--name", "majority"), "name of a baseline"),
    ((*EXAM, *OURS, "--answer", "guess"), "no way of answering 'guess'"),
    ((*EXAM, *OURS, "--prompts", "base"), "--prompts"),
    ((*EXAM, *OURS, "--max-items", "0"), "--max-items"),
    ((*EXAM, *OURS, "--concurrency", "0"), "--concurrency"),
    ((*EXAM, *OURS, "--samples", "99"), "--samples"),
    ((*EXAM, *OURS, "--seed", "-1"), "--seed"),
    ((*EXAM, *OURS, "--wording", "absent.yaml"), "no such file"),
    ((*EXAM, *OURS, "--shots", "exam.jsonl", "--prompts", "chat"), "add --prompts published"),
    ((*EXAM, *OURS, "--shots", "exam.jsonl"), "add --prompts published"),
    ((*EXAM, *OURS, "--predictions", "said.jsonl"), "finished answers need no model"),
    ((*EXAM, *SERVER, "--predictions", "said.jsonl"), "finished answers need no model"),
    (("evaluate", "exam", "--data", "absent.jsonl", *OURS), "no such file"),
    (("evaluate", "exam", "--data", "jmed", *OURS), "Is a directory"),
    (("evaluate", "jmed", "--data", "absent", *OURS), "no such file"),
    (("evaluate", "jmed", "--data", "jmed", *OURS), "jmmlu_med.csv"),
    (("evaluate", "jmed", "--data", "jmed", "--task", "smdi", *OURS), "did you mean smdis"),
    ((*JMED, *OURS, "--split", "fold-0-of-5"), "no fold 0"),
    ((*JMED, *OURS, "--split", "fold-6-of-5"), "no fold 6"),
    ((*JMED, *OURS, "--split", "test"), "split"),
    ((*JMED, "--predictions", "answers.jsonl", "--split", "fold-1-of-5", "--out", "new"), "published test rows"),
    ((*JMED, "--predictions", "answers.jsonl", "--split", "fold-1-of-5"), "published test rows"),
    ((*JMED, "--predictions", "absent.jsonl", "--out", "new"), "no such file"),
    ((*IGAKUQA, *OURS, "--part", "G"), "no part 'G'"),
    ((*IGAKUQA, *OURS, "--part", "C"), "no question is left"),
    ((*IGAKUQA, *OURS, "--year", "1999"), "years present: 2018, 2019"),
    ((*IGAKUQA, "--predictions", "igakuqa/predictions"), "whose answers are meant"),
    ((*IGAKUQA, "--predictions", "igakuqa/predictions", "--system", "other"), "112-A_other.jsonl"),
    ((*IGAKUQA, "--predictions", "igakuqa/predictions", "--system", "gpt", "--year", "2018"), "add --out"),
    (("evaluate", "rows", "--data", "jmed", "--task", "smdis", "--out", "igakuqa"), "not empty"),
    (("evaluate", "rows", "--data", "jmed", "--task", "smdis", "--out", "new", "--split", "x"), "split"),
    (("evaluate", "leakage", "--data", "jmed", "--train", "exam.jsonl"), "jmmlu_med.csv"),
    (("scoreboard", "--out", "new"), "Missing argument"),
    (("scoreboard", "absent", "--out", "new"), "no such folder"),
    (("scoreboard", "jmed", "--out", "new"), "no scoreboard.json"),
]


@pytest.mark.parametrize(("words", "said"), REFUSALS, ids=[" ".join(words)[:80] for words, _ in REFUSALS])
def test_what_cannot_be_is_refused_and_leaves_nothing(here: Path, words: tuple[str, ...], said: str) -> None:
    before = set(here.iterdir())
    refused(igakulm(*words), said)
    assert set(here.iterdir()) == before


def _said(*rows: tuple[str, int]) -> bytes:
    return "".join(json.dumps({"task": task, "row": row, "text": "A"}) + "\n" for task, row in rows).encode()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (_said(("smdi", 0)), "did you mean smdis"),
        (_said(*(("smdis", row) for row in range(9))), "smdis has no row 8"),
        (_said(("smdis", 0), ("smdis", 0)), "row 0 of smdis is answered twice"),
        (_said(("smdis", 0)), "7 of 8 rows of smdis have no answer; the first is 1"),
        (_said(("crade", 0)), "crade.csv"),
        (b'{"task": "smdis", "row": ' + b"9" * 5000 + b"}", "line 1"),
        (b"", "no answers"),
    ],
)
def test_wrong_finished_answers_are_named(data: Path, tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "x.jsonl").write_bytes(content)
    words = ("evaluate", "jmed", "--data", data / "jmed", "--predictions", tmp_path / "x.jsonl")
    refused(igakulm(*words), said)
    refused(igakulm(*words, "--out", tmp_path / "out"), said)
    assert [path.name for path in tmp_path.iterdir()] == ["x.jsonl"]


def _exam(**changes: Any) -> str:
    return json.dumps(question(1, **changes), ensure_ascii=False) + "\n"


EXAMS: list[tuple[bytes, str]] = [
    (b"", "holds no rows"),
    (b"\n\n", "holds no rows"),
    (b'{"id": ', "line 1"),
    (_exam().encode() + b'{"id": "x"\n', "line 2"),
    (b"\xff\xfe{}\n", "not UTF-8"),
    (b"id,question,answer\n1,x,a\n", "CSV table"),
    (b'[{"id": "1"}]\n', "one JSON list"),
    (b"3\n", "not a JSON object"),
    (2 * _exam().encode(), "occurs twice (first in row 1)"),
    (_exam(choices=["ア"]).encode(), "1 choices; a question has 2 to 15"),
    (_exam(choices=list("アイウエオカキクケコサシスセソタ")).encode(), "16 choices; a question has 2 to 15"),
    (_exam(answer=["d"]).encode(), "'d' is not one of the options A to C"),
    (_exam(answer=["a", "a"]).encode(), "each once"),
    (_exam(answer=[]).encode(), "at least one option"),
    (_exam(answer={"a": 1}).encode(), "'answer' is not a list"),
    (_exam(points=-1).encode(), "points must be"),
    (_exam(points=10**4000).encode(), "points must be"),
    (_exam().replace('"2024"', "9" * 5000).encode(), "not JSON"),
    (b'{"id": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n", "not JSON"),
    (_exam(question="\ud800").encode("utf-8", "surrogatepass"), "not UTF-8"),
    (json.dumps(question(1, question="\ud800")).encode(), "lone surrogate"),
    (_exam(id="x" * 201).encode(), "201 characters"),
]


@pytest.mark.parametrize(("content", "said"), EXAMS)
def test_a_wrong_examination_file_is_named(data: Path, tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "x.jsonl").write_bytes(content)
    words = ("evaluate", "exam", "--data", tmp_path / "x.jsonl", "--strict")
    refused(igakulm(*words, "--model", data / "model", "--out", tmp_path / "out"), said, "x.jsonl")
    refused(igakulm(*words, "--predictions", data / "said.jsonl"), said, "x.jsonl")
    assert [path.name for path in tmp_path.iterdir()] == ["x.jsonl"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("optionB", "optionX", "column 'optionB' is missing"),
        ("投稿の文2", "投稿の文0", "the same question as in row 1"),
        ("陽性,陰性,B", "陽性,陰性,C", "'C' is not one of the options A to B"),
        ("陽性,陰性,A", "陽性,陰性", "has not 5 cells"),
        ("咳,", '"咳,', "CSV"),
    ],
)
def test_a_wrong_csv_file_is_named(data: Path, tmp_path: Path, old: str, new: str, said: str) -> None:
    write_jmed(tmp_path / "jmed")
    path = tmp_path / "jmed" / "smdis.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    words = ("evaluate", "jmed", "--data", tmp_path / "jmed", "--task", "smdis", "--model", data / "model")
    refused(igakulm(*words, "--out", tmp_path / "out"), said, "smdis.csv")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("w.yaml", "choicee: x\n", "did you mean choice?"),
        ("w.yaml", "- x\n", "holds no keys"),
        ("w.yaml", "a: [\n", "not valid YAML"),
        ("w.yaml", "exam: ''\n", "not a filled text"),
        ("w.py", "import os; os.abort()\n", "no prompt sentence"),
        ("w.py", "def (\n", "not Python source"),
    ],
)
def test_a_wrong_wording_is_named(data: Path, tmp_path: Path, name: str, content: str, said: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    words = ("evaluate", "exam", "--data", data / "exam.jsonl", "--model", data / "model", "--out", tmp_path / "out")
    refused(igakulm(*words, "--wording", tmp_path / name), said, name)
    assert not (tmp_path / "out").exists()


def _tree(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "files",
    [
        {"notes.txt": "precious"},
        {"lock": "", "notes.txt": "precious"},
        {"scoreboard.json": "{}", "scoreboard.md": "", "report.html": ""},  # a merged scoreboard
        {"manifest.json": '{"stage": "corpus"}', "documents/0.parquet": ""},  # a stage of a run
        {"manifest.json": "{}", "lock": "", "logs/x": ""},
        {"lock": "", "evaluate-1a/scoreboard.json": "{}"},  # a run
        {"logs/answers.sqlite": ""},
    ],
)
def test_a_folder_that_holds_something_else_is_not_touched(data: Path, tmp_path: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    before = _tree(tmp_path)
    done = igakulm("evaluate", "exam", "--data", data / "exam.jsonl", "--model", data / "model", *_out(tmp_path))
    assert done.code == 2 and "Traceback" not in done.err
    assert _tree(tmp_path) == before


def test_the_evaluate_stage_of_a_run_is_not_replaced(evaluated: Path, data: Path, tmp_path: Path) -> None:
    for name in ("scoreboard.json", "manifest.json", "lock"):
        (tmp_path / name).write_bytes((evaluated / name).read_bytes())
    manifest = read_json(tmp_path / "manifest.json") | {"stage": "evaluate"}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    done = igakulm("evaluate", "exam", "--data", data / "exam.jsonl", "--model", data / "model", *_out(tmp_path))
    refused(done, "something else")


@pytest.mark.parametrize("out", ["file", "file/below", "x" * 300, "/proc/here"])
def test_a_place_that_is_no_folder(data: Path, tmp_path: Path, out: str) -> None:
    (tmp_path / "file").write_text("precious")
    words = ("evaluate", "exam", "--data", data / "exam.jsonl", "--model", data / "model", "--out", tmp_path / out)
    refused(igakulm(*words), out[:20])
    assert (tmp_path / "file").read_text() == "precious" and len(list(tmp_path.iterdir())) == 1


HOLD = """
import sys, time
from pathlib import Path
from igakulm.files import locked
with locked(Path(sys.argv[1])): print("held", flush=True); time.sleep(60)
"""


def test_a_folder_in_use_names_the_process(data: Path, tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        words = ("evaluate", "exam", "--data", data / "exam.jsonl", "--model", data / "model", *_out(tmp_path))
        done = igakulm(*words)
        refused(done, f"process {holder.pid} on", "choose another --out")
        assert "--wait" not in done.err
        assert [path.name for path in tmp_path.iterdir()] == ["lock"]
    finally:
        holder.kill()
        holder.wait()
    assert igakulm(*words, "--no-baselines").code == 0, "the lock died with its process"


def test_results_are_replaced_whole_and_only_once_the_new_run_can_begin(data: Path, tmp_path: Path) -> None:
    words = ("evaluate", "exam", "--data", data / "exam.jsonl", *_out(tmp_path / "out"))
    assert igakulm(*words, "--model", data / "model").code == 0
    first = results(tmp_path / "out")
    assert "items/chance/exam.test.baseline.jsonl" in first
    refused(igakulm(*words, "--model", data / "absent"), "no model")
    refused(igakulm(*words, "--model", data / "model", "--wording", "absent"), "no such file")
    write_rows(tmp_path / "exam.jsonl", [question(1, answer=[])])
    refused(igakulm("evaluate", "exam", "--data", tmp_path / "exam.jsonl", *words[4:], "--model", data / "model"))
    assert results(tmp_path / "out") == first and (tmp_path / "out" / "manifest.json").is_file()
    assert igakulm(*words, "--predictions", data / "said.jsonl", "--no-baselines").code == 0
    assert sorted(name for name in results(tmp_path / "out") if name.startswith("items/")) == [
        "items/said/exam.test.generate.jsonl"
    ]


def test_the_same_command_gives_the_same_bytes(data: Path, tmp_path: Path) -> None:
    words = (
        "evaluate",
        "jmed",
        "--data",
        data / "jmed",
        "--task",
        "smdis",
        "--task",
        "nrner",
        "--model",
        data / "model",
    )
    more = ("--answer", "options", "--answer", "generate", "--max-new-tokens", "8")
    for name in ("one", "two"):
        assert igakulm(*words, *more, *_out(tmp_path / name)).code == 0
    first, second = results(tmp_path / "one"), results(tmp_path / "two")
    assert first == second and {"scoreboard.json", "scoreboard.md", "report.html"} <= first.keys()
    digests = [read_json(tmp_path / name / "manifest.json")["digest"] for name in ("one", "two")]
    assert digests[0] == digests[1]


@pytest.mark.parametrize(
    ("file", "task"),
    [
        ("看護 2024.jsonl", "看護-2024"),
        ("crade.jsonl", "exam-crade"),
        ("igakuqa.jsonl", "exam-igakuqa"),
        ("....jsonl", "exam"),
        ("../up.jsonl", "up"),
        ("a/b c.v2.jsonl", "b-c.v2"),
        ("長" * 70 + ".jsonl", "長" * 70),
    ],
)
def test_an_examination_is_named_after_its_file(data: Path, tmp_path: Path, file: str, task: str) -> None:
    (tmp_path / "in").mkdir()
    path = write_exam(tmp_path / "in" / file, questions=6)
    said = write_rows(tmp_path / "said.jsonl", [{"id": f"q{n}", "text": "a"} for n in range(6)])
    out = tmp_path / "out"
    done = igakulm("evaluate", "exam", "--data", path, "--predictions", said, "--json", "--out", out, *QUICK)
    assert done.code == 0, done.err
    assert done.json["exam"] == task and done.json["n"] == 6
    board = read_json(out / "scoreboard.json")
    assert {row["task"] for row in board["rows"]} == {task}
    assert board["published"] == [], "published figures of a benchmark do not belong to a file of its name"
    assert all((out / entry["file"]).is_file() for entry in board["items"])


@pytest.mark.parametrize(
    "name", ["org/model:v1", "..", ".", "../../up", "日本語の名前", "a b", "x" * 300, "a|b<i>", "-x"]
)
def test_any_visible_name_is_a_model_s(data: Path, tmp_path: Path, name: str) -> None:
    words = ("evaluate", "exam", "--data", data / "exam.jsonl", "--predictions", data / "said.jsonl", "--json", *QUICK)
    done = igakulm(*words, f"--name={name}", "--out", tmp_path / "out")
    assert done.code == 0, done.err
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    board = read_json(tmp_path / "out" / "scoreboard.json")
    assert {row["model"] for row in board["rows"]} == {name}
    assert (tmp_path / "out" / board["items"][0]["file"]).resolve().is_relative_to(tmp_path / "out" / "items")
    assert "<i>" not in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_every_baseline_s_name_is_taken(data: Path) -> None:
    for name in BASELINES:
        words = ("evaluate", "exam", "--data", data / "exam.jsonl", "--model", data / "model")
        refused(igakulm(*words, "--name", name), "name of a baseline")


def test_standard_output_is_nothing_but_json(data: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "igakulm", "evaluate", "exam", "--data", str(data / "exam.jsonl")]
    words = ["--model", str(data / "model"), "--json", *_out(tmp_path / "out")]
    done = subprocess.run([*command, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["exam"], found["n"], found["answer_mode"]) == ("exam", 12, "options-letter")
    assert "items" in done.stderr, "progress is shown, beside the result"


@pytest.mark.parametrize(
    "words",
    [
        ("jmed", "--data", "jmed", "--predictions", "answers.jsonl"),
        ("jmed", "--data", "jmed", "--predictions", "answers.jsonl", "--out", "out", *QUICK),
        ("exam", "--data", "exam.jsonl", "--predictions", "said.jsonl"),
        ("igakuqa", "--data", "igakuqa", "--predictions", "igakuqa/predictions", "--system", "gpt"),
        (
            "igakuqa",
            "--data",
            "igakuqa",
            "--predictions",
            "igakuqa/predictions",
            "--system",
            "gpt",
            "--out",
            "out",
            *QUICK,
        ),
        ("igakuqa", "--data", "igakuqa", "--model", "model", "--year", "2019", "--part", "b", "--out", "out", *QUICK),
        ("rows", "--data", "jmed", "--task", "smdis", "--out", "out"),
    ],
)
def test_every_command_prints_json_for_scripts(here: Path, words: tuple[str, ...]) -> None:
    done = igakulm("evaluate", *words, "--json")
    assert done.code == 0, done.err
    assert isinstance(done.json, dict) and "NaN" not in done.out


def test_people_get_the_table_and_the_report_s_place(here: Path) -> None:
    done = igakulm(*EXAM, *OURS, *QUICK)
    assert done.code == 0 and "| tiny (options-letter, chat) |" in done.out and "Report: new/report.html" in done.out


def test_several_ways_of_answering_at_once(data: Path, tmp_path: Path) -> None:
    words = ("evaluate", "exam", "--data", data / "exam.jsonl", "--model", data / "model", "--max-new-tokens", "4")
    ways = ("--answer", "options", "--answer", "generate", "--answer", "options-text", "--answer", "options")
    done = igakulm(*words, *ways, "--json", "--out", tmp_path / "out", *QUICK)
    assert done.code == 0, done.err
    modes = [done.json["answer_mode"], *(entry["answer_mode"] for entry in done.json["also"])]
    assert modes == ["options-letter", "generate", "options-text", "options-text-normalised"]


def test_a_question_longer_than_half_of_the_context_is_not_asked_but_counted_and_listed(
    data: Path, tmp_path: Path
) -> None:
    write_rows(tmp_path / "exam.jsonl", [question(0), question(1), question(2, question="長い。" * 9000)])
    words = ("evaluate", "exam", "--data", tmp_path / "exam.jsonl", "--model", data / "model", "--answer", "generate")
    done = igakulm(*words, "--max-new-tokens", "100000", "--json", "--out", tmp_path / "out", *QUICK)
    assert done.code == 0, done.err
    assert (done.json["n"], done.json["truncated"], done.json["unanswered"]) == (3, 0, 1)
    assert "the question does not fit the model; counts as wrong 1" in done.err
    short, _, long = read_jsonl(_items(tmp_path / "out", "tiny"))
    assert "問0はどれか" in short["prompt"] and not short["failure"]
    assert (long["parsed"], long["score"], long["answer"]) == (None, 0.0, "") and "does not fit" in long["failure"]
    (listed,) = read_jsonl(tmp_path / "out" / "left_out.jsonl")
    assert (listed["id"], listed["reason"], listed["where"]) == (long["id"], "too-long", "tiny")
    report = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "回答なし 1" in report and "without answer" in (tmp_path / "out" / "scoreboard.md").read_text()


@pytest.mark.parametrize("points", [0, 1])
def test_figures_are_numbers_also_where_nothing_can_be_won(data: Path, tmp_path: Path, points: int) -> None:
    exam = write_rows(tmp_path / "exam.jsonl", [question(n, points=points, answer=["a"]) for n in range(12)])
    words = ("evaluate", "exam", "--data", exam, "--predictions", data / "said.jsonl", "--json")
    done = igakulm(*words, *_out(tmp_path / "out"))
    assert done.code == 0 and done.json["accuracy"]["value"] == 1.0
    assert "NaN" not in done.out and "NaN" not in (tmp_path / "out" / "scoreboard.json").read_text(encoding="utf-8")


def test_nothing_of_a_question_or_name_is_markup(data: Path, tmp_path: Path) -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>|"
    rows = [question(n, question=evil, choices=[evil, "b"], answer=["a"], year=evil, exam=evil) for n in range(3)]
    write_rows(tmp_path / "exam.jsonl", rows)
    said = write_rows(tmp_path / "said.jsonl", [{"id": f"q{n}", "text": evil + "x"} for n in range(3)])
    words = ("evaluate", "exam", "--data", tmp_path / "exam.jsonl", "--predictions", said, "--name", evil)
    assert igakulm(*words, *_out(tmp_path / "out")).code == 0
    assert igakulm("scoreboard", tmp_path / "out", "--out", tmp_path / "merged").code == 0
    for folder in ("out", "merged"):
        page = (tmp_path / folder / "report.html").read_text(encoding="utf-8")
        assert "<script>alert" not in page and "<img" not in page
        assert "<script" not in (tmp_path / folder / "scoreboard.md").read_text(encoding="utf-8")


ODD: dict[str, str | None] = {
    "nothing": "",
    "null": None,
    "spaces": " \n\t ",
    "long": "医" * 100_000,
    "letters": "a" * 100_000,
    "control": "<|user|><0x41><s></s><|im_end|>",
    "nested": "[['頭痛'], [['咳']]]",
    "deep": "[" * 5_000,
    "code": "__import__('os').system('touch PWNED')",
    "code in list": "['頭痛', __import__('os').system('touch PWNED')]",
    "surrogate": "\ud800",
    "surrogates in list": '["\ud800", "頭痛"]',
    "huge": "[" + "9" * 6_000 + "]",
    "power": "['x'] * 10**9",
    "escape": "\x00\x1b[31m\u202e<script>alert(1)</script>",
}


def test_no_odd_answer_breaks_an_evaluation_or_is_run(here: Path) -> None:
    said: dict[str, str] = {}
    kinds = list(ODD)

    def plan(request: Request, times: int) -> Reply:
        said[request.question] = kinds[len(said) % len(kinds)]
        return chat_reply(ODD[said[request.question]])

    write_exam(here / "odd.jsonl", questions=len(ODD))
    with ChatServer(plan) as server:
        words = ("evaluate", "exam", "--data", "odd.jsonl", "--endpoint", server.url, "--name", "odd", "--json")
        done = igakulm(*words, "--concurrency", "1", *_out(here / "out"))
    assert done.code == 0, done.err
    found = dict(zip(kinds, read_jsonl(_items(here / "out", "odd")), strict=True))
    assert {kind for kind, row in found.items() if row["parsed"] is not None} == set()
    assert done.json["unparsed"] == 1.0
    assert not (here / "PWNED").exists()
    assert len(found["long"]["answer"]) == 100_000 and found["surrogate"]["answer"] == "\ufffd"
    page = (here / "out" / "report.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page


def _items(out: Path, model: str) -> Path:
    (path,) = (out / "items" / model).iterdir()
    return path


def test_odd_lists_are_unreadable_or_read_without_being_run(here: Path) -> None:
    notes = "".join(f"d,\"病名は。\n「{n}日目に頭痛と咳」\",\"['頭痛', '咳']\"\n" for n in range(len(ODD)))
    for name in ("nrner.csv", "all/NRNER.csv"):
        (here / "ner" / name).parent.mkdir(parents=True, exist_ok=True)
        (here / "ner" / name).write_text(f"tag,question,answer\n{notes}", encoding="utf-8")
    lines = [{"task": "nrner", "row": row, "text": said or ""} for row, said in enumerate(ODD.values())]
    (here / "odd.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    done = igakulm("evaluate", "jmed", "--data", "ner", "--predictions", "odd.jsonl", "--json", *_out(here / "out"))
    assert done.code == 0, done.err
    rows = read_jsonl(_items(here / "out", "odd"))
    read = {kind: row["parsed"] for kind, row in zip(ODD, rows, strict=True) if row["parsed"] is not None}
    assert read == {"surrogates in list": ["\ufffd", "頭痛"], "power": ["x"]}
    assert not (here / "PWNED").exists()


@pytest.mark.usefixtures("impatient")
def test_a_server_that_dies_and_comes_back_is_not_asked_again(data: Path, tmp_path: Path) -> None:
    def answers(request: Request, times: int) -> Reply:
        return chat_reply("答えは b")

    def dies(request: Request, times: int) -> Reply:
        return answers(request, times) if len(server.requests) <= 5 else Reply(503, b"going down")

    words = ("evaluate", "exam", "--data", data / "exam.jsonl", "--name", "m", "--concurrency", "1")
    with ChatServer(dies) as server:
        asked = (*words, "--endpoint", server.url, *_out(tmp_path / "out"))
        refused(igakulm(*asked), "going down", "same command again")
        assert not (tmp_path / "out" / "scoreboard.json").exists()
        server.plan, before = answers, len(server.requests)
        done = igakulm(*asked)
        assert done.code == 0, done.err
        asked_twice = 2 * WITNESSES  # a few, before and after: is it still the same model?
        assert len(server.requests) - before == 12 - 5 + asked_twice
        again = igakulm(*asked)
        assert again.out == done.out and len(server.requests) - before == 12 - 5 + asked_twice
        whole = igakulm(*words, "--endpoint", server.url + "/", *_out(tmp_path / "whole"))
        assert whole.code == 0
    assert results(tmp_path / "out") == results(tmp_path / "whole")


@pytest.mark.usefixtures("impatient")
def test_a_wrong_address_or_key_shows_before_baselines_are_computed(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IGAKULM_API_KEY", "secret-key")
    words = ("evaluate", "exam", "--data", data / "exam.jsonl", "--name", "m", "--endpoint")
    url = unused_url()
    done = igakulm(*words, url, *_out(tmp_path / "a"))
    refused(done, url, "check the server")
    assert "baseline" not in done.err
    with ChatServer(lambda request, times: Reply(401, b"wrong key secret-key")) as server:
        done = igakulm(*words, server.url, *_out(tmp_path / "b"))
    refused(done, "401", "IGAKULM_API_KEY")
    assert "secret-key" not in done.err and len(server.requests) == 1
    assert not any((tmp_path / name / "scoreboard.json").exists() for name in "ab")


def test_letters_of_an_endpoint(data: Path, tmp_path: Path) -> None:
    words = ("evaluate", "exam", "--data", data / "exam.jsonl", "--name", "m", "--json", "--answer", "options", *QUICK)
    with ChatServer(lambda request, times: letters_reply({"a": -0.1, "b": -2.0})) as server:
        done = igakulm(*words, "--endpoint", server.url, "--out", tmp_path / "out")
        assert (done.json["answer_mode"], done.json["accuracy"]["value"]) == ("options-letter", pytest.approx(1 / 3))
        server.plan = lambda request, times: chat_reply("b")
        refused(igakulm(*words, "--endpoint", server.url, "--out", tmp_path / "two"), "--answer generate")
        by_text = ["options-text" if word == "options" else word for word in words]
        text = igakulm(*by_text, "--endpoint", server.url, "--out", tmp_path / "three")
    refused(text, "model in this process")


def test_the_address_stands_in_no_result(data: Path, tmp_path: Path) -> None:
    with ChatServer(lambda request, times: chat_reply("b")) as server:
        words = ("evaluate", "exam", "--data", data / "exam.jsonl", "--name", "m", "--endpoint", server.url)
        assert igakulm(*words, "--out", tmp_path / "out", *QUICK).code == 0
    port = server.url.split(":")[2].split("/")[0].encode()
    assert [path for path, content in _tree(tmp_path / "out").items() if b"127.0.0.1:" + port in content] == []


def test_finished_answers_stand_beside_a_model_in_one_scoreboard(data: Path, evaluated: Path, tmp_path: Path) -> None:
    words = ("evaluate", "exam", "--data", data / "exam.jsonl", "--predictions", data / "said.jsonl")
    alone = igakulm(*words, "--samples", "100").json
    done = igakulm(*words, "--json", *_out(tmp_path / "said"))
    assert done.json["accuracy"] == alone["accuracy"], "the same figures with and without a folder"
    assert (tmp_path / "said" / "report.html").is_file()
    merged = igakulm("scoreboard", evaluated, tmp_path / "said", "--out", tmp_path / "merged", "--json")
    assert merged.code == 0, merged.err
    pairs = {(row["first"], row["second"]) for row in merged.json["paired"]}
    assert {("tiny", "said"), ("tiny", "chance"), ("said", "chance")} <= pairs


def test_scoreboards_of_odd_sources(evaluated: Path, data: Path, tmp_path: Path) -> None:
    done = igakulm(
        "scoreboard", evaluated, evaluated, evaluated / "scoreboard.json", "--out", tmp_path / "same", "--json"
    )
    assert [source["name"] for source in done.json["sources"]] == ["evaluated"]
    fewer = ("evaluate", "exam", "--data", data / "exam.jsonl", "--model", data / "model", "--max-items", "6")
    assert igakulm(*fewer, *_out(tmp_path / "fewer")).code == 0
    done = igakulm("scoreboard", evaluated, tmp_path / "fewer", "--out", tmp_path / "merged", "--json")
    assert {row["split"] for row in done.json["rows"]} == {"test", "test @ fewer"}
    sides = {(row["split"], row["n"]) for row in done.json["paired"]}
    assert sides == {("test", 12), ("test @ fewer", 6)}
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "scoreboard.json").write_text('{"rows": [', encoding="utf-8")
    refused(igakulm("scoreboard", evaluated, tmp_path / "broken", "--out", tmp_path / "out"), "scoreboard.json")
    refused(igakulm("scoreboard", evaluated, "--out", evaluated), "overwrite a source")
    assert not (tmp_path / "out").exists()


def test_names_that_look_alike_as_paths_stay_apart(data: Path, tmp_path: Path) -> None:
    words = ("evaluate", "exam", "--data", data / "exam.jsonl", "--predictions")
    other = write_rows(tmp_path / "other.jsonl", [{"id": f"q{n}", "text": "b"} for n in range(12)])
    names = {"a b": data / "said.jsonl", "a-b": other, "a/b": other}
    for number, (name, said) in enumerate(names.items()):
        assert igakulm(*words, said, "--name", name, "--out", tmp_path / str(number), *QUICK).code == 0
    done = igakulm("scoreboard", *(tmp_path / str(n) for n in range(3)), "--out", tmp_path / "out", "--json")
    files = {row["model"]: tmp_path / "out" / row["file"] for row in done.json["items"]}
    assert len(set(files.values())) == 3
    assert {name: next(iter(read_jsonl(path)))["answer"] for name, path in files.items()} == {
        "a b": "答えは a",
        "a-b": "b",
        "a/b": "b",
    }


def test_rows_of_a_fold_and_leakage(here: Path, real_data: Path) -> None:
    done = igakulm("evaluate", "rows", "--data", "jmed", "--task", "smdis", "--split", "fold-2-of-5", "--out", "rows")
    assert done.code == 0, done.err
    summary = read_json(here / "rows" / "summary.json")["tasks"]["smdis"]
    assert summary["test"] + summary["train"] == 40 and summary["test_shared"] == 0
    train = write_rows(here / "train.jsonl", [{"messages": [{"role": "user", "content": "関係のない文である。"}]}])
    done = igakulm("evaluate", "leakage", "--data", real_data / "jmed-llm", "--train", train, "--json")
    assert all(entry["document_shared"] == 0 for entry in done.json["tasks"].values())


def test_any_task_with_several_models(data: Path, tmp_path: Path) -> None:
    """Two copies of one model on rows of our own: scores, probabilities, subgroups, and rows left out."""
    shutil.copytree(data / "model", tmp_path / "other")
    choices = ["咳である", "咳でない"]
    rows = [
        {"id": n, "document": f"咳が{n}回", "choices": choices, "answer": "ab"[n % 2], "ward": "3A" if n < 9 else "4B"}
        for n in range(24)
    ]
    write_rows(tmp_path / "posts.jsonl", [*rows, rows[0] | {"id": 99, "answer": []}])
    words = (
        "evaluate",
        "task",
        "--data",
        tmp_path / "posts.jsonl",
        "--kind",
        "classification",
        "--by",
        "ward",
        "--json",
    )
    models = ("--model", data / "model", "--model", tmp_path / "other")
    done = igakulm(*words, *models, *_out(tmp_path / "out"))
    assert done.code == 0, done.err
    found = done.json
    assert sorted(found["models"]) == ["other", "tiny"] and found["n"] == 24 and found["left_out"] == {"no-answer": 1}
    assert found["kappa"] == found["models"]["other"]["kappa"]
    assert [row["value"] for row in found["subgroups"]] == ["3A", "4B"] and len(found["classes"]) == 2
    assert found["calibration"]["n"] == 24 and 0 <= found["calibration"]["ece"] <= 1
    lines = (tmp_path / "out" / "items" / "other" / "posts.test.options-letter.jsonl").read_text("utf-8").splitlines()
    assert sum(json.loads(lines[0])["probabilities"]) == pytest.approx(1)
    assert (tmp_path / "out" / "left_out.jsonl").is_file() and "no answer is given 1" in done.err
    refused(igakulm(*words, *models, "--strict", *_out(tmp_path / "new")), "at least one option")
    refused(igakulm(*words, "--model", data / "model", "--kind", "exam", *_out(tmp_path / "new")), "has no document")
