"""Commands about names: `lexicon` (the stage) and `lexicon build`. Parse, call, print."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from igakulm.cli.options import QUICKSTART, JsonOption, RecipeOption, SetOption, WaitOption, print_json, run_stage

lexicon_app = typer.Typer(help="Stage: disease and drug names in one table; `build` makes one without a recipe.")


@lexicon_app.callback(invoke_without_command=True)
def lexicon(
    context: typer.Context, recipe: RecipeOption = QUICKSTART, set_: SetOption = None, wait: WaitOption = False
) -> None:
    """Stage: disease and drug names from the recipe's lists into one table."""
    if context.invoked_subcommand is None:
        run_stage(recipe, set_, "lexicon", wait)


@lexicon_app.command("build")
def lexicon_build(
    source: Annotated[
        list[Path], typer.Option(help="A list: Manbyo (xlsx, csv, mini), drug prices (xlsx, csv), or one of your own.")
    ],
    out: Annotated[Path, typer.Option(help="The table to write, tab-separated.")],
    licence: Annotated[list[str] | None, typer.Option(help="Licence of each source, in the same order.")] = None,
    min_confidence: Annotated[
        Literal["S", "A", "B", "C", "D", "E", "F"] | None, typer.Option(help="Lowest level of Manbyo's confidence.")
    ] = None,
    min_frequency: Annotated[float | None, typer.Option(help="Lowest frequency, in the list's own unit.")] = None,
    max_terms: Annotated[int | None, typer.Option(min=1, help="At most so many names of each kind.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Read lists of names and write one table (term, kind, reading, icd10, standard_name, …)."""
    from igakulm.progress import for_this_output
    from igakulm.synth.lexicon import build_table

    selection = {"min_confidence": min_confidence, "min_frequency": min_frequency, "max_terms": max_terms}
    summary = build_table(source, licence or [], out, for_this_output(), **selection)
    if as_json:
        print_json(summary)
        return
    print(f"{out}: {summary['diseases']:,} diseases, {summary['drugs']:,} drugs")
    for one in summary["lists"]:
        counts = ", ".join(f"{name} {one[name]:,}" for name in ("rows", "kept", "duplicate", "too_short", "too_long"))
        print(f"  {one['source']} ({one['kind']}): {counts}")
