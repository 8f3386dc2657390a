"""The commands that talk to a bundle's model: serve, chat.

Does: parse, call, print. Every import of a stage is inside a function, so that `igakulm --help` answers at once.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from igakulm.cli_options import QUICKSTART, RecipeOption, finished_stage


def serve(
    bundle: Annotated[Path, typer.Argument(help="A folder written by the export stage.")],
    host: Annotated[str, typer.Option(help="Address to bind; another than loopback needs a key.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port.")] = 8765,
    engine: Annotated[str, typer.Option(help="auto, llamacpp or transformers.")] = "auto",
) -> None:
    """Serve a bundle on this machine with an OpenAI-compatible API (key: environment IGAKULM_API_KEY)."""
    from igakulm.serving.server import serve as serve_bundle

    serve_bundle(bundle, host=host, port=port, engine=engine, api_key=os.environ.get("IGAKULM_API_KEY"))


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
