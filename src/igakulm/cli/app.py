"""The command line: parse, call, print. No logic lives here.

Every import of a stage is inside a command, so that `igakulm --help` answers at once.
"""

from __future__ import annotations

import errno
import io
import os
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from igakulm.cli.batch import ask, extract
from igakulm.cli.bundle import export, pack_offline, sbom, verify
from igakulm.cli.corpus import corpus_app
from igakulm.cli.evaluate import evaluate_app, scoreboard
from igakulm.cli.lexicon import lexicon_app
from igakulm.cli.options import (
    QUICKSTART,
    JsonOption,
    Language,
    RecipeOption,
    SetOption,
    WaitOption,
    dry_run_synth,
    load,
    print_json,
    run_recipe,
    run_stage,
    write_slurm,
)
from igakulm.cli.personal_data import audit_memory, deidentify
from igakulm.cli.serving import audit, chat, demo, key, serve
from igakulm.cli.stopped import tell_if_stopped
from igakulm.cli.task import task_app
from igakulm.cli.tokenizer import tokenizer_app
from igakulm.cli.tuning import finetune
from igakulm.errors import InputError
from igakulm.files import explain_os_error
from igakulm.version import __version__

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Build, evaluate and run a small Japanese medical language model, offline.\n\n"
    "Start with `igakulm init DIR`, in it `igakulm run recipes/quickstart.yaml`, then `igakulm chat`.",
)


@app.callback()
def _main(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.", is_eager=True)] = False,
) -> None:
    if version:
        print(__version__)
        raise typer.Exit
    context.call_on_close(tell_if_stopped)


@app.command()
def init(folder: Annotated[Path, typer.Argument(help="The folder to work in; it is made if need be.")]) -> None:
    """Write the recipes, the sample data and a short README to a folder, to work in it without the repository."""
    from igakulm.pipeline.new_project import init_project

    new = init_project(folder)
    print(f"{folder}: {len(new)} files written\nnext: cd {folder} && igakulm doctor")


@app.command()
def run(
    recipe: Annotated[Path, typer.Argument(help="The recipe, e.g. recipes/quickstart.yaml.")],
    set_: SetOption = None,
    until: Annotated[str, typer.Option(help="The last stage to run.")] = "report",
    wait: WaitOption = False,
) -> None:
    """Run every stage of a recipe; finished stages are not run again, a killed run continues."""
    from igakulm.errors import did_you_mean
    from igakulm.pipeline.stages import STAGES

    names = [stage.name for stage in STAGES]
    if until not in names:
        near = did_you_mean(until, names)
        raise InputError(f"there is no stage {until!r}", hint=f"did you mean {near!r}?" if near else ", ".join(names))
    folders = run_recipe(recipe, set_, until, wait)
    if until == "report":
        report = folders["report"].parent / "latest" / "report" / "report.html"
        bundle = folders["report"].parent / "latest" / "export"
        print(f"\nReport: {report}\nPage:   igakulm serve {bundle}\nTry it: igakulm demo {bundle}")


@app.command()
def status(
    recipe: Annotated[Path, typer.Argument(help="The recipe.")] = QUICKSTART,
    set_: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show which stages are done, stale (and why), interrupted or missing."""
    from igakulm.pipeline.run import Runner
    from igakulm.progress import SilentProgress

    rows = Runner(load(recipe, set_), SilentProgress()).status()
    if as_json:
        print_json(
            [{"stage": row.stage, "state": row.state, "why": row.why, "folder": str(row.folder)} for row in rows]
        )
        return
    for row in rows:
        took = f"{row.seconds:.0f} s, {row.folder}" if row.seconds is not None else row.why
        print(f"{row.stage:10s} {row.state:8s} {took}")


@app.command()
def doctor(recipe: RecipeOption = QUICKSTART, as_json: JsonOption = False) -> None:
    """Check Python, cores, memory, disk, GPU, optional parts and the recipe's data; say what to do about each."""
    from igakulm.pipeline.doctor import examine

    findings = examine(recipe)
    if as_json:
        print_json([finding.__dict__ for finding in findings])
    else:
        for finding in findings:
            print(f"{finding.state:5s} {finding.subject}: {finding.found}")
            if finding.advice:
                print(f"      {finding.advice}")
    if any(finding.state == "bad" for finding in findings):
        raise typer.Exit(1)


@app.command()
def plan(
    recipe: RecipeOption = QUICKSTART,
    set_: SetOption = None,
    gpu: Annotated[
        list[str] | None, typer.Option(help="GPUs to plan for, e.g. `H100:4`; the first is the reference. Repeatable.")
    ] = None,
    unique_tokens: Annotated[int | None, typer.Option(min=1, help="Tokens of the corpus, for the epochs.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Estimate parameters, tokens, memory, hours and electricity of a recipe before anything runs."""
    from igakulm.training.plan import plan as make_plan
    from igakulm.training.plan_text import render_plan

    estimate = make_plan(load(recipe, set_), unique_tokens=unique_tokens, gpus=gpu or ())
    if as_json:
        print_json(estimate)
    else:
        print(render_plan(estimate))


@app.command()
def synth(
    recipe: RecipeOption,
    set_: SetOption = None,
    wait: WaitOption = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print requests, tokens, hours and disk; ask nobody.")
    ] = False,
    limit: Annotated[int | None, typer.Option(min=0, help="A trial of at most so many texts and exam items.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Stage: textbook texts and exam items from the language models that the recipe names (`synth.writers`)."""
    if limit is not None:
        section = load(recipe, set_).synth
        counts = {"terms": min(section.terms, limit), "exams": min(section.exams, limit)}
        set_ = [*(set_ or []), *(f"synth.{name}={count}" for name, count in counts.items())]
    if dry_run:
        dry_run_synth(recipe, set_, wait, as_json)
    else:
        run_stage(recipe, set_, "synth", wait, as_json)


@app.command()
def pack(recipe: RecipeOption, set_: SetOption = None, wait: WaitOption = False) -> None:
    """Stage: documents to rows of token ids, ready for training."""
    run_stage(recipe, set_, "pack", wait)


@app.command()
def pretrain(
    recipe: RecipeOption,
    set_: SetOption = None,
    wait: WaitOption = False,
    slurm: Annotated[bool, typer.Option("--slurm", help="Write a Slurm script instead of training.")] = False,
    nodes: Annotated[int, typer.Option(help="With --slurm: how many nodes.")] = 1,
    gpus_per_node: Annotated[int, typer.Option(help="With --slurm: GPUs of a node, one process each.")] = 4,
    time: Annotated[str, typer.Option(help="With --slurm: limit; before it training saves and requeues.")] = "24:00:00",
    partition: Annotated[str | None, typer.Option(help="With --slurm.")] = None,
    account: Annotated[str | None, typer.Option(help="With --slurm.")] = None,
    sbatch: Annotated[list[str] | None, typer.Option(help="With --slurm: more options, e.g. `--qos=long`.")] = None,
    out: Annotated[Path | None, typer.Option(help="With --slurm: the file; without it the script is printed.")] = None,
) -> None:
    """Stage: train the base model; stop and resume at any time with the same command."""
    if not slurm:
        run_stage(recipe, set_, "pretrain", wait)
        return
    from igakulm.training.slurm import SlurmOptions

    options = SlurmOptions(nodes, gpus_per_node, time, partition, account, extra=tuple(sbatch or ()))
    write_slurm("pretrain", recipe, set_, options, out)


@app.command()
def report(
    recipe: RecipeOption,
    set_: SetOption = None,
    language: Annotated[
        Language | None, typer.Option(help="Another language than the recipe's report.language.")
    ] = None,
    wait: WaitOption = False,
) -> None:
    """Stage: the HTML report of the whole run."""
    run_stage(recipe, [*(set_ or ()), *([f"report.language={language}"] if language else ())], "report", wait)


app.add_typer(lexicon_app, name="lexicon")
app.add_typer(corpus_app, name="corpus")
app.add_typer(tokenizer_app, name="tokenizer")
app.add_typer(evaluate_app, name="evaluate")
app.add_typer(task_app, name="task")
app.command()(scoreboard)


app.command()(finetune)
app.command()(export)
app.command()(verify)
app.command(name="pack-offline")(pack_offline)
app.command()(sbom)
app.command()(serve)
app.command()(chat)
app.command()(demo)
app.command()(audit)
app.command()(key)
app.command()(ask)
app.command()(extract)
app.command()(deidentify)
app.command(name="audit-memory")(audit_memory)


def main() -> None:
    """Entry point: errors meant for people end with exit code 2 and no traceback."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    # Torch's threads wait for each other by spinning: beside another busy program that halves training's speed.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    # Rows of ever-changing length would fill oneDNN's cache of 1,024 kernels with gigabytes that are never reused.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "16")
    # A terminal of another encoding must not lose the result of an hour.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app()
    except InputError as error:
        print(f"igakulm: {error}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        print(f"igakulm: {explain_os_error(error, Path(error.filename or tempfile.gettempdir()))}", file=sys.stderr)
        sys.exit(2)
