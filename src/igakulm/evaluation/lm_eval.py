"""An evaluation's items as tasks of the lm-evaluation-harness, so that others can measure the same items again.

Does: write for each task of a model the prompts as they were sent with their right answers (JSON Lines), a task file
(YAML), and a page that says how to run them and what we measured. Does not: import the harness, or ask anybody.

Choices become tasks of the type `multiple_choice` (the answer of the highest log-probability, as in our way of
answering "options"), lists tasks of the type `generate_until` that are scored by exact matches of their strings.
Source: https://github.com/EleutherAI/lm-evaluation-harness, docs/task_guide.md (0.4).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from igakulm.answering.options import set_texts
from igakulm.errors import InputError, did_you_mean
from igakulm.evaluation.item_files import plain_name
from igakulm.evaluation.manner import OPTIONS
from igakulm.evaluation.score_tables import AnswerFile, Board
from igakulm.evaluation.scoreboard import BASELINE_MODE
from igakulm.files import read_jsonl, write_jsonl, write_text
from igakulm.tasks.items import LETTERS
from igakulm.tasks.prompts import listed

SCORER, MICRO = "entities.py", "exact_f1_micro"
LONGEST = 512
"""Tokens of an answer that is written."""
_SCORER = '''"""Lists of strings, scored by exact matches: counts of each document, and micro F1 over all."""

import json
import re


def process_results(doc, results):
    """One document: how many strings are right, said and wanted."""
    found = re.search(r"\\[.*?\\]", results[0], re.DOTALL)
    try:
        said = {str(one) for one in json.loads(found[0])} if found else set()
    except ValueError:
        said = set()
    gold = set(json.loads(doc["target"]))
    return {"exact_f1_micro": (len(said & gold), len(said), len(gold))}


def micro(counts):
    """Micro F1."""
    right, said, wanted = (sum(column) for column in zip(*counts))
    return 2 * right / (said + wanted) if said + wanted else 0.0
'''


@dataclass(frozen=True, slots=True)
class Exported:
    """One task: its name there, how many items it has, how many of the evaluation's cannot be asked there, and our
    value on those that can, with its name.
    """

    name: str
    items: int
    left_out: int
    metric: str
    value: float


def write_lm_eval(evaluation: Path, out: Path, model: str | None = None) -> list[Exported]:
    """Write the task folder of one model of an evaluation.

    Args:
        evaluation: its folder.
        out: the folder that is written; new or empty.
        model: whose prompts; None = of the only model.

    Raises:
        InputError: no evaluation there, several models and none named, nothing that the harness can score, or a folder
            that is not empty.
    """
    board = Board.read(evaluation)
    files = _files(board, evaluation, model)
    if out.exists() and any(out.iterdir()):
        raise InputError("the folder holds something else", where=str(out), hint="choose an empty folder with --out")
    exported = [one for file in files if (one := _write_task(file, out))]
    if not exported:
        hint = "evaluate with --answer options; lists are always written"
        raise InputError("no task of it can be scored by the harness", where=str(evaluation), hint=hint)
    write_text(out / "README.md", _readme(files[0].model, exported, files))
    if any(one.metric == MICRO for one in exported):
        write_text(out / SCORER, _SCORER)
    return exported


def _files(board: Board, evaluation: Path, model: str | None) -> list[AnswerFile]:
    """The files of answers of one model, one for each task and split."""
    files = [file for file in board.answer_files if file.role != BASELINE_MODE]
    models = list(dict.fromkeys(file.model for file in files))
    if not models:
        raise InputError("the evaluation holds no answers of a model", where=str(evaluation))
    if model is None and len(models) > 1:
        raise InputError("whose prompts are meant?", where="--name", hint="one of " + ", ".join(models))
    if model is not None and model not in models:
        close = did_you_mean(model, models)
        hint = f"did you mean {close!r}?" if close else "one of " + ", ".join(models)
        raise InputError(f"the evaluation holds no model {model!r}", where="--name", hint=hint)
    return [file for file in files if file.model == (model or models[0])]


def _write_task(file: AnswerFile, out: Path) -> Exported | None:
    """Rows and task file; None where the harness cannot score it as we do."""
    rows = list(read_jsonl(file.path))
    kind = rows[0]["kind"] if rows else ""
    if kind == "choice" and file.answer_mode == OPTIONS:
        made, task, metric = list(_choices(rows, file.prompt_style)), _CHOICE, "acc"
    elif kind == "entities":
        made, task, metric = list(_lists(rows)), _LIST, MICRO
    else:
        return None
    if not made:
        return None
    ids = {one["id"] for one in made}
    value = _value([row for row in rows if row["id"] in ids], metric)
    name = f"igakulm_{plain_name(file.task)}"
    if (out / f"{name}.yaml").exists():
        name += f"_{plain_name(file.split)}"
    write_jsonl(out / f"{name}.jsonl", made)
    own = {"task": name, "dataset_path": "json", "dataset_kwargs": {"data_files": {"test": f"{name}.jsonl"}}}
    write_text(out / f"{name}.yaml", _yaml(own | task))
    return Exported(name, len(made), len(rows) - len(made), metric, value)


def _value(rows: Sequence[Mapping[str, Any]], metric: str) -> float:
    """Our answers in the harness's metric."""
    if metric != MICRO:
        return float(sum(row["score"] for row in rows)) / len(rows)
    pairs = [(set(row["gold"]), set(row["parsed"] or ())) for row in rows]
    both = sum(len(gold) + len(said) for gold, said in pairs)
    return 2 * sum(len(gold & said) for gold, said in pairs) / both if both else 0.0


_CHOICE: dict[str, Any] = {
    "test_split": "test",
    "output_type": "multiple_choice",
    "doc_to_text": "{{prompt}}",
    "doc_to_choice": "{{choices}}",
    "doc_to_target": "{{gold}}",
    "target_delimiter": "",
    "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
    "metadata": {"version": 1},
}
_LIST: dict[str, Any] = {
    "test_split": "test",
    "output_type": "generate_until",
    "doc_to_text": "{{prompt}}",
    "doc_to_target": "{{target}}",
    "target_delimiter": "",
    "generation_kwargs": {"until": [], "max_gen_toks": LONGEST, "do_sample": False},
    "process_results": f"!function {SCORER[:-3]}.process_results",
    "metric_list": [
        {"metric": "exact_f1_micro", "aggregation": f"!function {SCORER[:-3]}.micro", "higher_is_better": True}
    ],
    "metadata": {"version": 1},
}


def _yaml(task: Mapping[str, Any]) -> str:
    """A task file; functions stand in it as tags, not as texts."""
    text = yaml.safe_dump(dict(task), allow_unicode=True, sort_keys=False)
    return (
        text.replace("'!function ", "!function ")
        .replace(".process_results'", ".process_results")
        .replace(".micro'", ".micro")
    )


def _choices(rows: Sequence[Mapping[str, Any]], style: str) -> Iterator[dict[str, Any]]:
    """Prompts with the answers that compete; rows that were not asked, or freely, are left out."""
    for row in rows:
        if row["failure"] or row["answer_mode"] != OPTIONS or not row["wanted"]:
            continue
        letters = LETTERS[: row["choices"]]
        written = letters.lower() if style.startswith("published") and row["exam"] else letters
        sets = set_texts(letters, row["wanted"])
        right = [",".join(sorted(answer)) for answer in (row["gold"], *row["also"])]
        gold = [sets.index(answer) for answer in right if answer in sets]
        if gold:
            choices = list(set_texts(written, row["wanted"]))
            yield {
                "id": row["id"],
                "prompt": row["prompt"],
                "choices": choices,
                "gold": gold[0] if len(gold) == 1 else gold,
            }


def _lists(rows: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for row in rows:
        if not row["failure"]:
            yield {"id": row["id"], "prompt": row["prompt"], "target": listed(row["gold"])}


def _readme(model: str, exported: Sequence[Exported], files: Sequence[AnswerFile]) -> str:
    names = ",".join(one.name for one in exported)
    chat = any(file.prompt_style != "base" for file in files)
    lines = [
        f"# Items of {model} for the lm-evaluation-harness",
        "",
        "The prompts as they were sent, and the right answers. Run in this folder (harness 0.4):",
        "",
        "```sh",
        f"lm_eval --include_path . --tasks {names} --model hf --model_args pretrained=MODEL_FOLDER,dtype=float32"
        + (" --apply_chat_template" if chat else ""),
        "```",
        "",
        "| task | items | not exported | igakulm |",
        "|---|---|---|---|",
    ]
    for one in exported:
        lines.append(f"| {one.name} | {one.items} | {one.left_out} | {one.metric} {one.value:.4f} |")
    lines += [
        "",
        "Measured on these very items. Lists are written freely there, held to their document here: `exact_f1_micro`",
        "differs. Kappa and intervals are not computed by the harness.",
        "",
    ]
    return "\n".join(lines)
