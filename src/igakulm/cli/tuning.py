"""The command `finetune`: a recipe's stage, or a base and rows alone.

Does: parse, write the recipe that a base and rows mean, call, print. Every import of a stage is inside a function.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from igakulm.cli.options import SetOption, WaitOption, run_stage
from igakulm.errors import InputError


def finetune(
    recipe: Annotated[Path | None, typer.Option("--recipe", "-r", help="The recipe (YAML) that describes it.")] = None,
    base: Annotated[
        Path | None, typer.Option(help="Without a recipe: a Hugging Face folder, a bundle or a GGUF file to tune.")
    ] = None,
    rows: Annotated[
        list[str] | None,
        typer.Option(help="With --base: `KIND=FILE`, e.g. `classification=rows.jsonl`. May be repeated."),
    ] = None,
    chats: Annotated[list[Path] | None, typer.Option(help="With --base: conversations (JSON Lines).")] = None,
    name: Annotated[str, typer.Option(help="With --base: the run stands in runs/NAME.")] = "tuning",
    set_: SetOption = None,
    wait: WaitOption = False,
) -> None:
    """Stage: tune the base model on the training rows, loss on the answers only."""
    if (recipe is None) == (base is None):
        raise InputError("give either a recipe or a base", hint="--recipe FILE, or --base DIR --rows KIND=FILE")
    path = recipe if recipe is not None else _written(Path(str(base)), rows or (), chats or (), name)
    run_stage(path, set_, "finetune", wait)


def _written(base: Path, rows: list[str] | tuple[str, ...], chats: list[Path] | tuple[Path, ...], name: str) -> Path:
    """The recipe of a base and rows, written into the run's folder so that it can be changed and given again."""
    import yaml

    from igakulm.files import write_text

    if not rows and not chats:
        raise InputError("there is nothing to tune on", where="--base", hint="give --rows KIND=FILE or --chats FILE")
    tasks = []
    for number, given in enumerate(rows):
        kind, separator, file = given.partition("=")
        if not separator:
            raise InputError(f"--rows wants KIND=FILE, got {given!r}", hint="e.g. --rows classification=rows.jsonl")
        task = Path(file).stem if number == 0 else f"{Path(file).stem}-{number}"
        tasks.append({"name": task, "kind": kind, "train": str(Path(file).resolve())})
    values = {
        "name": name,
        "model": {"from_folder": str(base.resolve())},
        "pretrain": {"steps": 0},
        "finetune": {
            "epochs": 3,
            "global_batch": 16,
            "micro_batch": 1,
            "learning_rate": 5.0e-5,
            "warmup_steps": 10,
            "neftune_alpha": 0.0,
            "dropout": 0.0,
            "loss": "row",
            "chats": [{"path": str(path.resolve())} for path in chats],
        },
        "benchmarks": {"rows": tasks},
    }
    path = Path("runs") / name / "recipe.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    head = "# Written by `igakulm finetune --base`. Give it with --recipe to go on with other keys.\n"
    write_text(path, head + yaml.safe_dump(values, allow_unicode=True, sort_keys=False))
    print(f"the recipe of this tuning: {path}")
    return path
