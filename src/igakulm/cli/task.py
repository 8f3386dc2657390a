"""Commands about a hospital's own task: `igakulm task …`. Parse, call, print."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from igakulm.cli.options import JsonOption, SetOption, print_json
from igakulm.errors import InputError

if TYPE_CHECKING:
    from igakulm.report.numbers import Language
    from igakulm.tasks.own.check import Check
    from igakulm.tasks.own.guess import Guess
    from igakulm.tasks.own.initial import Named

task_app = typer.Typer(help="Your own task: from a spreadsheet to a model that does it.", no_args_is_help=True)
LISTED = 20
"""Rows that are left out and printed; `--json` has all."""


@task_app.command("init")
def task_init(
    data: Annotated[Path, typer.Argument(help="Rows: .xlsx, .csv, .tsv, .jsonl, or a folder of .txt and .docx files.")],
    out: Annotated[Path, typer.Option(help="The task file to write.")] = Path("task.yaml"),
    yes: Annotated[bool, typer.Option("--yes", help="Take the guesses without asking.")] = False,
    text: Annotated[str | None, typer.Option(help="Column with the texts.")] = None,
    label: Annotated[list[str] | None, typer.Option(help="Column with labels. May be repeated.")] = None,
    entities: Annotated[
        list[str] | None, typer.Option(help="Column with strings that stand in the text. May be repeated.")
    ] = None,
    patient: Annotated[str | None, typer.Option(help="Column that names the patient.")] = None,
    id_: Annotated[str | None, typer.Option("--id", help="Column that names the row.")] = None,
    date: Annotated[str | None, typer.Option(help="Column with the date.")] = None,
    sheet: Annotated[str | None, typer.Option(help="Sheet of a workbook.")] = None,
    encoding: Annotated[str | None, typer.Option(help="Encoding of a text file; default: recognised.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a task file that is there.")] = False,
) -> None:
    """Look at the columns of your rows, guess what they hold, write a commented task.yaml. Nothing is learnt yet."""
    from igakulm.files import write_text
    from igakulm.tasks.own.initial import Named as NamedColumns
    from igakulm.tasks.own.initial import render_task_file, settled, task_file_of
    from igakulm.tasks.own.read import read_table

    if out.exists() and not force:
        raise InputError("there is a task file already", where=str(out), hint="add --force, or name another --out")
    table = read_table(data, sheet=sheet, encoding=encoding)
    named = NamedColumns(text, id_, patient, date, tuple(label or ()), tuple(entities or ()))
    guesses = settled(table, named)
    print(f"{table.source}: {len(table.rows):,} rows")
    for note in table.notes:
        print(f"  {note}")
    _show(guesses)
    while not yes and not typer.confirm("Is this right?", default=True):
        named = _asked()
        guesses = settled(table, named)
        _show(guesses)
    task_file = task_file_of(data, out, table, guesses)
    task_file = task_file.model_copy(update={"sheet": sheet, "encoding": encoding})
    write_text(out, render_task_file(task_file))
    tasks = ", ".join(f"{task.name} ({task.kind} from {task.column!r})" for task in task_file.tasks)
    print(f"\n{out}: {tasks}\nnext: igakulm task check {out}")


def _show(guesses: Sequence[Guess]) -> None:
    from rich.console import Console
    from rich.table import Table

    shown = Table("column", "holds", "why", "values")
    for guess in guesses:
        values = " | ".join(" ".join(example.split())[:30] for example in guess.examples)
        shown.add_row(guess.column, guess.role, guess.why, values)
    Console().print(shown)


def _asked() -> Named:
    from igakulm.tasks.own.initial import Named as NamedColumns

    def ask(what: str) -> str | None:
        return typer.prompt(f"column with {what} (empty: guess)", default="", show_default=False).strip() or None

    def several(what: str) -> tuple[str, ...]:
        return tuple(name.strip() for name in (ask(f"{what}, several with commas") or "").split(",") if name.strip())

    return NamedColumns(
        ask("the texts"),
        ask("the row's name"),
        ask("the patient"),
        ask("the date"),
        several("labels"),
        several("strings of the text"),
    )


@task_app.command("check")
def task_check(
    task_file: Annotated[Path, typer.Argument(help="The task file.")] = Path("task.yaml"),
    base: Annotated[Path | None, typer.Option(help="A model folder: count its tokens against its context.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Say which rows can be used and why others cannot, how labels are balanced, how long texts are. Learns nothing."""
    from igakulm.recipe.task_file import load_task_file
    from igakulm.tasks.own.check import check_rows

    loaded = load_task_file(task_file)
    counter, context = _token_counter(base) if base else (None, None)
    found = check_rows(loaded, count_tokens=counter, context=context, find_personal_data=_personal_data())
    if as_json:
        print_json(found)
    else:
        _print_check(found)


def _personal_data() -> Callable[[str], Counter[str]]:
    from igakulm.text.personal.finder import Finder

    finder = Finder()
    return lambda text: Counter(span.kind for span in finder.find(text))


def _token_counter(base: Path) -> tuple[Callable[[str], int], int | None]:
    from igakulm.files import read_json
    from igakulm.tokenizer.open import load_encoder

    encoder = load_encoder(base)
    config = read_json(base / "config.json")
    length = config.get("max_position_embeddings") if isinstance(config, dict) else None
    return lambda text: len(encoder.encode(text)), length if isinstance(length, int) else None


def _print_check(found: Check) -> None:
    print(f"{found['rows']:,} rows, {found['usable']:,} usable, {found['patients']:,} patients")
    lengths = found["characters"]
    print(f"characters: {lengths['shortest']:,} to {lengths['longest']:,}, median {lengths['median']:,}")
    if found["tokens"] is not None:
        lengths, beyond = found["tokens"], found["beyond_context"] or []
        print(
            f"tokens: {lengths['shortest']:,} to {lengths['longest']:,}; longer than the context: {len(beyond):,} rows"
        )
    for task, counts in found["classes"].items():
        listed = ", ".join(f"{label} {count:,}" for label, count in counts.items())
        print(f"{task}: {found['usable_by_task'][task]:,} rows; {listed}")
    for kind, count in found["personal_data"].items():
        print(f"personal data: {kind} {count:,}")
    decided = found["decisions"]
    if decided["people"]:
        by_outcome = ", ".join(f"{decided[key]:,} {key}" for key in ("accepted", "corrected", "skipped", "disputed"))
        gone = f"{decided['no_row']:,} on texts that no row has"
        print(f"decisions by {', '.join(decided['people'])}: {by_outcome}; {gone}")
    if decided["unreadable"]:
        lines = ", ".join(map(str, decided["unreadable"]))
        print(f"warning: lines of the file of decisions that a stop cut off, or that are damaged: {lines}")
    for line in (*found["notes"], *(f"warning: {one}" for one in found["warnings"])):
        print(line)
    if found["left_out"]:
        print(f"left out ({len(found['left_out']):,}; --json lists all):")
    for one in found["left_out"][:LISTED]:
        task = f", {one['task']}" if one["task"] else ""
        print(f"  {one['file']}, row {one['row']}{task}: {one['reason']}")


@task_app.command("train")
def task_train(
    task_file: Annotated[Path, typer.Argument(help="The task file.")] = Path("task.yaml"),
    base: Annotated[
        Path | None,
        typer.Option(help="Model to begin from: Hugging Face folder, bundle or GGUF file; default IGAKULM_BASE."),
    ] = None,
    rows: Annotated[
        int | None, typer.Option(min=1, help="Tune on so many rows only, for the learning curve of `task evaluate`.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Store the rows, say what tuning takes (memory, hours), tune nothing.")
    ] = False,
    set_: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tune a base on your rows, test it beside methods without a language model, export it to runs/NAME/latest/export.

    Goes on where it was when it is called again after a stop.
    """
    from igakulm.pipeline.own_task import train_own_task
    from igakulm.progress import for_this_output
    from igakulm.recipe.task_file import load_task_file
    from igakulm.report.own_task import results_of
    from igakulm.tasks.own.items import titles_of

    loaded = load_task_file(task_file)
    run = train_own_task(loaded, base, set_ or [], for_this_output(), rows=rows, dry_run=dry_run)
    if dry_run:
        return
    results = results_of(run.stages["evaluate"], titles_of(loaded), run.stored["patients"]["test"])
    bundle = run.folder / "latest" / "export"
    if as_json:
        print_json({"bundle": str(bundle), "rows": run.stored["rows"], "results": results})
        return
    print()
    for result in results:
        print(result["sentence"])
    print(f"\n{bundle}: serve it with  igakulm serve {bundle}")
    print(f"new records: igakulm task apply {task_file} --bundle {bundle} NEW.xlsx --out RESULT.xlsx")


@task_app.command("evaluate")
def task_evaluate(
    task_file: Annotated[Path, typer.Argument(help="The task file.")] = Path("task.yaml"),
    model: Annotated[
        list[Path] | None, typer.Option(help="A bundle, model folder or GGUF file. May be repeated.")
    ] = None,
    endpoint: Annotated[str | None, typer.Option(help="An OpenAI-compatible server, with --name.")] = None,
    name: Annotated[str | None, typer.Option(help="The model's name at the server.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of results; default runs/NAME/evaluation.")] = None,
    language: Annotated[str, typer.Option(help="Of the sentences: ja or en.")] = "ja",
    as_json: JsonOption = False,
) -> None:
    """Score models on the test rows of a task file, beside methods without a language model.

    Also: what more rows would bring (learning-curve.json), and the wrong answers in the order in which they should be
    looked at (errors.xlsx).
    """
    from igakulm.evaluation.learning_curve import read_curves
    from igakulm.evaluation.target import Target
    from igakulm.pipeline.own_task import errors_file, evaluate_own_task
    from igakulm.progress import for_this_output
    from igakulm.recipe.task_file import load_task_file
    from igakulm.report.learning_curve import curve_sentences
    from igakulm.report.own_task import results_of
    from igakulm.tasks.own.items import titles_of

    loaded = load_task_file(task_file)
    targets = [Target(model=path) for path in model or ()]
    if endpoint is not None:
        targets.append(Target(endpoint=endpoint, name=name))
    folder = out or Path("runs") / loaded.name / "evaluation"
    stored = evaluate_own_task(loaded, targets, folder, for_this_output())
    spoken: Language = "en" if language == "en" else "ja"
    results = {
        label: results_of(folder, titles_of(loaded), stored["patients"]["test"], spoken, label)
        for label in (target.label() for target in targets)
    }
    if as_json:
        curves = read_curves(folder)
        print_json({"folder": str(folder), "rows": stored["rows"], "patients": stored["patients"], "models": results,
                    "learning_curve": curves})  # fmt: skip
        return
    for label, rows in results.items():
        print(label)
        for row in rows:
            print(f"  {row['sentence']}")
    for line in curve_sentences(folder, titles_of(loaded), spoken):
        print(line)
    print(f"{folder / 'report.html'}: per class and kind, calibration, learning curve")
    print(f"{errors_file(folder)}: wrong answers, those first that should be looked at first")


@task_app.command("apply")
def task_apply(
    task_file: Annotated[Path, typer.Argument(help="The task file.")],
    source: Annotated[Path, typer.Argument(metavar="IN", help="New rows: .xlsx, .csv, .tsv, .jsonl, or a folder.")],
    out: Annotated[Path, typer.Option(help="Result: .xlsx, .csv, .tsv or .jsonl.")],
    bundle: Annotated[Path | None, typer.Option(help="The bundle that `task train` made.")] = None,
    baseline: Annotated[
        str | None, typer.Option(help="Instead of a bundle: a method without a language model, e.g. ngram, dictionary.")
    ] = None,
    at_once: Annotated[int, typer.Option(min=1, help="Rows asked at once; more are faster, and ties may differ.")] = 1,
    engine: Annotated[str, typer.Option(help="auto, llamacpp or transformers.")] = "auto",
    as_json: JsonOption = False,
) -> None:
    """Ask all tasks about every row of a file; its own columns stay, the answers stand beside them.

    Called again after a stop it goes on where it was, and writes the same bytes.
    """
    from contextlib import closing

    from igakulm.inference.open import open_model
    from igakulm.progress import for_this_output
    from igakulm.recipe.task_file import load_task_file
    from igakulm.serving.batch_apply import apply_tasks

    loaded = load_task_file(task_file)
    if (bundle is None) == (baseline is None):
        raise InputError("give either a bundle or a baseline", hint="--bundle BUNDLE, or --baseline NAME")
    if baseline is not None:
        from igakulm.serving.batch_baseline import apply_baseline

        counts = apply_baseline(loaded, baseline, Path("runs") / loaded.name / "rows", source, out)
        print_json(counts) if as_json else print(f"{out}: {counts['rows']:,} rows, {counts['tasks']} tasks")
        return
    assert bundle is not None
    with closing(open_model(bundle, engine)) as model:
        found = apply_tasks(loaded, model, source, out, for_this_output(), at_once=at_once)
    if as_json:
        print_json(found)
    else:
        print(f"{out}: {found['rows']:,} rows, {found['noted']:,} with a note, {found['resumed']:,} done before")


@task_app.command("review")
def task_review(
    task_file: Annotated[Path, typer.Argument(help="The task file.")],
    bundle: Annotated[Path, typer.Option(help="The bundle whose answers are proposed.")],
    port: Annotated[int, typer.Option(help="Port; 0 = any free one.")] = 8766,
    by: Annotated[str | None, typer.Option(help="Who decides; default: the name of the account.")] = None,
    engine: Annotated[str, typer.Option(help="auto, llamacpp or transformers.")] = "auto",
) -> None:
    """Open a page on this machine: the model proposes, a person accepts or corrects; `task train` takes the decisions.

    Each decision is on the disk, in TASKFILE.decisions.jsonl, before the next row is shown.
    """
    import getpass

    from igakulm.progress import for_this_output
    from igakulm.recipe.task_file import load_task_file
    from igakulm.serving.review_routes import serve_review

    loaded = load_task_file(task_file)
    serve_review(loaded, bundle, by or getpass.getuser(), for_this_output(), port=port, engine=engine)


Form = Annotated[str, typer.Option("--form", help="label-studio, doccano or brat.")]
Counted = Annotated[
    str | None, typer.Option("--units", help="How doccano counts: utf-16 (default) or graphemes, as its project says.")
]


@task_app.command("export")
def task_export(
    task_file: Annotated[Path, typer.Argument(help="The task file.")],
    form: Form,
    out: Annotated[Path, typer.Option(help="Folder for the files; a new or an empty one.")],
    units: Counted = None,
) -> None:
    """Write the rows, with the answers that hold now, for another annotation program."""
    from igakulm.recipe.task_file import load_task_file
    from igakulm.serving.exchange.forms import export_rows

    count, paths, left = export_rows(load_task_file(task_file), form, out, units)
    print(f"{count:,} texts: {', '.join(map(str, paths))}")
    if left:
        print(f"{form} does not show these tasks: {', '.join(left)}")


@task_app.command("import")
def task_import(
    task_file: Annotated[Path, typer.Argument(help="The task file.")],
    source: Annotated[
        Path, typer.Argument(help="Export of Label Studio or doccano, or the folder that brat works on.")
    ],
    form: Form,
    by: Annotated[
        str | None, typer.Option(help="Who marked, where the file does not say; default: your account.")
    ] = None,
    units: Counted = None,
    empty_counts: Annotated[
        bool, typer.Option("--empty-counts", help="doccano, brat: a text without a mark was looked at and has none.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Take what people marked in another annotation program as decisions, like those of `task review`."""
    import getpass
    from dataclasses import asdict

    from igakulm.recipe.task_file import load_task_file
    from igakulm.serving.exchange.forms import import_marks

    taken = import_marks(
        load_task_file(task_file), form, source, by or getpass.getuser(), units, empty_counts=empty_counts
    )
    if as_json:
        print_json(asdict(taken))
        return
    print(f"{taken.decisions:,} decisions taken, {taken.known:,} known before, {len(taken.not_taken):,} not taken")
    for one in taken.not_taken[:LISTED]:
        print(f"  {one.where}: {one.reason}")
    if len(taken.not_taken) > LISTED:
        print(f"  and {len(taken.not_taken) - LISTED:,} more; --json lists all")


@task_app.command("agreement")
def task_agreement(
    task_file: Annotated[Path, typer.Argument(help="The task file.")] = Path("task.yaml"),
    as_json: JsonOption = False,
) -> None:
    """Say how far people who reviewed the same rows agree: Cohen's kappa of labels, F1 of strings, 95 % intervals."""
    from igakulm.evaluation.agreement import agreements
    from igakulm.recipe.task_file import load_task_file

    found = agreements(load_task_file(task_file))
    if as_json:
        print_json({"agreement": found})
        return
    if not found:
        print("no row was decided by two people")
    for one in found:
        scores = ", ".join(f"{score['metric']} {score['value']:.3f} ({score['low']:.3f} to {score['high']:.3f})"
                           for score in one["scores"])  # fmt: skip
        print(f"{one['title']}: {' and '.join(one['people'])}, {one['n']:,} rows, {one['same']:,} equal; {scores}")
