"""A review of a small invented ward with a scripted model; as a program, one that tests can kill."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import uvicorn

from igakulm.inference.engine import lengths_of
from igakulm.inference.model import Model
from igakulm.progress import SilentProgress
from igakulm.recipe.task_file import TaskFile, load_task_file
from igakulm.serving.review import Review
from igakulm.serving.review_routes import review_app, review_of
from igakulm.tasks.layouts import Task
from page_server import PageEngine
from tiny_bundle import encoder

TEXTS = [
    "𠮷田さん、午前に頭痛の訴えあり。",
    "夜間に転倒した。頭痛なし。",
    "変わりなし。",
    "昼食後に嘔気と頭痛あり。",
    '<img src=x onerror="window.hacked=1">と話す。咳嗽あり。',
]
DATA = [("なし", "頭痛"), ("なし", ""), ("", ""), ("なし", "嘔気、頭痛"), ("なし", "咳嗽")]
TASK_YAML = """
version: 1
name: ward
data: [rows.jsonl]
columns: {text: text}
tasks:
  - {name: fall, kind: classify, column: fall, labels: [あり, なし], title: 転倒, question: 転倒はありますか。}
  - name: symptom
    kind: extract
    column: symptom
    separator: 、
    title: 症状
    question: 症状を抜き出してください。
    item: 症状
"""
LAYOUTS = (
    Task(
        "fall",
        "classify",
        "転倒",
        "fall",
        "転倒はありますか。\n「",
        suffix="」",
        options=(("A", "あり"), ("B", "なし")),
    ),
    Task("symptom", "extract", "症状", "symptom", "症状を抜き出してください。\n「", suffix="」", kind_of_item="症状"),
)
SAID = {"午前に": '["頭痛"]', "夜間に": '["転倒"]', "変わり": "[]", "昼食後": '["頭痛"]', "話す": '["咳嗽"]'}


def ward(folder: Path) -> TaskFile:
    rows = [{"text": text, "fall": fall, "symptom": found} for text, (fall, found) in zip(TEXTS, DATA, strict=True)]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / "rows.jsonl").write_text(lines, encoding="utf-8")
    (folder / "task.yaml").write_text(TASK_YAML, encoding="utf-8")
    return load_task_file(folder / "task.yaml")


class WardEngine(PageEngine):
    """Gives whole answers as well."""

    def generate(
        self, prompts: Sequence[Sequence[int]], max_new_tokens: int | Sequence[int], stop: Sequence[int], **_: Any
    ) -> list[list[int]]:
        longest = lengths_of(max_new_tokens, prompts)
        pairs = zip(prompts, longest, strict=True)
        return [[step.token for step in self.stream(prompt, most, stop)] for prompt, most in pairs]


def scripted_model() -> Model:
    tiny = encoder()
    return Model(WardEngine(tiny, SAID), tiny, "ward", "scripted", tasks=LAYOUTS)


def ward_review(task_file: TaskFile, by: str = "田中") -> Review:
    review = review_of(task_file, scripted_model(), by)
    review.learn_baseline()
    review.proposals.make_all(SilentProgress())
    return review


if __name__ == "__main__":
    app = review_app(ward_review(load_task_file(Path(sys.argv[1]))))
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="error", lifespan="off", ws="none")
