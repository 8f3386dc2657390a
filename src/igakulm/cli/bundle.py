"""The commands that make, check and carry a bundle: export, verify, pack-offline, sbom.

Does: parse, call, print. Every import of a stage is inside a function, so that `igakulm --help` answers at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from igakulm.cli.options import JsonOption, SetOption, WaitOption, print_json, run_stage
from igakulm.errors import InputError


def export(
    recipe: Annotated[
        Path | None, typer.Option("--recipe", "-r", help="Run this recipe up to the export stage, instead of --model.")
    ] = None,
    set_: SetOption = None,
    wait: WaitOption = False,
    model: Annotated[
        Path | None, typer.Option(help="A training stage's folder, its model/, or a stock Hugging Face folder.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="With --model: the bundle; a new or empty folder.")] = None,
    gguf: Annotated[
        str, typer.Option(help="With --model: kinds, e.g. `q4_k_m,q8_0`; `none` for the Hugging Face folder only.")
    ] = "q8_0",
    as_: Annotated[
        str | None, typer.Option("--as", help="With --model: `llama` adds llama/, the same model for vLLM and others.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="With --model: the model's name; without it, that of --out.")] = None,
    corpus: Annotated[Path | None, typer.Option(help="With --model: folder with sources.json, for the card.")] = None,
    evaluation: Annotated[
        Path | None, typer.Option(help="With --model: folder with scoreboard.json, for the card.")
    ] = None,
    lm_eval: Annotated[
        bool,
        typer.Option("--lm-eval", help="Instead: task files for lm-evaluation-harness, from --evaluation into --out."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Stage: a bundle of the tuned model: Hugging Face folder, GGUF files with checks, model card, licences, hashes."""
    if lm_eval:
        _export_tasks(evaluation, out, name, as_json, {"--recipe": recipe, "--model": model, "--as": as_})
        return
    from_model = {"--out": out, "--as": as_, "--name": name, "--corpus": corpus, "--evaluation": evaluation}
    if model is None:
        given = [option for option, value in from_model.items() if value is not None]
        if recipe is None or given:
            what = f"{given[0]} needs --model" if given else "which model?"
            raise InputError(what, hint="give --model DIR --out BUNDLE, or --recipe FILE and `--set export.…`")
        run_stage(recipe, set_, "export", wait, as_json)
        return
    if recipe is not None or set_ or out is None:
        what = (
            "--model needs --out, the folder of the bundle" if out is None else "--model takes no --recipe and no --set"
        )
        raise InputError(what, hint="igakulm export --model DIR --out BUNDLE --gguf q4_k_m,q8_0")
    from igakulm.bundle.export import export_folder
    from igakulm.progress import for_this_output

    section = _export_section(gguf, as_, name or out.absolute().name)
    summary = export_folder(section, model, corpus, evaluation, out, for_this_output())
    if as_json:
        print_json(summary)
        return
    _print_export(out, summary)


def _export_tasks(
    evaluation: Path | None, out: Path | None, name: str | None, as_json: bool, others: dict[str, object]
) -> None:
    from dataclasses import asdict

    from igakulm.evaluation.lm_eval import write_lm_eval

    given = [option for option, value in others.items() if value is not None]
    if evaluation is None or out is None or given:
        what = f"--lm-eval takes no {given[0]}" if given else "--lm-eval needs an evaluation and a folder to write"
        raise InputError(what, hint="igakulm export --lm-eval --evaluation evaluations/… --out TASKS [--name MODEL]")
    exported = write_lm_eval(evaluation, out, name)
    if as_json:
        print_json({"out": str(out), "tasks": [asdict(one) for one in exported]})
        return
    for one in exported:
        more = f", {one.left_out} not exported" if one.left_out else ""
        print(f"{one.name}: {one.items} items{more}")
    print(f"How to run them: {out / 'README.md'}")


def _export_section(gguf: str, as_: str | None, name: str) -> Any:
    """The recipe's section that these options stand for."""
    from typing import get_args

    from igakulm.errors import did_you_mean
    from igakulm.recipe.schema import ExportSection, GgufName

    known = get_args(GgufName)
    kinds = [word.strip().lower() for word in gguf.split(",") if word.strip() and word.strip().lower() != "none"]
    for kind in kinds:
        if kind not in known:
            near = did_you_mean(kind, known)
            hint = f"did you mean {near!r}?" if near else f"known are {', '.join(known)}, none"
            raise InputError(f"there is no GGUF kind {kind!r}", where="--gguf", hint=hint)
    if as_ not in (None, "llama"):
        raise InputError(f"there is no form {as_!r}", where="--as", hint="the only one is `llama`")
    return ExportSection.model_validate({"gguf": kinds, "name": name, "as_llama": as_ == "llama"})


def _print_export(out: Path, summary: dict[str, Any]) -> None:
    from igakulm.bundle.answer_change import change_lines
    from igakulm.inference.bundle_file import AnswerChange

    print(f"{out}: {summary['files']} files, {summary['bytes'] / 1e6:,.1f} MB, {summary['parameters']:,} parameters")
    for file, entry in summary["gguf"].items():
        print(f"  {file}")
        runtime = entry["llamacpp"]
        if isinstance(runtime, dict):
            kl, same = (
                f"{runtime['kl_mean']} nats on average, {runtime['kl_max']} at most",
                runtime["same_first_choice"],
            )
            print(f"    predictions: KL to the original {kl}; same first choice {same:.1%}")
        else:
            print(f"    predictions: {runtime}")
        for line in change_lines(AnswerChange(**entry["answers"])) if "answers" in entry else ():
            print(f"    answers: {line}")
    print(f"digest {summary['digest']}")


def verify(
    bundle: Annotated[Path, typer.Argument(help="A folder written by the export stage.")],
    digest: Annotated[
        str | None, typer.Option(help="The digest that it must have (12 digits or more), from a source you trust.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check every file of a bundle against its hashes; exit code 2 when anything is changed, missing or added."""
    from igakulm.bundle.verify import verify_bundle
    from igakulm.progress import for_this_output

    result = verify_bundle(bundle, expected=digest, progress=for_this_output())
    if as_json:
        print_json(result)
        return
    print(f"{bundle}: {result['files']} files unchanged\ndigest {result['digest']}")


def sbom(
    out: Annotated[Path | None, typer.Option(help="Write CycloneDX JSON into this file.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List every Python distribution that IgakuLM uses here, with version and licence (CycloneDX with --json)."""
    from igakulm.bundle.sbom import component_lines, cyclonedx, installed_components
    from igakulm.files import write_json

    components = installed_components()
    if out is not None:
        write_json(out, cyclonedx(components))
    if as_json:
        print_json(cyclonedx(components))
    else:
        print("\n".join(component_lines(components)))


def pack_offline(
    bundle: Annotated[Path, typer.Argument(help="A folder written by the export stage.")],
    out: Annotated[Path, typer.Option(help="The folder to carry; new or empty.")],
    python: Annotated[
        str | None, typer.Option(help="Python of the other machine, e.g. 3.12; without it, that of this one.")
    ] = None,
    with_: Annotated[
        list[str] | None, typer.Option("--with", help="`transformers`: that engine too (torch; large). Repeatable.")
    ] = None,
    extra: Annotated[list[str] | None, typer.Option(help="An extra of igakulm, e.g. excel. Repeatable.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Collect bundle, wheels and a start script in one folder that installs and serves without a network."""
    from igakulm.bundle.offline import pack_offline as pack
    from igakulm.progress import for_this_output

    summary = pack(bundle, out, for_this_output(), python=python, engines=with_ or (), extras=extra or ())
    if as_json:
        print_json(summary)
        return
    print(
        f"{out}: {summary['wheels']} wheels and the bundle, {summary['bytes'] / 1e6:,.1f} MB\nstart: sh {out}/start.sh"
    )
