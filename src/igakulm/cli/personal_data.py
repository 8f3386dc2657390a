"""Commands about personal data: `igakulm deidentify`.

Does: parse, call, print. Does not: find or replace anything.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from igakulm.errors import InputError, did_you_mean


def deidentify(
    source: Annotated[
        str, typer.Argument(metavar="IN", help="CSV, TSV, Excel, JSON Lines or text; - = a filter, one record a line.")
    ],
    out: Annotated[Path | None, typer.Option(help="The copy without personal data, of the same form.")] = None,
    kinds: Annotated[
        str | None, typer.Option(help="Only these kinds, with commas: name,telephone,…; default: all but dates.")
    ] = None,
    layers: Annotated[
        str | None, typer.Option(help="Only these layers, with commas: rules,labels,titles,…,tagger; default: all.")
    ] = None,
    style: Annotated[
        str, typer.Option(help="kind = [氏名]; numbered = [患者A]; invented = other names and numbers.")
    ] = "kind",
    dates: Annotated[
        str, typer.Option(help="Other dates than of birth: keep, replace, or shift by days (one number a patient).")
    ] = "keep",
    patient: Annotated[str | None, typer.Option(help="Column or field that names the patient.")] = None,
    field: Annotated[list[str] | None, typer.Option(help="Change only this column or field. May be repeated.")] = None,
    key: Annotated[
        Path | None, typer.Option(help="Key file, made if it is not there: with it the copy can be undone.")
    ] = None,
    restore: Annotated[bool, typer.Option("--restore", help="Undo: IN is a copy, --key its key.")] = False,
    encoding: Annotated[str, typer.Option(help="Of CSV, TSV and text; Excel in Japan writes cp932.")] = "utf-8",
    report: Annotated[
        Path | None, typer.Option("--json", help="Write what was found: kind, place, rule, confidence.")
    ] = None,
) -> None:
    """Take names, dates of birth, addresses, numbers and institutions out of records."""
    from igakulm.corpus.deidentify import deidentify_file, restore_file
    from igakulm.recipe.personal_data import Deidentification

    if restore:
        if key is None or out is None or source == "-":
            raise InputError("--restore needs a file, --key and --out")
        print(f"{out}: {restore_file(Path(source), out, key, encoding):,} texts restored")
        return
    values: dict[str, object] = {
        "kinds": _names(kinds),
        "layers": _names(layers),
        "style": style,
        "dates": dates,
        "key": str(key) if key else None,
    }
    _check(values)
    config = Deidentification.model_validate(values)
    if source == "-":
        _filter(config)
        return
    if out is None:
        raise InputError("say where the copy goes", hint=f"igakulm deidentify {source} --out COPY")
    found = deidentify_file(
        Path(source), out, config, patient=patient, fields=field or (), encoding=encoding, report=report
    )
    replaced = found["replaced"]
    listed = ", ".join(f"{kind} {count:,}" for kind, count in replaced.items()) if isinstance(replaced, dict) else ""
    print(f"{out}: {found['records']:,} records, replaced: {listed or 'nothing'}")


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())


def _check(values: dict[str, object]) -> None:
    from typing import get_args

    from igakulm.recipe.personal_data import Dates, Kind, Layer, Style

    for option, known in (("kinds", Kind), ("layers", Layer), ("style", Style), ("dates", Dates)):
        given = values[option]
        for name in (given,) if isinstance(given, str) else given if isinstance(given, tuple) else ():
            if name not in get_args(known):
                near = did_you_mean(str(name), list(get_args(known)))
                hint = f"did you mean {near!r}?" if near else f"there are: {', '.join(get_args(known))}"
                raise InputError(f"{name!r} is not known", where=f"--{option}", hint=hint)


def _filter(config: object) -> None:
    from igakulm.corpus.deidentify import deidentify_stream
    from igakulm.files import explain_os_error
    from igakulm.recipe.personal_data import Deidentification

    assert isinstance(config, Deidentification)
    try:
        for line in deidentify_stream(sys.stdin.buffer, config):
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left has nowhere to go
        raise explain_os_error(error, Path("standard output")) from error


def audit_memory(
    model: Annotated[Path, typer.Argument(help="A model folder, a bundle, or a GGUF file inside a bundle.")],
    train: Annotated[
        list[Path], typer.Option(help="The texts that it was trained on (JSON Lines or text); may be repeated.")
    ],
    prefix: Annotated[int, typer.Option(min=1, help="Characters of a text that the model is given.")] = 60,
    characters: Annotated[int, typer.Option(min=1, help="Word for word from so many characters on counts.")] = 30,
    limit: Annotated[int, typer.Option(min=1, help="At most so many lines of each file.")] = 500,
    report: Annotated[Path | None, typer.Option("--json", help="Write which texts came back, and their kinds.")] = None,
) -> None:
    """Ask a tuned model with beginnings of its training texts, and say what it gives back word for word."""
    from igakulm.evaluation.memory import audit_memory as audit
    from igakulm.files import write_json
    from igakulm.inference.open import open_model
    from igakulm.progress import for_this_output

    opened = open_model(model, "weights")
    try:
        found = audit(opened, train, for_this_output(), prefix=prefix, characters=characters, limit=limit)
    finally:
        opened.close()
    if report is not None:
        write_json(report, found)
    came, personal = found["recalled"], found["with_personal_data"]
    print(
        f"asked with {found['asked']:,} beginnings of {prefix} characters; {found['too_short']:,} texts are too short"
    )
    print(f"given back word for word ({characters} characters and more): {came['right']:,} "
          f"[95 %: {came['low']:.1%} to {came['high']:.1%}], the longest {found['longest']:,} characters")  # fmt: skip
    print(f"with personal data in them: {personal['right']:,} [95 %: {personal['low']:.1%} to {personal['high']:.1%}]")
