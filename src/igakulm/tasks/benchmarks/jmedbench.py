"""JMedBench: twenty Japanese biomedical sets of five tasks, as its data set has them (one folder a set).

Does: read `SET/test.jsonl` and `SET/train.jsonl` of multiple choice, entities, translation and similarity.
Does not: read sets whose options are not in their files (natural language inference but JCSTS), or score.

Source: https://github.com/nii-nlp/med-eval (data_loaders/base.py gives the fields; arXiv 2409.13317). Each set keeps
the licence of its own source.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from igakulm.errors import InputError
from igakulm.files import tried_jsonl
from igakulm.recipe.schema import BenchmarkSet
from igakulm.tasks.benchmarks.benchmark import NOT_STATED, Benchmark
from igakulm.tasks.exam_answers import choices_of
from igakulm.tasks.fields import Row, strings_field, text_field
from igakulm.tasks.items import LETTERS, Item
from igakulm.tasks.left_out import OddRow, Screen
from igakulm.tasks.rows import SIMILARITY_CHOICES

CHOICES = ("igakuqa", "jmmlu_medical", "medmcqa_jp", "usmleqa_jp", "medqa_jp", "mmlu_medical_jp", "pubmedqa_jp")
CLASSES = ("crade", "rrtnm", "smdis")
ENTITIES = (
    *("mrner_disease", "mrner_medicine", "nrner"),
    *("bc2gm_jp", "bc5chem_jp", "bc5disease_jp", "jnlpba_jp", "ncbi_disease_jp"),
)
OTHERS = ("jcsts", "ejmmt")
TASKS = {f"jmedbench-{name}": name for name in (*CHOICES, *CLASSES, *ENTITIES, *OTHERS)}


def load_test(config: BenchmarkSet, screen: Screen) -> dict[str, list[Item]]:
    """Set to test items; sets that are not in the folder are told to the screen where none was chosen by name.

    Raises:
        InputError: a chosen set, or all, missing.
    """
    return _load(config, screen, "test")


def load_train(config: BenchmarkSet, screen: Screen) -> dict[str, list[Item]]:
    """The same for the training rows, of sets that have some."""
    return _load(config, screen, "train")


def _load(config: BenchmarkSet, screen: Screen, side: str) -> dict[str, list[Item]]:
    found: dict[str, list[Item]] = {}
    for task, name in TASKS.items():
        if config.tasks and task not in config.tasks:
            continue
        path = Path(config.path) / name / f"{side}.jsonl"
        if path.is_file():
            found[task] = _items(path, task, screen)
        elif side == "test" and config.tasks:
            raise InputError("there is no such file", where=str(path), hint="point at the data set's folder")
        elif side == "test":
            screen.miss(task, str(path), f"the file is not there: {task} has no test items")
    if not found and side == "test":
        raise InputError("no set of JMedBench in it", where=config.path, hint="point at the data set's folder")
    return found


def _items(path: Path, task: str, screen: Screen) -> list[Item]:
    items: list[Item] = []
    for number, row in tried_jsonl(path):
        where = f"{path}, line {number}"
        try:
            if isinstance(row, InputError):
                raise OddRow("broken-line", row.what, where=where)
            items.append(_item(row, task, f"{TASKS[task]}-{number}", where))
        except OddRow as odd:
            screen.leave_out(task, str(number), odd)
    return items


def _item(row: Row, task: str, identifier: str, where: str) -> Item:
    name = TASKS[task]
    if name in ENTITIES:
        return _entities(row, task, identifier, where)
    if name == "ejmmt":
        source, target = text_field(row, "english", where), text_field(row, "japanese", where)
        question = f"次の英文を日本語に訳してください。\n「{source}」"
        return Item(identifier, task, "text", question, (), (target,), document=source)
    if name == "jcsts":
        return _similarity(row, task, identifier, where)
    question, choices = text_field(row, "question", where), choices_of(row.get("options"), where)
    answer = _letter(row.get("answer_idx"), choices, where)
    return Item(identifier, task, "choice", question, choices, answer, document=question)


def _entities(row: Row, task: str, identifier: str, where: str) -> Item:
    document, kind = text_field(row, "text", where), text_field(row, "entity_type", where)
    labels = tuple(dict.fromkeys(label for label in strings_field(row, "labels", where) if label in document))
    question = f"次の文書に書かれた{kind}をすべて挙げてください。\n「{document}」"
    return Item(identifier, task, "entities", question, (), labels, document=document, tag=kind)


def _similarity(row: Row, task: str, identifier: str, where: str) -> Item:
    pair = text_field(row, "premise", where), text_field(row, "hypothesis", where)
    label = row.get("label")
    if type(label) is not int or not 0 <= label <= 5:
        raise OddRow("wrong-answer", f"the label is not 0 to 5: {str(label)[:20]!r}", where=where)
    question = f"次の二つの文の意味はどれくらい似ていますか。\n文1: {pair[0]}\n文2: {pair[1]}"
    answer = (LETTERS[5 - label],)
    return Item(identifier, task, "choice", question, SIMILARITY_CHOICES, answer, sentences=pair, ordered=True)


def _letter(index: object, choices: Sequence[str], where: str) -> tuple[str, ...]:
    """The letter of an index from 0."""
    if type(index) is not int or not 0 <= index < len(choices):
        raise OddRow("wrong-answer", f"answer_idx is none of the options: {str(index)[:20]!r}", where=where)
    return (LETTERS[index],)


BENCHMARK = Benchmark(
    name="jmedbench",
    title="JMedBench",
    source="https://github.com/nii-nlp/med-eval",
    licences=dict.fromkeys(TASKS, NOT_STATED),
    load_test=load_test,
    load_train=load_train,
    aliases={name: task for task, name in TASKS.items()},
)
