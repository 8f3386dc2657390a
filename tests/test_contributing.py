"""CONTRIBUTING.md is true: each errand is run in a copy of the sources, with the files that it names and no others."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = '''
"""A benchmark of one file."""
from pathlib import Path
from igakulm.tasks.benchmarks.benchmark import Benchmark
from igakulm.tasks.exams import read_exam

BENCHMARK = Benchmark(
    "ward-quiz", "Ward quiz", "https://example.org", {"ward-quiz": "CC0"},
    lambda config, screen: {"ward-quiz": read_exam(Path(config.path), "ward-quiz", screen)},
)
'''
FILTER = '''
"""Documents that are all questions."""
from igakulm.corpus.filters.filter import Document, Filter, Finding
from igakulm.recipe.schema import Filters

def judge(document: Document, filters: Filters) -> Finding | None:
    marks = document.text.count("か。")
    return ("questions", f"{marks} questions") if marks > filters.max_questions else None

FILTER = Filter(("questions",), ("max_questions",), judge)
'''
LAYOUT = '''
"""How long a text is: rows that quote a text and want a number."""
from igakulm.tasks.kinds.kind import Kind, around

class Length(Kind):
    """A number."""
    NAME, TITLES, DOES, ITEM = "length", ("長さ", "Length"), "counts", "number"
    def layout(self, item, labels):
        return around(self.NAME, item, labels) if item.kind == "number" else None

KIND = Length()
'''
KIND = '''
"""How long a text is, as the model reads it."""
from igakulm.answering.kinds.form import Form, FormField
from igakulm.answering.kinds.kind import Count, NamedTaskRequest, Part, Text

class LengthAnswer(Part):
    """Tokens."""
    tokens: Count

class LengthRequest(NamedTaskRequest):
    """A text."""
    KIND, SUMMARY, ANSWER = "length", "Tokens of a text", LengthAnswer
    FORM = Form("長さ", "文章の長さを測る", (FormField("text", "測る文章"),), choose="測り方")
    text: Text
    def answer(self, model, task, new_tokens):
        return LengthAnswer(tokens=len(model.encoder.encode(self.text)))

REQUEST = LengthRequest
'''
OBJECTIVE = '''
"""Half of the usual loss."""
from igakulm.model.objective import Objective

class Half(Objective):
    """Half."""
    def forward(self, *args, **kwargs):
        return 0.5 * super().forward(*args, **kwargs)
'''


class Errand:
    """A copy of the sources, what was changed in it, and programs that run with it."""

    def __init__(self, project: Path, folder: Path) -> None:
        self.root = folder / "src" / "igakulm"
        self.changed: set[str] = set()
        shutil.copytree(project / "src" / "igakulm", self.root, ignore=shutil.ignore_patterns("__pycache__"))

    def add(self, name: str, text: str) -> None:
        path = self.root / name
        assert not path.exists()
        path.write_text(text, encoding="utf-8")
        self.changed.add(re.sub(r"\w+\.py$", "NAME.py", name))

    def change(self, name: str, before: str, after: str) -> None:
        path = self.root / name
        text = path.read_text(encoding="utf-8")
        assert text.count(before) == 1, before
        path.write_text(text.replace(before, after), encoding="utf-8")
        self.changed.add(name)

    def python(self, program: str) -> str:
        tests = Path(__file__).parent
        environment = os.environ | {"PYTHONPATH": f"{self.root.parent}{os.pathsep}{tests}"}
        command = [sys.executable, "-c", f"import igakulm; assert {str(self.root)!r} in igakulm.__file__\n{program}"]
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture
def errand(project: Path, tmp_path: Path) -> Errand:
    return Errand(project, tmp_path)


def files_of(project: Path, name: str) -> set[str]:
    """The files that the table of CONTRIBUTING.md gives for an errand."""
    row = re.search(rf"^\| {name} \* \| (.+) \|$", (project / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.M)
    assert row, name
    return set(re.findall(r"`([^`]+)`", row[1]))


def test_a_benchmark(project: Path, errand: Errand, tmp_path: Path) -> None:
    errand.add("tasks/benchmarks/ward_quiz.py", BENCHMARK)
    assert errand.changed == files_of(project, "a published benchmark")
    rows = tmp_path / "quiz.jsonl"
    rows.write_text('{"id": 1, "question": "どれ", "choices": ["甲", "乙"], "answer": "b"}\n', encoding="utf-8")
    program = (
        "from igakulm.recipe.schema import BenchmarksSection\nfrom igakulm.tasks.load import load_test_items\n"
        f"section = BenchmarksSection(sets=({{'name': 'ward-quiz', 'path': {str(rows)!r}}},))\n"
        "print(load_test_items(section)['ward-quiz'][0].answer)"
    )
    assert errand.python(program) == "('B',)"


def test_a_filter(project: Path, errand: Errand) -> None:
    errand.add("corpus/filters/questions.py", FILTER)
    key = "    drop_truncated: bool = True"
    errand.change("recipe/text_sections.py", key, f"    max_questions: Count = 20  # questions\n{key}")
    errand.change("report/words.toml", "[reason]\n", '[reason]\nquestions = ["質問ばかり", "questions only"]\n')
    assert errand.changed == files_of(project, "a corpus filter")
    program = (
        "from igakulm.corpus.filter import drop_reason\nfrom igakulm.recipe.schema import Filters\n"
        "from igakulm.report.words import words\n"
        "text = ''.join(f'{word}は痛みますか。' for word in ('朝は右の肩', '夜は左の膝', '今日は首の後ろ'))\n"
        "text += '昨日より腫れていますか。'\n"
        "found = [drop_reason(text, Filters(min_characters=9, max_questions=most)) for most in (3, 4)]\n"
        "print(found, words('ja').known('reason', 'questions'))"
    )
    assert errand.python(program) == "[('questions', '4 questions'), None] 質問ばかり"


def test_a_kind_of_task(project: Path, errand: Errand) -> None:
    errand.add("answering/kinds/length.py", KIND)
    errand.add("tasks/kinds/length.py", LAYOUT)
    assert errand.changed == files_of(project, "a kind of task")
    program = """
from starlette.testclient import TestClient
from igakulm.serving.server import create_app
from igakulm.tasks.find_layouts import layouts_of
from igakulm.tasks.items import Item
from scripted_engine import ScriptedEngine
from tiny_bundle import encoder
tiny = encoder()
row = Item("1", "size", "number", "何字ですか。\\n「熱が出た」", (), ("4",), "熱が出た")
tasks = layouts_of({"size": [row]}, {"size": "字の数"})
app = create_app(ScriptedEngine(tiny, "", context_length=400), tiny, "tiny", tasks=tasks)
client = TestClient(app, base_url="http://localhost")
good = client.post("/api/length", json={"task": "size", "text": "高血圧症"}).json()
bad = client.post("/api/length", json={"task": "size", "text": " "}).json()["error"]["message"]
print(good["tokens"] > 0, bad, "LengthRequest" in client.get("/openapi.json").json()["components"]["schemas"])
print(client.get("/api/tasks").json()["tasks"][0]["title_ja"], "測る文章" in client.get("/").text)
"""
    said = ["True text is a text with at least one character True", "字の数 True"]
    assert errand.python(program).splitlines() == said


def test_an_objective(project: Path, errand: Errand) -> None:
    errand.add("training/half.py", OBJECTIVE)
    line = 'OBJECTIVES: dict[str, Maker] = {"answers": _answers}'
    import_line = "from igakulm.recipe.schema import FinetuneSection\n"
    errand.change("training/objectives.py", import_line, f"{import_line}from igakulm.training.half import Half\n")
    made = line.replace("}", ', "half": lambda model, scale, section: Half(model, scale=scale)}')
    errand.change("training/objectives.py", line, made)
    assert errand.changed == files_of(project, "an objective of tuning")
    program = """
import numpy as np
from transformers import LlamaConfig, LlamaForCausalLM
from igakulm.model.batch import Row, collate
from igakulm.recipe.schema import FinetuneSection
from igakulm.training.objectives import objective_maker
config = LlamaConfig(vocab_size=9, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2)
model, section = LlamaForCausalLM(config), FinetuneSection(dropout=0.0, neftune_alpha=0.0, precision="fp32")
batch = collate([Row(np.array([1, 2, 3]), np.array([2, 3, 4]), (3,))])
losses = {name: float(objective_maker(name)(model, 1.0, section).eval()(batch)) for name in ("answers", "half")}
print(losses["answers"] > 0, round(losses["half"] / losses["answers"], 4))
"""
    assert errand.python(program) == "True 0.5"


def test_every_file_that_it_names_exists(project: Path) -> None:
    text = (project / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = {name for name in re.findall(r"`([\w./]+\.(?:py|js|html|json|toml))`", text) if "NAME" not in name}
    assert len(named) > 10
    folders = (project, project / "src" / "igakulm", project / "src" / "igakulm" / "serving" / "page")
    assert [name for name in sorted(named) if not any((folder / name).is_file() for folder in folders)] == []


def test_the_table_of_rooms_is_whole(project: Path) -> None:
    text = (project / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = text[text.index("| room |") : text.index("A stage is a plain function")]
    folders = {path.parent.name for path in (project / "src" / "igakulm").glob("*/__init__.py")}
    assert folders - set(re.findall(r"`(\w+)/?`", table)) == set()
