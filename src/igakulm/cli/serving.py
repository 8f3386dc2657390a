"""The commands that talk to a bundle's model, and the one that checks what was asked of it: serve, chat, audit.

Does: parse, call, print. Every import of a stage is inside a function, so that `igakulm --help` answers at once.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from igakulm.cli.options import QUICKSTART, JsonOption, RecipeOption, finished_stage, print_json


def serve(
    bundle: Annotated[Path, typer.Argument(help="A folder written by the export stage.")],
    host: Annotated[str, typer.Option(help="Address to bind; another than loopback needs a key.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port.")] = 8765,
    engine: Annotated[str, typer.Option(help="auto, llamacpp, transformers or endpoint.")] = "auto",
    gguf: Annotated[str | None, typer.Option(help="Which GGUF file, e.g. q8_0; without it the smallest.")] = None,
    endpoint: Annotated[str | None, typer.Option(help="With --engine endpoint: URL of a server such as vLLM.")] = None,
    endpoint_model: Annotated[str | None, typer.Option(help="The model's name there, if it is another.")] = None,
    queue: Annotated[int, typer.Option(min=0, help="Requests that may wait; more are refused (429).")] = 8,
    audit_log: Annotated[Path | None, typer.Option(help="File for counts and digests of every request.")] = None,
    log_prompts: Annotated[bool, typer.Option("--log-prompts", help="Write texts to the log, for tests.")] = False,
    no_verify: Annotated[bool, typer.Option("--no-verify", help="Do not hash the bundle's files first.")] = False,
) -> None:
    """Serve a bundle on this machine: an OpenAI-compatible API, and a page for a browser.

    Keys come from the environment: IGAKULM_API_KEY (asked of clients; needed for another address than loopback),
    IGAKULM_AUDIT_KEY (of the audit log), IGAKULM_ENDPOINT_KEY (for --endpoint).
    """
    from igakulm.inference.open import Endpoint
    from igakulm.serving.server import serve as serve_bundle

    serve_bundle(
        bundle,
        host=host,
        port=port,
        engine=engine,
        gguf=gguf,
        endpoint=Endpoint(endpoint, os.environ.get("IGAKULM_ENDPOINT_KEY"), endpoint_model) if endpoint else None,
        api_key=os.environ.get("IGAKULM_API_KEY"),
        queue=queue,
        audit_log=audit_log,
        audit_key=os.environ.get("IGAKULM_AUDIT_KEY"),
        log_prompts=log_prompts,
        verify=not no_verify,
    )


def audit(
    file: Annotated[Path, typer.Argument(help="A file written by `igakulm serve --audit-log`.")],
    as_json: JsonOption = False,
) -> None:
    """Check that no line of an audit log was changed, added or removed (key: environment IGAKULM_AUDIT_KEY)."""
    from igakulm.serving.audit import check_audit_log

    key = os.environ.get("IGAKULM_AUDIT_KEY")
    found = check_audit_log(file, key.encode() if key else None)
    if as_json:
        print_json(found)
        return
    print(f"{file}: {found['lines']} lines, {found['requests']} requests, the chain holds")
    if found["torn_bytes"]:
        print(f"{found['torn_bytes']} bytes at the end are half a line; the next start of the server moves them aside")
    if found["lines"]:
        print(f"from {found['first_time']} to {found['last_time']}; hash of the last line: {found['last']}")
        print("Lines cut off at the end cannot be noticed: note this hash elsewhere from time to time.")


def demo(
    bundle: Annotated[Path, typer.Argument(help="A folder written by the export stage.")],
    engine: Annotated[str, typer.Option(help="auto, llamacpp or transformers.")] = "auto",
) -> None:
    """Ask a bundle one invented question and one invented record, and print what it answers. It can be wrong."""
    from igakulm.serving.demo import demo as lines

    for line in lines(bundle, engine):
        print(line, flush=True)


def chat(
    bundle: Annotated[Path | None, typer.Option(help="A folder written by the export stage.")] = None,
    recipe: RecipeOption = QUICKSTART,
    engine: Annotated[str, typer.Option(help="auto, llamacpp or transformers.")] = "auto",
    max_tokens: Annotated[int, typer.Option(help="Longest answer in tokens.")] = 256,
    temperature: Annotated[float, typer.Option(help="0 = always the likeliest token.")] = 0.0,
    single: Annotated[bool, typer.Option("--single", help="Answer one question and end.")] = False,
) -> None:
    """Talk to the built model in the terminal. It can be wrong and is not for diagnosis."""
    from igakulm.serving.chat import chat as chat_with

    folder = bundle or finished_stage(recipe, None, "export")
    chat_with(folder, engine=engine, max_tokens=max_tokens, temperature=temperature, single=single)
