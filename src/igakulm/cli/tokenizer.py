"""The commands `igakulm tokenizer …`: parse, call, print. No logic lives here."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Annotated

import typer

from igakulm.cli.options import (
    QUICKSTART,
    JsonOption,
    LanguageOption,
    RecipeOption,
    SetOption,
    WaitOption,
    print_json,
    run_stage,
)

tokenizer_app = typer.Typer(
    help="Stage: train the tokenizer; `encode`, `decode` and `report` use a finished one.",
    rich_markup_mode="markdown",
)
TokenizerFolder = Annotated[Path, typer.Option("--tokenizer", help="A folder with tokenizer.json and encoder.json.")]


@tokenizer_app.callback(invoke_without_command=True)
def tokenizer(
    context: typer.Context, recipe: RecipeOption = QUICKSTART, set_: SetOption = None, wait: WaitOption = False
) -> None:
    """Stage: MeCab pre-split Unigram tokenizer in Hugging Face form."""
    if context.invoked_subcommand is None:
        run_stage(recipe, set_, "tokenizer", wait)


@tokenizer_app.command()
def encode(
    tokenizer: TokenizerFolder,
    runtime: Annotated[str | None, typer.Option(help="plain or mecab; default: the tokenizer's own.")] = None,
) -> None:
    """Lines on standard input (UTF-8, ended by LF) to JSON lists of ids on standard output."""
    from igakulm.tokenizer.lines import encode_stream

    for part in encode_stream(tokenizer, sys.stdin.buffer, runtime):
        print(part, end="", flush=part.endswith("\n"))


@tokenizer_app.command()
def decode(tokenizer: TokenizerFolder) -> None:
    """JSON lists of ids on standard input to text lines; the inverse of `encode`."""
    from igakulm.tokenizer.lines import decode_stream

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # as `encode` reads it, whatever the terminal's encoding
    for line in decode_stream(tokenizer, sys.stdin.buffer):
        print(line, end="")


@tokenizer_app.command()
def report(
    tokenizer: TokenizerFolder,
    beside: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]PATH",
            help="Another tokenizer: a Hugging Face folder, tokenizer.json or sentencepiece model. May be repeated.",
        ),
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option(metavar="[NAME=]FILE", help="Text, or JSON Lines with `text`; also .zst, .gz. May be repeated."),
    ] = None,
    igakuqa: Annotated[Path | None, typer.Option(help="IgakuQA's `data` folder: its questions are a text.")] = None,
    lexicon: Annotated[Path | None, typer.Option(help="Names: the lexicon stage's folder, or its terms.tsv.")] = None,
    llamacpp: Annotated[
        Path | None, typer.Option(help="A GGUF file of this tokenizer: compare llama.cpp's own ids on the same lines.")
    ] = None,
    sample: Annotated[list[str] | None, typer.Option(help="A sentence whose token borders are shown.")] = None,
    clean: Annotated[bool, typer.Option("--clean", help="Clean the texts first, as the corpus stage does.")] = False,
    max_mebibytes: Annotated[float, typer.Option(help="Text is sampled down to so much.", min=0.001)] = 4.0,
    html: Annotated[Path | None, typer.Option(help="Write a page here too.")] = None,
    language: LanguageOption = "ja",
    as_json: JsonOption = False,
) -> None:
    """Characters and bytes per token, names in one token, byte fallback and token borders, beside other tokenizers."""
    from igakulm.tokenizer.material import Asked, gather

    asked = Asked(
        tokenizer,
        beside=tuple(beside or ()),
        texts=tuple(text or ()),
        igakuqa=igakuqa,
        lexicon=lexicon,
        samples=tuple(sample or ()),
        max_bytes=int(max_mebibytes * 2**20),
        clean=clean,
    )
    material = gather(asked)
    result = material.measure()
    if llamacpp is not None:
        from igakulm.inference.llamacpp_tokenizer import compare_with_llamacpp
        from igakulm.progress import for_this_output

        lines = material.lines()
        result["llamacpp"] = compare_with_llamacpp(material.encoder, llamacpp, lines, for_this_output())
    if html is not None:
        from igakulm.report.tokenizer import write_tokenizer_page

        write_tokenizer_page(result, html, language)
    if as_json:
        print_json(result)
        return
    from igakulm.tokenizer.show import show

    show(result)
    if html is not None:
        print(f"Report: {html}")
