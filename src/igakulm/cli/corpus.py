"""Commands about the corpus: `corpus` (the stage), `corpus clean`, `corpus explain`. Parse, call, print."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from igakulm.cli.options import (
    QUICKSTART,
    JsonOption,
    RecipeOption,
    SetOption,
    WaitOption,
    finished_stage,
    load,
    print_json,
    run_stage,
    stage_folder,
)
from igakulm.errors import InputError

_REPORTED = 20  # broken lines that are named one by one

corpus_app = typer.Typer(help="Stage: raw sources to a clean corpus; `clean` and `explain` work beside it.")


@corpus_app.callback(invoke_without_command=True)
def corpus(
    context: typer.Context, recipe: RecipeOption = QUICKSTART, set_: SetOption = None, wait: WaitOption = False
) -> None:
    """Stage: raw sources to a clean corpus, with a reason for every document dropped."""
    if context.invoked_subcommand is None:
        run_stage(recipe, set_, "corpus", wait)


@corpus_app.command("clean")
def corpus_clean(
    field: Annotated[str | None, typer.Option(help="Input is JSON Lines; clean this field.")] = None,
) -> None:
    """Clean documents from standard input (one a line, or JSON Lines) and delete personal data.

    A line that cannot be read is reported, comes out blank, and makes the exit code 2.
    """
    from igakulm.corpus.clean_stream import clean_stream
    from igakulm.files import explain_os_error

    broken = 0

    def report(error: InputError) -> None:
        nonlocal broken
        broken += 1
        if broken <= _REPORTED:
            print(f"igakulm: {error}", file=sys.stderr)

    try:
        for line in clean_stream(sys.stdin.buffer, field, report=report):
            sys.stdout.buffer.write(line.encode("utf-8", "backslashreplace") + b"\n")
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left has nowhere to go
        raise explain_os_error(error, Path("standard output")) from error
    if broken:
        raise InputError(f"lines that could not be read: {broken:,}; they came out blank", where="standard input")


@corpus_app.command("crawl")
def corpus_crawl(
    sites: Annotated[Path, typer.Option(help="YAML file: who crawls, and the sites that may be asked.")],
    out: Annotated[Path, typer.Option(help="Folder for the pages (WARC); an unfinished crawl there goes on.")],
) -> None:
    """Collect pages of a list of allowed sites, politely; the only command that asks other machines for anything."""
    from igakulm.corpus.crawl import crawl
    from igakulm.corpus.crawl_sites import load_sites
    from igakulm.progress import for_this_output

    print_json(crawl(load_sites(sites), out, for_this_output()))


@corpus_app.command("explain")
def corpus_explain(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="The document's id, `source:id`, or the end of it.")],
    recipe: RecipeOption = QUICKSTART,
    set_: SetOption = None,
) -> None:
    """Say what each step did to one document, and show its text before and after."""
    from igakulm.corpus.explain import explain

    print_json(explain(finished_stage(recipe, set_, "corpus"), identifier, load(recipe, set_).corpus))


@corpus_app.command("funnel")
def corpus_funnel(recipe: RecipeOption = QUICKSTART, set_: SetOption = None, as_json: JsonOption = False) -> None:
    """Show what each step left of each source, why the rest went, and the tokens if there is a tokenizer."""
    from igakulm.corpus.records import FUNNEL, FunnelFile, read_statistics
    from igakulm.evaluation.corpus_tokens import funnel_text, table_one, tokens_by_source
    from igakulm.stored import read_stored

    folder = finished_stage(recipe, set_, "corpus")
    funnel = read_stored(folder / FUNNEL, FunnelFile)
    tokenizer = stage_folder(recipe, set_, "tokenizer")
    rows = table_one(funnel, tokens_by_source(folder, tokenizer) if tokenizer else {})
    if as_json:
        statistics = {name: counts.model_dump() for name, counts in read_statistics(folder).items()}
        table = [asdict(row) for row in rows]
        print_json({"table": table, **funnel.model_dump(exclude_unset=True), "statistics": statistics})
    else:
        print(funnel_text(funnel, rows))


@corpus_app.command("part", hidden=True)
def corpus_part(
    folder: Annotated[Path, typer.Argument(help="Folder with plan.json.")],
    task: Annotated[int, typer.Option(help="Which share of the parts, from 0.")] = 0,
    tasks: Annotated[int, typer.Option(help="Number of shares.")] = 1,
) -> None:
    """Work on a share of the parts of a corpus; this is what a task of the Slurm script calls."""
    from igakulm.corpus.executors import work_share

    print(f"{work_share(folder, task, tasks)} parts of {folder} are done")


@corpus_app.command("rules")
def corpus_rules() -> None:
    """Print the rules of the cleaning with an example of each, as a Markdown table."""
    from igakulm.text.cleaning import rules_table

    print(rules_table())
