"""The commands that ask a bundle's model about files: ask, extract.

Does: parse, call, print. Every import of a stage is inside a function, so that `igakulm --help` answers at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from igakulm.cli.options import QUICKSTART, JsonOption, RecipeOption, finished_stage, print_json

EngineOption = Annotated[str, typer.Option(help="auto, llamacpp or transformers.")]


def ask(
    question: Annotated[str | None, typer.Argument(help="The question; without it and --file: standard input.")] = None,
    bundle: Annotated[Path | None, typer.Option(help="A bundle; without it, the recipe's.")] = None,
    file: Annotated[Path | None, typer.Option(help="One question a line, or JSON Lines with `question`.")] = None,
    out: Annotated[Path | None, typer.Option(help="A file for the answers instead of the screen.")] = None,
    as_json: JsonOption = False,
    recipe: RecipeOption = QUICKSTART,
    engine: EngineOption = "auto",
    max_tokens: Annotated[int, typer.Option(help="Longest answer in tokens.")] = 256,
    temperature: Annotated[float, typer.Option(help="0 = always the likeliest token.")] = 0.0,
    seed: Annotated[int, typer.Option(help="With a temperature: the same seed gives the same answers.")] = 0,
) -> None:
    """Ask single questions, each by itself. The model can be wrong and is not for diagnosis."""
    from igakulm.inference.engine import Sampling
    from igakulm.progress import for_this_output
    from igakulm.serving.questions import ask as ask_model
    from igakulm.serving.questions import read_questions

    questions = list(read_questions(question, file))
    folder = bundle or finished_stage(recipe, None, "export")
    sampling = Sampling(temperature=temperature, seed=seed)
    ask_model(
        folder,
        questions,
        for_this_output(),
        engine=engine,
        max_tokens=max_tokens,
        sampling=sampling,
        as_json=as_json,
        out=out,
    )


def extract(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Records: .csv with a header, .tsv or .jsonl.")],
    bundle: Annotated[Path, typer.Option(help="Whose model is asked.")],
    out: Annotated[Path, typer.Option(help="The result; until it is there, OUT.journal holds what is done.")],
    column: Annotated[str | None, typer.Option(help="Of the texts; default `text`, or the only column.")] = None,
    id_column: Annotated[str | None, typer.Option(help="That names the records; default `id`, else numbers.")] = None,
    task: Annotated[list[str] | None, typer.Option(help="Ask only this task. Repeatable.")] = None,
    form: Annotated[str, typer.Option("--format", help="csv, jsonl or fhir (FHIR-like, not validated).")] = "csv",
    encoding: Annotated[str, typer.Option(help="Of IN; Excel in Japan often writes cp932.")] = "utf-8",
    excel: Annotated[bool, typer.Option("--excel", help="CSV for Excel: byte-order mark, its line ends.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many records, for a trial.")] = None,
    max_tokens: Annotated[int, typer.Option(min=1, help="Longest answer to a piece of a record.")] = 512,
    at_once: Annotated[
        int, typer.Option(min=1, help="Records asked at once; more are faster, and ties may differ.")
    ] = 1,
    engine: EngineOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Findings and medicines of every record, with their places. Goes on after a kill. It can be wrong.

    Exit code 3: the result is there, but records in it have an error and no answer.
    """
    from igakulm.progress import for_this_output
    from igakulm.serving.batch_extract import BatchOptions, batch_extract

    options = BatchOptions(
        column=column,
        id_column=id_column,
        encoding=encoding,
        tasks=tuple(task or ()),
        form=form,
        limit=limit,
        excel=excel,
        max_new_tokens=max_tokens,
        at_once=at_once,
    )
    summary = batch_extract(source, bundle, out, options, for_this_output(), engine=engine)
    failed = summary["broken"] + summary["failed"]
    if as_json:
        print_json(summary)
    else:
        _print_extracted(summary, failed)
    if failed:
        raise typer.Exit(3)


def _print_extracted(summary: dict[str, Any], failed: int) -> None:
    print(
        f"{summary['out']}: {summary['records']:,} records, {summary['items']:,} items placed, "
        f"{summary['unplaced']:,} not in their text, {failed:,} records with an error, "
        f"{summary['cut']:,} answers cut off, {summary['unreadable']:,} unreadable"
    )
