"""The Python API: what it returns on a real small bundle, what it refuses, and that importing it costs nothing."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import igakulm
from igakulm.bundle.export import export
from igakulm.errors import InputError
from igakulm.inference.engine import GREEDY
from igakulm.inference.model import Model
from igakulm.progress import SilentProgress
from igakulm.recipe.schema import ExportSection
from igakulm.serving.questions import Question, answer
from igakulm.tasks.layouts import TASKS_FILE, Task, lettered, write_tasks
from scripted_engine import ScriptedEngine
from tiny_bundle import encoder, write_model

NOTE = "糖尿病の治療。高血圧症もある。"
TASKS = [
    Task("findings", "extract", "", "", "所見は。\n「", suffix="」", kind_of_item="finding"),
    Task("ill", "classify", "", "", "病気か。\n「", suffix="」", options=lettered(["はい", "いいえ"])),
    Task("alike", "compare", "", "", "文1: ", "\n文2: ", options=lettered(["同じ", "違う"])),
    Task("exam", "exam", "", ""),
]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = write_model(tmp_path_factory.mktemp("api") / "model")
    write_tasks(model / TASKS_FILE, TASKS)
    folder = model.with_name("bundle")
    folder.mkdir()
    export(ExportSection(gguf=(), name="tiny"), model, None, None, folder, SilentProgress())
    return folder


@pytest.fixture(scope="module")
def loaded(bundle: Path) -> Iterator[igakulm.LoadedModel]:
    with igakulm.load(bundle) as model:
        yield model


def scripted(answer: str) -> igakulm.LoadedModel:
    tiny = encoder()
    engine = ScriptedEngine(tiny, answer, context_length=120)
    return igakulm.LoadedModel(Model(engine, tiny, "tiny", "scripted", tasks=tuple(TASKS)))


def test_importing_costs_nothing() -> None:
    code = "import sys, igakulm; print(*sys.modules); igakulm.load; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, after = (set(line.split()) for line in done.stdout.splitlines())
    assert not before & {"pydantic", "numpy", "torch", "pandas"}
    assert not after & {"numpy", "torch", "transformers", "pandas"}
    assert set(igakulm.__all__) <= set(dir(igakulm)) and not hasattr(igakulm, "no_such_name")


def test_the_command_of_the_documentation(bundle: Path) -> None:
    code = f"import igakulm; print(igakulm.load({str(bundle)!r}).ask('糖尿病の治療は？'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with igakulm.load(bundle) as model:
        said = answer(model.model, Question("1", "糖尿病の治療は？"), 256)
    assert done.stdout == said.answer + "\n" and ("was cut" in done.stderr) == (said.finish == "length")


def test_an_answer_knows_how_it_ended() -> None:
    model = scripted("糖尿病です。")
    whole = model.ask("病名は？")
    assert whole == "糖尿病です。" and not whole.cut and whole.tokens > 1 and whole.prompt_tokens > 1
    with pytest.warns(UserWarning, match="cut at 2 tokens"):
        short = model.ask("病名は？", max_tokens=2)
    assert short.cut and whole.startswith(short) and len(short) < len(whole)


def test_chat_streams_the_same_answer(loaded: igakulm.LoadedModel) -> None:
    turns = [
        {"role": "user", "content": "糖尿病とは？"},
        {"role": "assistant", "content": "病気です。"},
        {"role": "user", "content": "治療は？"},
    ]
    stream = loaded.chat(turns, max_tokens=12)
    assert [stream.finish, stream.tokens] == [None, 0]
    pieces = list(stream)
    ids = loaded.model.prompt(turns).ids
    wanted = [step.token for step in loaded.model.engine.stream(ids, 12, loaded.model.encoder.stops, GREEDY)]
    data = b"".join(loaded.model.encoder.token_bytes(token) for token in wanted)
    assert "".join(pieces) == data.decode("utf-8", "replace")
    assert stream.tokens == len(wanted) and stream.finish == ("length" if len(wanted) == 12 else "stop")
    assert stream.prompt_tokens == len(ids) and list(stream) == []


def test_a_stream_that_is_left_frees_the_engine(loaded: igakulm.LoadedModel) -> None:
    stream = loaded.chat("糖尿病とは？", temperature=1.0, seed=3)
    next(iter(stream))
    stream.close()
    assert [stream.finish, list(stream)] == [None, []]
    drawn = ["".join(loaded.chat("咳は？", temperature=1.0, seed=3, max_tokens=8)) for _ in range(2)]
    assert drawn[0] == drawn[1]


def test_tasks(loaded: igakulm.LoadedModel) -> None:
    assert loaded.tasks == {"findings": "extract", "ill": "classify", "alike": "compare", "exam": "exam"}
    found = loaded.extract(NOTE)
    assert list(found) == ["findings"] and found == loaded.extract(NOTE, "findings")
    assert all(NOTE[item.start : item.end] == item.text for item in found["findings"].items)
    for shares, chosen in (
        (loaded.probabilities(NOTE), loaded.classify(NOTE)),
        (loaded.probabilities(NOTE, "咳。"), loaded.classify(NOTE, "咳。")),
        (loaded.probabilities("どれか。", choices=["甲", "乙"]), loaded.classify("どれか。", choices=["甲", "乙"])),
    ):
        assert sum(shares.values()) == pytest.approx(1) and chosen == max(shares, key=lambda name: shares[name])
    assert list(loaded.probabilities(NOTE)) == ["はい", "いいえ"]


def test_an_extraction_as_the_model_wrote_it() -> None:
    found = scripted('["高血圧症", "咳"]').extract(NOTE)["findings"]
    assert [(item.text, item.start, item.kind) for item in found.items] == [("高血圧症", 7, "finding")]


def test_refusals(loaded: igakulm.LoadedModel, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no question"):
        loaded.ask("  ")
    with pytest.raises(InputError, match="no question"):
        loaded.chat([])
    with pytest.raises(InputError, match="at least one token"):
        loaded.ask("咳", max_tokens=0)
    with pytest.raises(InputError, match="temperature"):
        loaded.ask("咳", temperature=-1)
    with pytest.raises(InputError, match="shorten the question"):
        loaded.ask("咳" * 500)
    with pytest.raises(InputError, match="did you mean 'findings'"):
        loaded.extract(NOTE, "finding")
    with pytest.raises(InputError, match="equal"):
        loaded.classify("どれか。", choices=["甲", "甲"])
    with pytest.raises(InputError, match="no second text"):
        loaded.classify("どれか。", "咳", choices=["甲", "乙"])
    several = igakulm.LoadedModel(Model(loaded.model.engine, loaded.model.encoder, "m", "", tasks=(*TASKS, second())))
    with pytest.raises(InputError, match="which task is meant"):
        several.classify(NOTE)
    assert several.classify(NOTE, task="well") in ("良い", "悪い")
    for wrong in ({}, {"kind": "exam", "benchmark": "jmed"}):
        with pytest.raises(InputError, match="either kind"):
            igakulm.evaluate(tmp_path, tmp_path, **wrong)  # type: ignore[arg-type]


def second() -> Task:
    return Task("well", "classify", "", "", "状態は。\n「", suffix="」", options=lettered(["良い", "悪い"]))


def test_evaluation_is_a_table_with_intervals(bundle: Path, samples: Path, tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    out = tmp_path / "out"
    data = samples / "tasks" / "exam.test.jsonl"
    table = igakulm.evaluate(bundle, data, "exam", out=out, max_items=6, baselines=False, progress=SilentProgress())
    row = table[table.metric == "accuracy"].iloc[0]
    assert row.n == 6 and row.low <= row.value <= row.high and row.model == "bundle"
    assert table.attrs["folder"] == str(out) and (out / "report.html").is_file()


def test_texts_of_one_patient_are_replaced_together() -> None:
    one, two = igakulm.deidentify(
        ["佐藤花子様、2024年3月1日", "患者：佐藤花子、2024年3月5日"], style="numbered", dates="shift"
    )
    assert "佐藤" not in one.text + two.text and one.text[:6] == "[人物A]様" and "[人物A]" in two.text
    assert igakulm.deidentify("咳が出る").text == "咳が出る" and igakulm.deidentify([]) == []
    assert igakulm.clean("ＣＲＰ") == "CRP"


def test_the_notebook_runs(project: Path, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = json.loads((project / "docs" / "notebook.ipynb").read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert len(code) >= 8 and all(not cell.get("outputs") for cell in cells)  # nothing that an older run said
    (tmp_path / "runs" / "quickstart" / "latest").mkdir(parents=True)
    (tmp_path / "runs" / "quickstart" / "latest" / "export").symlink_to(bundle)
    (tmp_path / "samples").symlink_to(project / "samples")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for number, cell in enumerate(code):
        exec(compile(cell, f"cell {number}", "exec"), names)
    assert set(names["table"]["task"]) == {"exam.test"} and 0 < names["table"]["n"].max() <= 20
    assert isinstance(names["answer"], str)
