"""The options of every command that asks a model: which model, how it is asked, where results go.

Does: define them once and add them to a command's own. Does not: open or ask anything.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

import typer

from igakulm.cli.options import JsonOption, Language, LanguageOption
from igakulm.errors import InputError

if TYPE_CHECKING:
    from igakulm.evaluation.target import Options, Target


@dataclass(frozen=True, slots=True)
class Asking:
    """What the shared options say."""

    target: Target
    more: tuple[Target, ...]
    options: Options
    out: Path | None
    as_json: bool
    language: Language


def _asking(
    model: Annotated[
        list[Path] | None,
        typer.Option(
            help="A Hugging Face folder, a bundle, or a GGUF file; may be repeated, to compare.",
            rich_help_panel="Model",
        ),
    ] = None,
    endpoint: Annotated[
        str | None,
        typer.Option(
            help="An OpenAI-compatible server, e.g. http://127.0.0.1:8080/v1 (key: environment IGAKULM_API_KEY).",
            rich_help_panel="Model",
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="The model's name: for the server, and in the scoreboard.", rich_help_panel="Model"),
    ] = None,
    answer: Annotated[
        list[str] | None,
        typer.Option(
            help="options (the likeliest letter), options-text (the likeliest text) or generate; may be repeated. "
            "Default: options for a local model, generate for an endpoint.",
            rich_help_panel="How it is asked",
        ),
    ] = None,
    prompts: Annotated[
        Literal["chat", "published"] | None,
        typer.Option(
            help="Our short chat format (default for our own models) or the leaderboards' layout (for all others).",
            rich_help_panel="How it is asked",
        ),
    ] = None,
    wording: Annotated[
        Path | None,
        typer.Option(
            help="Sentences of the published layout: YAML, or the benchmark's own Python source (read, never run).",
            rich_help_panel="How it is asked",
        ),
    ] = None,
    shots: Annotated[
        Path | None,
        typer.Option(
            help="Worked examples for examination questions, e.g. IgakuQA's scripts/prompts/prompt.jsonl (3-shot).",
            rich_help_panel="How it is asked",
        ),
    ] = None,
    max_new_tokens: Annotated[
        int | None, typer.Option(help="Longest free answer in tokens.", min=1, rich_help_panel="How it is asked")
    ] = None,
    max_items: Annotated[
        int | None, typer.Option(help="Only the first N items of each task.", min=1, rich_help_panel="How it is asked")
    ] = None,
    baselines: Annotated[bool, typer.Option(help="Score baselines without a language model beside it.")] = True,
    strict: Annotated[
        bool, typer.Option(help="Refuse a file with an odd row, instead of leaving the row out and listing it.")
    ] = False,
    folds: Annotated[
        int,
        typer.Option(help="Baselines also by grouped k-fold, for tasks with few rows left; 0 = not.", min=0, max=20),
    ] = 0,
    samples: Annotated[int, typer.Option(help="Bootstrap samples.", min=100, max=100_000)] = 2000,
    seed: Annotated[int, typer.Option(help="Seed of baselines and resampling.", min=0)] = 0,
    route: Annotated[
        Literal["chat", "completions"], typer.Option(help="Which route of the server.", rich_help_panel="Endpoint")
    ] = "chat",
    system_role: Annotated[
        bool, typer.Option(help="Send instructions with the role `system`.", rich_help_panel="Endpoint")
    ] = True,
    tokens_parameter: Annotated[
        Literal["max_tokens", "max_completion_tokens"],
        typer.Option(help="What the server calls the limit of an answer.", rich_help_panel="Endpoint"),
    ] = "max_tokens",
    concurrency: Annotated[int, typer.Option(help="Requests in flight.", min=1, rich_help_panel="Endpoint")] = 8,
    precision: Annotated[
        Literal["auto", "fp32", "bf16"],
        typer.Option(help="auto: bf16 on a GPU, fp32 on a CPU.", rich_help_panel="Local model"),
    ] = "auto",
    batch_tokens: Annotated[
        int, typer.Option(help="Tokens in one batch, padding included.", min=1, rich_help_panel="Local model")
    ] = 16_384,
    threads: Annotated[
        int | None, typer.Option(help="Threads of llama.cpp.", min=1, rich_help_panel="Local model")
    ] = None,
    engine: Annotated[
        str,
        typer.Option(
            help="weights (as trained), or as they are served: auto, llamacpp or transformers.",
            rich_help_panel="Local model",
        ),
    ] = "weights",
    gguf: Annotated[
        str | None, typer.Option(help="Which GGUF file of a bundle, e.g. q8_0.", rich_help_panel="Local model")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for answers, scores and report; default evaluations/BENCHMARK-MODEL.")
    ] = None,
    language: LanguageOption = "ja",
    as_json: JsonOption = False,
) -> Asking:
    from igakulm.evaluation.target import Options, Target

    how = partial(
        Target,
        route=route,
        system_role=system_role,
        tokens_parameter=tokens_parameter,
        concurrency=concurrency,
        precision=precision,
        batch_tokens=batch_tokens,
        threads=threads,
        engine=engine,
        gguf=gguf,
    )
    first, *others = model or (None,)
    if others and (name or endpoint):
        raise InputError("several models have the names of their folders", hint="leave --name and --endpoint out")
    target = how(model=first, endpoint=endpoint, name=name)
    more = tuple(how(model=other) for other in others)
    if folds == 1:
        raise InputError("one fold is no split", where="--folds", hint="use 2 to 20, or 0 for none")
    options = Options(
        answers=_answers(answer),
        prompts=prompts,
        wording=wording,
        shots=shots,
        max_new_tokens=max_new_tokens,
        baselines=baselines,
        strict=strict,
        folds=folds,
        max_items=max_items,
        samples=samples,
        seed=seed,
    )
    return Asking(target, more, options, out, as_json, language)


def _answers(given: list[str] | None) -> tuple[Any, ...]:
    known = ("options", "options-text", "generate")
    for answer in given or ():
        if answer not in known:
            raise InputError(
                f"there is no way of answering {answer!r}", where="--answer", hint="use " + ", ".join(known)
            )
    return tuple(given or ())


def with_asking(command: Callable[..., None]) -> Callable[..., None]:
    """A command that takes `asking: Asking` as one that takes its own options and all of these."""
    own = list(inspect.signature(command).parameters.values())
    shared = list(inspect.signature(_asking).parameters.values())
    hints = {**get_type_hints(_asking, include_extras=True), **_hints_of(command)}
    parameters = [
        parameter.replace(annotation=hints[parameter.name], kind=inspect.Parameter.KEYWORD_ONLY)
        for parameter in (*own, *shared)
        if parameter.name != "asking"
    ]

    @functools.wraps(command)
    def wrapper(**values: Any) -> None:
        asking = _asking(**{parameter.name: values.pop(parameter.name) for parameter in shared})
        command(**values, asking=asking)

    wrapper.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return wrapper


def _hints_of(command: Callable[..., None]) -> dict[str, object]:
    return get_type_hints(command, include_extras=True)
