"""Commands about the corpus: `corpus` (the stage), `corpus clean`, `corpus explain`. Parse, call, print."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from igakulm.cli_options import QUICKSTART, RecipeOption, SetOption, WaitOption, finished_stage, print_json, run_stage

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
    """Clean documents from standard input (one a line, or JSON Lines) and delete personal data."""
    from igakulm.corpus.build import clean_stream

    for line in clean_stream(sys.stdin.buffer, field):
        print(line)


@corpus_app.command("explain")
def corpus_explain(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="The document's id, `source:id`.")],
    recipe: RecipeOption = QUICKSTART,
    set_: SetOption = None,
) -> None:
    """Say what happened to one document, and show its text."""
    from igakulm.corpus.build import explain

    print_json(explain(finished_stage(recipe, set_, "corpus"), identifier))


@corpus_app.command("rules")
def corpus_rules() -> None:
    """Print the rules of the cleaning with an example of each, as a Markdown table."""
    from igakulm.corpus.clean import rules_table

    print(rules_table())
