"""What the commands share: the options that name a recipe, and calling its stages.

Does: parse, call, print. Every import of a stage is inside a function, so that `igakulm --help` answers at once.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from igakulm.errors import InputError

RecipeOption = Annotated[Path, typer.Option("--recipe", "-r", help="The recipe (YAML) that describes the run.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="Change one key, e.g. `--set pretrain.steps=100`. May be repeated.")
]
WaitOption = Annotated[bool, typer.Option("--wait", help="Wait when another process works on the same run.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Language = Literal["ja", "en"]
LanguageOption = Annotated[Language, typer.Option("--language", help="Language of the HTML report.")]
QUICKSTART = Path("recipes/quickstart.yaml")


def load(path: Path, overrides: list[str] | None) -> Any:
    """The recipe of a file, with `--set` applied."""
    from igakulm.recipe import load_recipe

    return load_recipe(path, overrides or [])


def run_recipe(recipe_path: Path, overrides: list[str] | None, target: str, wait: bool) -> dict[str, Path]:
    """Run a recipe up to a stage; the folder of every stage. Ends in processes that only take part in training."""
    from igakulm.pipeline.run import Runner
    from igakulm.progress import for_this_output
    from igakulm.training.world import joined

    with joined() as world:
        folders = Runner(load(recipe_path, overrides), for_this_output()).run(target, wait=wait)
        if not world.leads:
            raise typer.Exit
    return folders


def print_json(value: object) -> None:
    """Print a value as indented JSON."""
    print(json.dumps(value, ensure_ascii=False, indent=1))


def run_stage(recipe: Path, overrides: list[str] | None, target: str, wait: bool, as_json: bool = False) -> None:
    """Run a recipe up to a stage and print what it found."""
    from igakulm.manifest import read_manifest

    folder = run_recipe(recipe, overrides, target, wait)[target]
    manifest = read_manifest(folder)
    if as_json:
        print_json({"folder": str(folder), **(manifest.summary if manifest else {})})
        return
    print(f"\n{target}: {folder}")
    for key, value in (manifest.summary if manifest else {}).items():
        if isinstance(value, int | float | str):
            print(f"  {key}: {value:,}" if isinstance(value, int) else f"  {key}: {value}")
        elif isinstance(value, dict) and value and all(type(one) is int for one in value.values()):
            print(f"  {key}: {', '.join(f'{name} {count:,}' for name, count in value.items())}")


def dry_run_synth(recipe_path: Path, overrides: list[str] | None, wait: bool, as_json: bool) -> None:
    """Print what a recipe's synthetic text will cost; builds the lexicon for it if need be."""
    from igakulm.pipeline.run import run_folder
    from igakulm.progress import for_this_output
    from igakulm.synth.estimate import estimate, render_estimate
    from igakulm.synth.generate import ANSWERS, answers_path

    lexicon = run_recipe(recipe_path, overrides, "lexicon", wait)["lexicon"]
    recipe = load(recipe_path, overrides)
    answers = answers_path(recipe.synth, run_folder(recipe) / ANSWERS)
    found = estimate(recipe.synth, lexicon, answers, for_this_output())
    if as_json:
        print_json(found)
    else:
        print(render_estimate(found))


def stage_folder(recipe: Path, overrides: list[str] | None, stage: str) -> Path | None:
    """The folder of a stage, None if it is not done."""
    try:
        return finished_stage(recipe, overrides, stage)
    except InputError:
        return None


def finished_stage(recipe: Path, overrides: list[str] | None, stage: str) -> Path:
    """The folder of a stage that is done, else an error that says how to get there."""
    from igakulm.pipeline.run import Runner
    from igakulm.progress import SilentProgress

    rows = Runner(load(recipe, overrides), SilentProgress()).status()
    row = next(row for row in rows if row.stage == stage)
    if row.state != "done" or row.folder is None:
        why = f"stage {stage} is {row.state}: {row.why}"
        raise InputError(why, hint=f"run: igakulm {stage} --recipe {recipe}")
    return row.folder


def write_slurm(command: str, recipe: Path, overrides: list[str] | None, options: Any, out: Path | None) -> None:
    """Print a Slurm script for a training of a recipe, or write it to a file."""
    from igakulm.files import write_text
    from igakulm.training.slurm import slurm_script

    name = f"igakulm-{load(recipe, overrides).name}"
    script = slurm_script(
        command, recipe, overrides or [], options, name=name, python=sys.executable, folder=Path.cwd()
    )
    if out is None:
        print(script, end="")
        return
    write_text(out, script)
    print(f"{out}: submit it with  sbatch {out}")
