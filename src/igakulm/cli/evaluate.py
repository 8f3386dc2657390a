"""The commands `igakulm evaluate …` and `igakulm scoreboard`: parse, call, print. No logic lives here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from igakulm.cli.asking import Asking, with_asking
from igakulm.cli.options import (
    QUICKSTART,
    JsonOption,
    LanguageOption,
    RecipeOption,
    SetOption,
    WaitOption,
    print_json,
    run_recipe,
)
from igakulm.errors import InputError

if TYPE_CHECKING:
    from igakulm.recipe.schema import RowTask

evaluate_app = typer.Typer(
    help="Stage: score the models of a recipe. `jmed`, `igakuqa` and `exam` score any model or finished answers.",
    rich_markup_mode="markdown",
)
SplitOption = Annotated[
    str, typer.Option(help="published, document-disjoint, or fold-1-of-5: the split whose training rows the model saw.")
]
JmedData = Annotated[Path, typer.Option(help="JMED-LLM's folder: eight CSV files, and `all/` beside them.")]
TaskOption = Annotated[list[str] | None, typer.Option(help="Only this task; may be repeated.")]


@evaluate_app.callback(invoke_without_command=True)
def evaluate(
    context: typer.Context, recipe: RecipeOption = QUICKSTART, set_: SetOption = None, wait: WaitOption = False
) -> None:
    """Stage: scores with 95 % intervals, beside baselines and published rows."""
    if context.invoked_subcommand is None:
        _print_scoreboard(run_recipe(recipe, set_, "evaluate", wait)["evaluate"])


@evaluate_app.command()
@with_asking
def jmed(
    data: JmedData,
    asking: Asking,
    predictions: Annotated[
        Path | None, typer.Option(help='Finished answers instead of a model: lines {"task", "row", "text"}.')
    ] = None,
    task: TaskOption = None,
    split: SplitOption = "published",
) -> None:
    """Score a model, an endpoint or finished answers on the eight tasks of JMED-LLM."""
    from igakulm.recipe.schema import BenchmarksSection, Jmed

    tasks = tuple(task or ())
    if predictions is not None:
        _without_model(asking)
        if split.startswith("fold-"):
            what = "finished answers are answers to the published test rows"
            raise InputError(what, where=f"--split {split}", hint="leave --split out")
        if asking.out is None:
            from igakulm.evaluation.predictions import score_jmed_predictions

            chance = {"samples": asking.options.samples, "seed": asking.options.seed}
            print_json(score_jmed_predictions(data, predictions, tasks=tasks, **chance))
            return
        from igakulm.evaluation.recorded import recorded_jmed

        recorded, tasks = recorded_jmed(data, predictions, tasks, predictions.stem)
        asking = replace(asking, target=replace(asking.target, recorded=recorded))
    asking = replace(asking, options=replace(asking.options, split=split))
    board, label = _score(BenchmarksSection(jmed=Jmed(path=str(data), tasks=tasks)), "jmed", asking)
    if asking.as_json:
        from igakulm.evaluation.results import task_results

        print_json(task_results(board, label))


@evaluate_app.command()
@with_asking
def igakuqa(
    data: Annotated[Path, typer.Option(help="IgakuQA's `data` folder, or the folder that holds it.")],
    asking: Asking,
    predictions: Annotated[
        Path | None, typer.Option(help="Finished answers instead of a model: a folder with YEAR/PART_SYSTEM.jsonl.")
    ] = None,
    system: Annotated[str | None, typer.Option(help="The SYSTEM in the names of those files, e.g. gpt4.")] = None,
    year: Annotated[list[int] | None, typer.Option(help="Only this year; may be repeated.")] = None,
    part: Annotated[list[str] | None, typer.Option(help="Only this part, A to F; may be repeated.")] = None,
    images: Annotated[
        bool, typer.Option("--all/--text-only", help="All questions, or only those without an image.")
    ] = False,
) -> None:
    """Score a model, an endpoint or finished answers on the medical licensing examinations of 2018-2022."""
    from igakulm.recipe.schema import BenchmarksSection, Igakuqa

    if predictions is not None:
        _without_model(asking)
        if not system:
            raise InputError("whose answers are meant?", where="--system", hint="e.g. --system gpt4")
        if asking.out is None and (year or part):
            raise InputError(
                "the published figures are of all years and parts", where="--year, --part", hint="add --out"
            )
        if asking.out is None:
            from igakulm.evaluation.igakuqa_predictions import score_predictions

            _print_points(score_predictions(data, predictions, system), asking.as_json)
            return
    parts: Any = tuple(letter.upper() for letter in part or ())
    if wrong := set(parts) - set("ABCDEF"):
        raise InputError(f"there is no part {min(wrong)!r}", where="--part", hint="parts are A to F")
    chosen = Igakuqa(path=str(data), years=tuple(year or ()), parts=parts, text_only=not images)
    if predictions is not None and system:
        from igakulm.evaluation.recorded import recorded_igakuqa

        asking = replace(asking, target=replace(asking.target, recorded=recorded_igakuqa(chosen, predictions, system)))
    board, label = _score(BenchmarksSection(igakuqa=chosen), "igakuqa", asking)
    if asking.as_json:
        from igakulm.evaluation.results import igakuqa_results

        print_json(igakuqa_results(board, label))


def _print_points(result: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(result)
        return
    for year, entry in result["years"].items():
        passed = {True: ", passed", False: ", not passed", None: ""}[entry["passing"]["passed"]]
        print(f"{year}: {entry['points']}/{entry['total']}{passed}")
    print(f"mean of the yearly score shares: {result['score_share_mean']:.2f} %")


@evaluate_app.command()
@with_asking
def exam(
    data: Annotated[
        Path,
        typer.Option(
            help="JSON Lines: id, question, choices, answer (list of letters); optional: text_only, points, exam, year."
        ),
    ],
    asking: Asking,
    predictions: Annotated[
        Path | None, typer.Option(help='Finished answers instead of a model: lines {"id", "text"}.')
    ] = None,
) -> None:
    """Score a model, an endpoint or finished answers on any multiple-choice examination."""
    from igakulm.pipeline.evaluate_session import row_task
    from igakulm.recipe.schema import BenchmarksSection

    task = row_task(data, "exam")
    if predictions is not None:
        _without_model(asking)
        if asking.out is None:
            print_json({"exam": data.stem, **_finished_scores(task, predictions, asking)})
            return
        asking = _with_finished(task, predictions, asking)
    board, label = _score(BenchmarksSection(rows=(task,)), task.name, asking)
    if asking.as_json:
        from igakulm.evaluation.results import task_results

        print_json({"exam": task.name, **task_results(board, label)[task.name]})


@evaluate_app.command()
@with_asking
def task(
    data: Annotated[Path, typer.Option(help="JSON Lines; docs/evaluate.md gives the fields of each kind.")],
    kind: Annotated[
        Literal["classification", "extraction", "similarity", "exam", "free-text"], typer.Option(help="What rows ask.")
    ],
    asking: Asking,
    predictions: Annotated[
        Path | None, typer.Option(help='Finished answers instead of a model: lines {"id", "text"}.')
    ] = None,
    train: Annotated[Path | None, typer.Option(help="Training rows of the same form, for the baselines.")] = None,
    by: Annotated[
        list[str] | None, typer.Option(help="A further field of the rows (ward, year): scores apart; may be repeated.")
    ] = None,
) -> None:
    """Score models, an endpoint or finished answers on any task file: asked and scored like a benchmark."""
    from igakulm.pipeline.evaluate_session import row_task
    from igakulm.recipe.schema import BenchmarksSection

    own = row_task(data, kind, train, tuple(by or ()))
    if predictions is not None:
        _without_model(asking)
        if asking.out is None:
            print_json({"task": own.name, "kind": kind, **_finished_scores(own, predictions, asking)})
            return
        asking = _with_finished(own, predictions, asking)
    board, label = _score(BenchmarksSection(rows=(own,)), own.name, asking)
    if asking.as_json:
        from igakulm.evaluation.results import task_results

        labels = [label, *(one.label() for one in asking.more)]
        found = {name: task_results(board, name)[own.name] for name in labels}
        print_json({"task": own.name, "kind": kind, **found[label], "models": found})


@evaluate_app.command()
def table(
    folder: Annotated[Path, typer.Argument(help="An evaluation's folder, or a merged scoreboard's.")],
    out: Annotated[Path, typer.Option(help="The file that is written: NAME.csv, NAME.xlsx or NAME.tex.")],
) -> None:
    """Write all figures of a scoreboard as CSV, Excel or LaTeX."""
    from igakulm.evaluation.tables import write_table

    print(f"{write_table(folder, out):,} figures: {out}")


@evaluate_app.command()
def judge(
    items: Annotated[Path, typer.Option(help="A file items/MODEL/TASK….jsonl of a free-text evaluation.")],
    endpoint: Annotated[str, typer.Option(help="The judge: an OpenAI-compatible server.")],
    name: Annotated[str, typer.Option(help="The judge's model, as the server calls it.")],
    out: Annotated[Path, typer.Option(help="Folder that is written: judged.jsonl, judge.json.")],
    rubric: Annotated[Path | None, typer.Option(help="A text file: what each score from 5 to 1 means.")] = None,
    human: Annotated[Path | None, typer.Option(help='People\'s scores, for agreement: lines {"id", "score"}.')] = None,
    concurrency: Annotated[int, typer.Option(help="Requests in flight.", min=1)] = 8,
) -> None:
    """Have a language model score free answers against their references, in both orders, and print JSON."""
    from igakulm.evaluation.judge import RUBRIC, judge_file
    from igakulm.files import explain_os_error

    try:
        words = rubric.read_text(encoding="utf-8") if rubric else RUBRIC
    except OSError as error:
        raise explain_os_error(error, rubric or out) from error
    print_json(judge_file(items, endpoint, name, out, rubric=words, human=human, concurrency=concurrency))


@evaluate_app.command()
@with_asking
def benchmark(
    asking: Asking,
    which: Annotated[str | None, typer.Argument(help="Its name; without one the known ones are listed.")] = None,
    data: Annotated[Path | None, typer.Option(help="Your copy of it, as it is published.")] = None,
    predictions: Annotated[
        Path | None, typer.Option(help='Finished answers instead of a model: lines {"id", "text"}.')
    ] = None,
    task: TaskOption = None,
    year: Annotated[list[int] | None, typer.Option(help="Only this year; may be repeated.")] = None,
    part: Annotated[list[str] | None, typer.Option(help="Only this paper (A to F); may be repeated.")] = None,
) -> None:
    """Score models, an endpoint or finished answers on any known published benchmark; without a name list them."""
    from igakulm.recipe.schema import BenchmarkSet, BenchmarksSection
    from igakulm.tasks.benchmarks.registry import benchmark_named, benchmarks

    if which is None:
        for known in benchmarks().values():
            licences = ", ".join(dict.fromkeys(known.licences.values()))
            print(f"{known.name:12s} {known.title}: {known.source} ({licences})")
        return
    benchmark_named(which, "evaluate benchmark")
    if data is None:
        raise InputError("your copy of the benchmark is not named", where="--data", hint="nothing is downloaded")
    parts = tuple(letter.upper() for letter in part or ())
    one = BenchmarkSet(name=which, path=str(data), tasks=tuple(task or ()), years=tuple(year or ()), parts=parts)
    if predictions is not None:
        _without_model(asking)
        if asking.out is None:
            from igakulm.evaluation.predictions import score_benchmark_predictions

            how = {"samples": asking.options.samples, "seed": asking.options.seed}
            print_json(score_benchmark_predictions(one, predictions, strict=asking.options.strict, **how))
            return
        from igakulm.evaluation.recorded import recorded_benchmark

        recorded, tasks = recorded_benchmark(one, predictions, predictions.stem, strict=asking.options.strict)
        one = one.model_copy(update={"tasks": tasks})
        asking = replace(asking, target=replace(asking.target, recorded=recorded))
    board, label = _score(BenchmarksSection(sets=(one,)), which, asking)
    if asking.as_json:
        from igakulm.evaluation.results import task_results

        print_json(task_results(board, label))


def _finished_scores(own: RowTask, predictions: Path, asking: Asking) -> dict[str, object]:
    from igakulm.evaluation.predictions import score_row_predictions

    options = asking.options
    return score_row_predictions(own, predictions, strict=options.strict, samples=options.samples, seed=options.seed)


def _with_finished(own: RowTask, predictions: Path, asking: Asking) -> Asking:
    """The same with finished answers in the place of a model."""
    from igakulm.evaluation.recorded import recorded_rows

    recorded = recorded_rows(own, predictions, predictions.stem, strict=asking.options.strict)
    return replace(asking, target=replace(asking.target, recorded=recorded))


def _without_model(asking: Asking) -> None:
    if asking.target.model or asking.target.endpoint:
        raise InputError(
            "finished answers need no model", hint="give --predictions, --model or --endpoint, one of them"
        )


def _score(benchmarks: Any, benchmark: str, asking: Asking) -> tuple[dict[str, object], str]:
    """Run the evaluation; without --json say where the results are and print the scoreboard."""
    from igakulm.pipeline.evaluate_session import default_folder, evaluate_model
    from igakulm.progress import for_this_output

    label = asking.target.label()
    out = asking.out or default_folder(benchmark, label)
    board = evaluate_model(
        benchmarks, asking.target, asking.options, out, for_this_output(), asking.language, asking.more
    )
    if not asking.as_json:
        _print_scoreboard(out)
        print(f"Report: {out / 'report.html'}")
    return board, label


def _print_scoreboard(folder: Path) -> None:
    from igakulm.evaluation.scoreboard import read_scoreboard
    from igakulm.report.markdown import render_markdown

    print(render_markdown(read_scoreboard(folder)))


@evaluate_app.command()
def rows(
    data: JmedData,
    out: Annotated[Path, typer.Option(help="Folder that is written: train/TASK.jsonl, test/TASK.jsonl, summary.json.")],
    split: SplitOption = "published",
    task: TaskOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the training and test rows of a split as chat messages, for any trainer."""
    from igakulm.recipe.schema import BenchmarksSection, Jmed
    from igakulm.tasks.training_rows import write_training_rows

    section = BenchmarksSection(jmed=Jmed(path=str(data), tasks=tuple(task or ())))
    summary = write_training_rows(section, split, out)
    if as_json:
        print_json(summary)
        return
    for name, entry in summary["tasks"].items():
        print(f"{name:15s} {entry['train']:6,} training rows, {entry['test']:5,} test rows")
    for line in summary.get("unreadable", ()):
        print(line)


@evaluate_app.command()
def leakage(
    data: JmedData,
    train: Annotated[Path, typer.Option(help="The training set: JSON Lines.")],
    field: Annotated[str | None, typer.Option(help="The text's field, where the form is not a common one.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Say which test items share a document or a sentence with a training set."""
    from igakulm.evaluation.leakage import check_training_file
    from igakulm.recipe.schema import BenchmarksSection, Jmed
    from igakulm.tasks.load import load_test_items

    result = check_training_file(load_test_items(BenchmarksSection(jmed=Jmed(path=str(data)))), train, field)
    if as_json:
        print_json(result)
        return
    for name, entry in result["tasks"].items():
        print(
            f"{name:15s} of {entry['test']:5,} test items {entry['document_shared']:5,} share a document, "
            f"{entry['sentence_shared']:5,} a sentence"
        )


def scoreboard(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, evaluation folders or scoreboard.json files.")],
    out: Annotated[Path, typer.Option(help="Folder for the merged scoreboard and its report.")] = Path("scoreboard"),
    language: LanguageOption = "ja",
    as_json: JsonOption = False,
) -> None:
    """Merge evaluations into one scoreboard and report, with paired comparisons between their models."""
    from igakulm.pipeline.merge import write_merged

    board = write_merged(runs, out, language=language)
    if as_json:
        print_json(board)
        return
    _print_scoreboard(out)
    print(f"Report: {out / 'report.html'}")
