"""The commands that make and check a bundle: export, verify.

Does: parse, call, print. Every import of a stage is inside a function, so that `igakulm --help` answers at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from igakulm.cli_options import RecipeOption, SetOption, WaitOption, run_stage


def export(recipe: RecipeOption, set_: SetOption = None, wait: WaitOption = False) -> None:
    """Stage: the tuned model as a Hugging Face folder and GGUF, with a model card."""
    run_stage(recipe, set_, "export", wait)


def verify(bundle: Annotated[Path, typer.Argument(help="A folder written by the export stage.")]) -> None:
    """Check every file of a bundle against its hashes."""
    from igakulm.bundle.build import verify_bundle

    result = verify_bundle(bundle)
    print(f"{bundle}: {result['files']} files unchanged")
