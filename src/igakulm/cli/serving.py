"""The commands that talk to a bundle's model, and those for its keys and its log: serve, chat, key, audit.

Does: parse, call, print. Every import of a stage is inside a function, so that `igakulm --help` answers at once.
"""

from __future__ import annotations

import os
from dataclasses import asdict
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
    keys: Annotated[Path | None, typer.Option(help="keys.yaml: named keys, their tasks and limits.")] = None,
    public_url: Annotated[str | None, typer.Option(help="What clients write, behind a reverse proxy.")] = None,
    proxy: Annotated[list[str] | None, typer.Option(help="Address of the proxy; without it this machine.")] = None,
    certificate: Annotated[Path | None, typer.Option(help="For TLS without a proxy: PEM, with its chain.")] = None,
    key: Annotated[Path | None, typer.Option(help="The certificate's key, in PEM.")] = None,
    audit_log: Annotated[Path | None, typer.Option(help="File for counts and digests of every request.")] = None,
    audit_strict: Annotated[bool, typer.Option("--audit-strict", help="Refuse what the log cannot hold.")] = False,
    log_prompts: Annotated[bool, typer.Option("--log-prompts", help="Write texts to the log, for tests.")] = False,
    no_verify: Annotated[bool, typer.Option("--no-verify", help="Do not hash the bundle's files first.")] = False,
) -> None:
    """Serve a bundle on this machine: an OpenAI-compatible API, and a page for a browser.

    Keys come from the environment: IGAKULM_API_KEY (asked of clients; needed for another address than loopback),
    IGAKULM_AUDIT_KEY (of the audit log), IGAKULM_ENDPOINT_KEY (for --endpoint). On SIGHUP keys.yaml, the certificate
    and a renamed audit log are taken up.
    """
    from igakulm.inference.open import Endpoint
    from igakulm.serving.service import Access
    from igakulm.serving.service import serve as serve_bundle

    access = Access(
        api_key=os.environ.get("IGAKULM_API_KEY"),
        keys=keys,
        public_url=public_url,
        proxies=tuple(proxy or ()),
        certificate=certificate,
        certificate_key=key,
        audit_log=audit_log,
        audit_key=os.environ.get("IGAKULM_AUDIT_KEY"),
        audit_strict=audit_strict,
        log_prompts=log_prompts,
    )
    serve_bundle(
        bundle,
        host=host,
        port=port,
        engine=engine,
        gguf=gguf,
        endpoint=Endpoint(endpoint, os.environ.get("IGAKULM_ENDPOINT_KEY"), endpoint_model) if endpoint else None,
        access=access,
        queue=queue,
        verify=not no_verify,
    )


def audit(
    files: Annotated[list[Path], typer.Argument(help="Files of `igakulm serve --audit-log`; or: rotate FILE.")],
    as_json: JsonOption = False,
) -> None:
    """Check that no line of an audit log was changed, added or removed (key: environment IGAKULM_AUDIT_KEY).

    Several files are one chain, the oldest first. `igakulm audit rotate FILE` gives FILE the time as part of its name,
    and its server goes on in a new FILE without losing a line.
    """
    from igakulm.serving.audit_check import check_audit_logs
    from igakulm.serving.audit_rotate import rotate

    given = os.environ.get("IGAKULM_AUDIT_KEY")
    key = given.encode() if given else None
    if len(files) == 2 and str(files[0]) == "rotate":
        print(f"{rotate(files[1], key)}: the chain goes on in {files[1]}")
        return
    found = check_audit_logs(files, key)
    if as_json:
        print_json(asdict(found))
        return
    print(f"{files[-1]}: {found.lines} lines, {found.requests} requests, the chain holds")
    if found.follows:
        print(f"it goes on from a line of an earlier file, number {found.number - found.lines}: {found.follows}")
    if found.lost:
        print(f"{found.lost} lines were lost because the disk refused them")
    if found.open_requests:
        print(f"{found.open_requests} requests were begun and have no end in the log")
    if found.torn_bytes:
        print(f"{found.torn_bytes} bytes at the end are half a line; the next start of the server moves them aside")
    print(f"from {found.first_time} to {found.last_time}; MAC of the last line: {found.last}")
    print("Lines cut off at the end cannot be noticed: note this MAC elsewhere from time to time.")


def key(name: Annotated[str, typer.Argument(help="Who gets it: a ward, a program.")]) -> None:
    """Make a key for `igakulm serve --keys`: the key itself, shown once, and its entry for keys.yaml."""
    from igakulm.serving.keys import new_key

    made, entry = new_key(name)
    print(f"the key, shown only now: {made}")
    print(f"in keys.yaml, below `keys:` (tasks and requests_a_minute may follow):\n{entry}", end="")


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
