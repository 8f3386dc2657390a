"""Prompts in the layout of the published leaderboards, worded by us or as a file says.

Does: lay out JMED-LLM's prompts (system text, question, lettered options) and IgakuQA's (question, lettered options,
how many to choose, worked examples before it); read the sentences from a file. Does not: ask or parse anything.

The published sentences themselves belong to the benchmarks. With a copy of a benchmark's repository, `read_wording`
takes them from its Python source, which is parsed and never run. Without one our own sentences stand in their place;
the prompt hash beside each score shows which were used.

Sources: https://github.com/sociocom/JMED-LLM (src/utils.py) and
https://github.com/jungokasai/IgakuQA (scripts/generation, scripts/prompts).
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Literal

import yaml

from igakulm.errors import InputError, did_you_mean
from igakulm.files import explain_os_error
from igakulm.tasks.benchmarks.registry import benchmark_of
from igakulm.tasks.exam_answers import choices_of, right_answers
from igakulm.tasks.exams import key_of
from igakulm.tasks.fields import text_field, unique_rows
from igakulm.tasks.items import LETTERS, Item
from igakulm.text.messages import Message


@dataclass(frozen=True, slots=True)
class Wording:
    """The sentences of published-style prompts.

    `choice` and `entities`: system texts of JMED-LLM's tasks. `exam`: system text of examinations. `pick`: the line
    after the options of an examination question; `{letters}` becomes "a,b,c", `{count}` (or `{}`) how many to choose.
    `pick_all`: the same where the question does not say how many, so that nobody is told.
    `taken`: which of them a file gave; `from_source`: that file is a benchmark's own source.
    """

    choice: str = (
        "医学の質問と選択肢を示します。最も適切な選択肢の文字（例：A）だけを答えてください。"
        "ほかには何も書かないでください。"
    )
    entities: str = (
        "医学の質問を示します。Pythonのリスト（例：['表現1', '表現2']）だけで答えてください。"
        "ほかには何も書かないでください。"
    )
    exam: str = "医師国家試験の問題に答えます。"
    pick: str = "{letters}のうち正しいものをちょうど{count}個、文字だけで答えてください。"
    pick_all: str = "{letters}のうち正しいものをすべて、文字だけで答えてください。"
    taken: tuple[str, ...] = field(default=(), compare=False)
    from_source: bool = field(default=False, compare=False)

    def origin(self, item: Item) -> Literal["own", "published", "given"]:
        """Whose sentences an item's prompt has: the benchmark's own only where all of them were taken from its source.

        >>> Wording().origin(Item("1", "t", "choice", "q", ("a", "b"), ("A",), document="q"))
        'own'
        """
        used = {"exam", "pick"} if is_exam(item) else {"entities" if item.kind == "entities" else "choice"}
        if not used <= set(self.taken):
            return "own"
        return "published" if self.from_source else "given"


def conversation(item: Item, wording: Wording, shots: Sequence[Item] = ()) -> list[Message]:
    """The chat messages that ask an item; `shots` are worked examples, for examination questions only."""
    if not is_exam(item):
        system = wording.entities if item.kind == "entities" else wording.choice
        return [{"role": "system", "content": system}, {"role": "user", "content": _leaderboard_text(item)}]
    messages = [{"role": "system", "content": wording.exam}]
    for shot in shots:
        answer = ",".join(letter.lower() for letter in shot.answer)
        messages.append({"role": "user", "content": _exam_text(shot, wording)})
        messages.append({"role": "assistant", "content": answer})
    return [*messages, {"role": "user", "content": _exam_text(item, wording)}]


def plain_text(item: Item, wording: Wording, shots: Sequence[Item] = ()) -> str:
    """The same for a model without chat tokens: one text that the model continues with the answer.

    Examination questions are joined without the system text, as IgakuQA's authors did for such models.
    """
    messages = conversation(item, wording, shots)
    if is_exam(item):
        ending = "" if item.choices else "\n答え:"
        return "\n".join(message["content"] for message in messages[1:]) + ending
    return "\n\n".join(message["content"] for message in messages).rstrip("\n") + "\n答え："


def is_exam(item: Item) -> bool:
    """Whether the item is an examination question: the question is all that it shows, and its benchmark is no other."""
    if item.kind in ("entities", "text") or item.document != item.question:
        return False
    benchmark = benchmark_of(item.task)
    return benchmark is None or benchmark.exam


def option_letters(item: Item, *, published: bool) -> str:
    """The letters that the options of an item carry: small ones in published examination prompts."""
    letters = LETTERS[: len(item.choices)]
    return letters.lower() if published and is_exam(item) else letters


def _leaderboard_text(item: Item) -> str:
    if item.kind == "entities":
        return item.published[0] if item.published else item.question
    # As published, byte for byte: white space around questions and options stays, which our own layout leaves out.
    question, *choices = item.published or (item.question, *item.choices)
    options = "".join(f"{letter}. {choice}\n" for letter, choice in zip(LETTERS, choices, strict=False))
    return f"質問: {question}\n選択肢:\n{options}" if item.choices else f"質問: {question}"


def _exam_text(item: Item, wording: Wording) -> str:
    if not item.choices:
        return f"問題: {item.question}"
    letters = LETTERS[: len(item.choices)].lower()
    options = "".join(f"\n{letter}: {choice}" for letter, choice in zip(letters, item.choices, strict=True))
    pick = (wording.pick if item.wanted else wording.pick_all).replace("{letters}", ",".join(letters))
    pick = pick.replace("{count}", str(item.wanted)).replace("{}", str(item.wanted))
    return f"問題: {item.question}{options}\n{pick}\n答え:"


def read_shots(path: Path) -> tuple[Item, ...]:
    """Worked examples: rows with `problem_text` (or `question`), `choices` and `answer`, as IgakuQA's prompt file has.

    Raises:
        InputError: a wrong row, with file and row.
    """
    key = key_of(path)
    shots = []
    for row, where in unique_rows(path, key):
        question = text_field(row, "problem_text" if key == "problem_id" else "question", where)
        choices = choices_of(row.get("choices"), where)
        answer = right_answers(row.get("answer"), choices, where)[0]
        shots.append(
            Item(str(row[key]), "shots", "choice", question, choices, answer, document=question, wanted=len(answer))
        )
    return tuple(shots)


def read_wording(path: Path) -> Wording:
    """Sentences of a YAML file (keys as in `Wording`), or of a benchmark's own Python source, which is only parsed.

    Raises:
        InputError: not readable, an unknown key, no sentence found, or in a source several that could be meant, or one
            that is not Japanese.
    """
    text = _text(path)
    found = _one_each(_of_source(text, path), path) if path.suffix == ".py" else _of_yaml(text, path)
    if not found:
        raise InputError("no prompt sentence was found in it", where=str(path), hint="write a YAML file: choice: …")
    return replace(Wording(), **found, taken=tuple(sorted(found)), from_source=path.suffix == ".py")


def told(wording: Wording) -> list[str]:
    """The sentences that a file gave, one line each, for people."""
    return [f"wording, {name}: {getattr(wording, name)}" for name in wording.taken]


def _one_each(candidates: Iterable[tuple[str, str]], path: Path) -> dict[str, str]:
    """The sentence of each kind.

    Raises:
        InputError: several fit, or the only one is not Japanese (the items are).
    """
    found: dict[str, list[str]] = {}
    for name, sentence in candidates:
        if sentence not in found.setdefault(name, []):
            found[name].append(sentence)
    chosen = {}
    for name, sentences in found.items():
        japanese = [sentence for sentence in sentences if re.search("[ぁ-ゖァ-ヺ]", sentence)]
        hint = f"write the sentence that is meant into a YAML file: {name}: …"
        if not japanese:
            raise InputError(
                f"the sentence for {name} is not Japanese: {sentences[0][:60]!r}", where=str(path), hint=hint
            )
        if len(japanese) > 1:
            several = "; ".join(repr(sentence[:40]) for sentence in japanese)
            raise InputError(f"several sentences could be {name}: {several}", where=str(path), hint=hint)
        chosen[name] = japanese[0]
    return chosen


def _of_yaml(text: str, path: Path) -> dict[str, str]:
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"the file is not valid YAML: {error}", where=str(path)) from error
    known = [one.name for one in fields(Wording) if one.name not in ("taken", "from_source")]
    if not isinstance(value, dict):
        raise InputError("the file holds no keys", where=str(path), hint="keys: " + ", ".join(known))
    for key, sentence in value.items():
        if key not in known:
            near = did_you_mean(str(key), known)
            raise InputError(
                f"unknown key {key!r}", where=str(path), hint=f"did you mean {near}?" if near else ", ".join(known)
            )
        if not isinstance(sentence, str) or not sentence.strip():
            raise InputError(f"{key} is not a filled text", where=str(path))
    return value


def _of_source(text: str, path: Path) -> Iterator[tuple[str, str]]:
    """What a benchmark's source could mean: assignments to `system_prompt` (for choices; a second one, or one that
    speaks of a list, is for entities), the content of messages with the role "system", texts that are formatted.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise InputError(f"the file is not Python source: {error}", where=str(path)) from error
    prompts: list[str] = []
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id="system_prompt")], value=ast.Constant(value=str(sentence))):
                prompts += [sentence] if sentence not in prompts else []
            case ast.Dict(values=[ast.Constant(value="system"), ast.Constant(value=str(sentence))]):
                yield "exam", sentence
            case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(sentence)), attr="format")):
                yield "pick", sentence.strip("\n")
    listed = [bool(re.search("リスト|list", sentence, re.IGNORECASE)) for sentence in prompts]
    if len(prompts) == 2 and len(set(listed)) == 1:
        listed = [False, True]
    yield from (("entities" if list_ else "choice", sentence) for list_, sentence in zip(listed, prompts, strict=True))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError("the file is not UTF-8", where=f"{path}, byte {error.start}") from error
    except OSError as error:
        raise explain_os_error(error, path) from error
