"""The Python API of one page (docs/python-api.md): what a notebook or another program calls.

Does: open a bundle and ask its model, evaluate into a DataFrame, clean and de-identify texts, each by the function that
the command of the same name calls. Does not: hold a rule of its own.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, overload

from igakulm.errors import InputError
from igakulm.recipe.personal_data import Dates, Deidentification, Kind, Style

if TYPE_CHECKING:
    import pandas

    from igakulm.answering.extraction import Extraction
    from igakulm.answering.tasks import Choice
    from igakulm.evaluation.target import Target
    from igakulm.inference.model import Model
    from igakulm.pipeline.evaluate_session import RowKind
    from igakulm.progress import Progress
    from igakulm.recipe.schema import BenchmarksSection
    from igakulm.serving.answer_stream import AnswerStream
    from igakulm.text.messages import Message
    from igakulm.text.personal.replacing import Replaced

MOST_TOKENS = 256


class Answer(str):
    """The text of an answer: a string that knows how it ended.

    Attributes:
        finish: "stop" = the model ended it, "length" = the limit cut it.
        prompt_tokens, tokens: lengths of what was read and of what was made.

    >>> answer = Answer("胸痛は", finish="length", prompt_tokens=9, tokens=3)
    >>> print(answer, answer.cut)
    胸痛は True
    """

    finish: str
    prompt_tokens: int
    tokens: int

    def __new__(cls, text: str, *, finish: str, prompt_tokens: int, tokens: int) -> Self:
        """A text with what is known about it."""
        answer = super().__new__(cls, text)
        answer.finish, answer.prompt_tokens, answer.tokens = finish, prompt_tokens, tokens
        return answer

    @property
    def cut(self) -> bool:
        """Whether the limit of length ended it."""
        return self.finish == "length"


class LoadedModel:
    """A model that is open, from `load`; a context manager, which closes it at the end.

    All answers but those of `ask` and `chat` with a temperature are the likeliest ones: the same question, bundle and
    engine give the same answer. The model can be wrong; nothing that it says is for diagnosis.

    Attributes:
        model: what is open, for whoever needs more than this page.
    """

    def __init__(self, model: Model) -> None:
        self.model = model

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{self.model.name}: {self.model.kind}, reads {self.model.context_length:,} tokens>"

    def close(self) -> None:
        """Release the model and its memory."""
        self.model.close()

    @property
    def tasks(self) -> dict[str, str]:
        """Name -> kind ("extract", "classify", "compare", "exam") of the tasks that it was tuned on."""
        return {task.name: task.kind for task in self.model.tasks}

    def ask(
        self,
        question: str,
        *,
        max_tokens: int = MOST_TOKENS,
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int = 0,
    ) -> Answer:
        """Answer one question; warns where the limit cuts the answer.

        Args:
            question: as a user writes it.
            max_tokens: longest answer.
            temperature: 0 = the likeliest answer, else drawn.
            top_p: drawn from the likeliest tokens of so much probability together.
            seed: the same gives the same answer.

        Raises:
            InputError: a question that is empty or does not fit the model, values out of range.
            EngineFailed: the model's process died.
        """
        stream = self.chat(question, max_tokens=max_tokens, temperature=temperature, top_p=top_p, seed=seed)
        text = "".join(stream)
        if stream.finish != "stop":
            warnings.warn(f"the answer was cut at {stream.tokens:,} tokens", stacklevel=2)
        return Answer(text, finish=stream.finish or "length", prompt_tokens=stream.prompt_tokens, tokens=stream.tokens)

    def chat(
        self,
        messages: str | Sequence[Message],
        *,
        max_tokens: int = MOST_TOKENS,
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int = 0,
    ) -> AnswerStream:
        """The answer to a conversation, as pieces of text while they are made.

        Args:
            messages: [{"role": "user", "content": "…"}, …] with the question last, or the question alone.
            max_tokens: longest answer.
            temperature: as in `ask`.
            top_p: as in `ask`.
            seed: as in `ask`.

        Returns:
            An iterator of strings; afterwards its `finish` is "stop", or "length" where the limit cut the answer.

        Raises:
            InputError: as in `ask`; an unknown role, a message without text.
        """
        from igakulm.inference.engine import Sampling, check_sampling
        from igakulm.serving.answer_stream import AnswerStream

        turns: Sequence[Message] = [{"role": "user", "content": messages}] if isinstance(messages, str) else messages
        if not turns or not str(turns[-1].get("content", "")).strip():
            raise InputError("there is no question")
        if max_tokens < 1:
            raise InputError("an answer needs at least one token", where="max_tokens")
        sampling = Sampling(temperature=temperature, top_p=top_p, seed=seed)
        try:
            check_sampling(sampling)
        except ValueError as error:
            raise InputError(str(error)) from error
        return AnswerStream(self.model, self.model.prompt(turns).ids, max_tokens, sampling)

    def extract(self, text: str, *tasks: str) -> dict[str, Extraction]:
        """What the model finds in a record.

        Args:
            text: a record of any length; a long one is read in pieces.
            tasks: names; none = every task that extracts.

        Returns:
            Task -> its `items` with `text`, `start`, `end` (code points of the given text) and `kind`; `unplaced`, what
            was named and does not stand there; `cut` and `unreadable`, whether items may be missing.

        Raises:
            InputError: no such task, or a text of which nothing is left.
            EngineFailed: the model's process died.
        """
        from igakulm.answering.tasks import extract
        from igakulm.serving.batch_extract import chosen_tasks

        chosen = chosen_tasks(self.model.tasks, tasks)
        return {task.name: extract(self.model, task, text) for task in chosen}

    def classify(
        self, text: str, second: str | None = None, *, task: str | None = None, choices: Sequence[str] = ()
    ) -> str:
        """The likeliest option for a text; arguments and errors as in `probabilities`."""
        choice = self._choice(text, second, task, choices)
        return next(label for letter, label, _ in choice.options if letter == choice.answer)

    def probabilities(
        self, text: str, second: str | None = None, *, task: str | None = None, choices: Sequence[str] = ()
    ) -> dict[str, float]:
        """How probable each option is for a text; the numbers sum to 1.

        Args:
            text: what the options are about, or an examination question.
            second: another text that it is compared with.
            task: its name; needed where the model has several of the kind.
            choices: the options of an examination question.

        Raises:
            InputError: no such task, several to choose from, an empty text, both a second text and choices, two equal
                choices, or a text that is longer than the model reads.
            EngineFailed: the model's process died.
        """
        return {label: share for _, label, share in self._choice(text, second, task, choices).options}

    def _choice(self, text: str, second: str | None, task: str | None, choices: Sequence[str]) -> Choice:
        from igakulm.answering.tasks import classify, compare, exam
        from igakulm.serving.batch_extract import chosen_tasks

        if choices:
            if second is not None or task is not None:
                raise InputError("a question with choices has no second text and no task")
            if len(set(choices)) < len(choices):
                raise InputError("two choices are equal", where=", ".join(choices))
            return exam(self.model, text, choices)
        found = chosen_tasks(self.model.tasks, [task] if task else [], "classify" if second is None else "compare")
        if len(found) > 1:
            raise InputError("which task is meant?", where=", ".join(one.name for one in found), hint="give task=NAME")
        if second is None:
            return classify(self.model, found[0], text)
        return compare(self.model, found[0], text, second)


def load(path: str | Path, engine: str = "auto") -> LoadedModel:
    """Open a bundle, a Hugging Face folder or a GGUF file inside a bundle.

    Args:
        path: where it lies; nothing is downloaded.
        engine: "auto" = llama.cpp where it is installed and the bundle has a GGUF file, else transformers; or one of
            these by name.

    Raises:
        InputError: no model there, or one that cannot be run here; says what to do.

    >>> load("no-such-folder")
    Traceback (most recent call last):
        ...
    igakulm.errors.InputError: there is no model at this path
      where: no-such-folder
      hint:  give a model folder, a bundle or a GGUF file
    """
    from igakulm.inference.open import open_model

    return LoadedModel(open_model(Path(path), engine))


def evaluate(
    models: str | Path | Target | Sequence[str | Path | Target],
    data: str | Path,
    kind: RowKind | None = None,
    *,
    benchmark: str | None = None,
    train: str | Path | None = None,
    out: str | Path | None = None,
    baselines: bool = True,
    max_items: int | None = None,
    progress: Progress | None = None,
) -> pandas.DataFrame:
    """Score one or more models on a file of rows, or on a copy of a published benchmark.

    Args:
        models: folders, bundles or GGUF files; `igakulm.evaluation.target.Target` for all else, such as an endpoint.
        data: JSON Lines (docs/evaluate.md gives the fields of each kind), or the benchmark's folder.
        kind: what the rows ask: "exam", "classification", "extraction", "similarity" or "free-text".
        benchmark: the name of a published benchmark instead of `kind`, such as "jmed" or "igakuqa".
        train: training rows of the same form, for the baselines.
        out: folder for answers, scores and report; None = evaluations/NAME-MODEL in the working directory.
        baselines: score baselines without a language model beside the models.
        max_items: only the first so many items of each task.
        progress: where it is shown; None = on standard error.

    Returns:
        One line for each figure: task, split, model, metric, value, its 95 % interval (low, high), n and how the model
        was asked; `attrs["folder"]` says where the report and every answer are.

    Raises:
        InputError: pandas is not installed, a file is wrong, a model cannot be opened, `out` holds something else.
    """
    from igakulm.evaluation.scoreboard import read_scoreboard
    from igakulm.evaluation.tables import COLUMNS, cells
    from igakulm.evaluation.target import Options, Target
    from igakulm.pipeline.evaluate_session import default_folder, evaluate_model
    from igakulm.progress import for_this_output

    try:
        import pandas
    except ImportError as error:
        raise InputError("this returns a DataFrame and needs pandas", hint="pip install igakulm[pandas]") from error
    given = [models] if isinstance(models, str | Path | Target) else list(models)
    if not given:
        raise InputError("there is no model to evaluate")
    first, *more = [one if isinstance(one, Target) else Target(model=Path(one)) for one in given]
    name, section = _benchmarks(Path(data), kind, benchmark, Path(train) if train else None)
    folder = Path(out) if out else default_folder(name, first.label())
    options = Options(baselines=baselines, max_items=max_items)
    evaluate_model(section, first, options, folder, progress or for_this_output(), more=more)
    board = read_scoreboard(folder)
    table = pandas.DataFrame([cells(row, board) for row in board.rows], columns=list(COLUMNS))
    table.attrs["folder"] = str(folder)
    return table


def _benchmarks(
    data: Path, kind: RowKind | None, benchmark: str | None, train: Path | None
) -> tuple[str, BenchmarksSection]:
    from igakulm.pipeline.evaluate_session import row_task
    from igakulm.recipe.schema import BenchmarkSet, BenchmarksSection

    if (kind is None) == (benchmark is None):
        raise InputError("give either kind, for rows of your own, or benchmark, for a published one")
    if benchmark is not None:
        if train is not None:
            raise InputError("a published benchmark has its own training rows", where="train")
        return benchmark, BenchmarksSection(sets=(BenchmarkSet(name=benchmark, path=str(data)),))
    assert kind is not None
    task = row_task(data, kind, train)
    return task.name, BenchmarksSection(rows=(task,))


def clean(text: str) -> str:
    """A text as models here read it: the rules of docs/cleaning.md.

    >>> clean("ＨｂＡ１ｃは７．２％でした！！！")
    'HbA1cは7.2%でした!'
    """
    from igakulm.text.cleaning import clean_text

    return clean_text(text)


@overload
def deidentify(
    text: str, *, style: Style = "kind", dates: Dates = "keep", kinds: Sequence[Kind] = (), min_confidence: float = 0.0
) -> Replaced: ...
@overload
def deidentify(
    text: list[str] | tuple[str, ...],
    *,
    style: Style = "kind",
    dates: Dates = "keep",
    kinds: Sequence[Kind] = (),
    min_confidence: float = 0.0,
) -> list[Replaced]: ...
def deidentify(
    text: str | list[str] | tuple[str, ...],
    *,
    style: Style = "kind",
    dates: Dates = "keep",
    kinds: Sequence[Kind] = (),
    min_confidence: float = 0.0,
) -> Replaced | list[Replaced]:
    """A text without personal data. No method finds all: docs/personal-data.md says how much is found.

    Args:
        text: one text; or the texts of one patient, in which the same name gets the same stand-in and dates move alike.
        style: "kind" = [氏名], "numbered" = [患者A], "invented" = other names.
        dates: of treatment: "keep", "shift" (all by one number of days) or "replace"; docs/personal-data.md.
        kinds: what is taken out; empty = all.
        min_confidence: what is found with less stays.

    Returns:
        `text`, and in `spans` what stood where in the `original`; a list of these for a list.

    Raises:
        ValueError: a setting that there is not.

    >>> deidentify("患者：佐藤花子（９３歳）　主訴は咳").text
    '患者：[氏名]（[年齢]歳）\u3000主訴は咳'
    """
    from igakulm.text.personal.replacing import Deidentifier

    config = Deidentification(style=style, dates=dates, kinds=tuple(kinds), min_confidence=min_confidence)
    if isinstance(text, str):
        return Deidentifier(config)(text)
    return list(Deidentifier(config).replace_together(dict(enumerate(text)), "").values())
