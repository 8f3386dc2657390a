"""A conversation in the terminal, or with pipes: one question a line.

Does: stream the answer, keep the conversation, forget the oldest turns when the context is full, end politely.
Does not: store anything on the disk.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from igakulm.errors import InputError
from igakulm.inference.engine import EngineFailed, Sampling
from igakulm.inference.model import Model
from igakulm.inference.open import open_model
from igakulm.serving.answer_stream import AnswerStream

NOTICE = "回答は誤ることがあります。診断には使えません。終わるには Ctrl-D を押してください。"
UNREADABLE = "（モデルが読める文字がありません。別の書き方でお尋ねください）"
BROKEN = "（モデルが止まりました。起動し直しますので、もう一度お尋ねください）"


def chat(
    folder: Path,
    *,
    engine: str = "auto",
    max_tokens: int = 256,
    temperature: float = 0.0,
    seed: int = 0,
    single: bool = False,
) -> None:
    """Open a bundle and talk on standard input and output.

    Raises:
        InputError: no bundle, or values out of range.
    """
    if max_tokens < 1 or temperature < 0:
        raise InputError("an answer needs at least one token and a temperature of 0 or more")
    opened = open_model(folder, engine)
    # Answers hold any character, and pipes any bytes; another encoding shows a question mark instead of failing.
    for stream in (sys.stdin, sys.stdout):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        chat_loop(
            opened,
            max_tokens=max_tokens,
            temperature=temperature,
            seed=seed,
            single=single,
        )
    finally:
        opened.close()


def chat_loop(
    model: Model,
    *,
    max_tokens: int = 256,
    temperature: float = 0.0,
    seed: int = 0,
    single: bool = False,
    source: TextIO | None = None,
    target: TextIO | None = None,
) -> None:
    """Answer one line after the other until the input ends.

    Args:
        model: answers.
        max_tokens: longest answer.
        temperature: 0 = always the likeliest token.
        seed: of the sampling; each turn adds one.
        single: end after one question.
        source: lines; None = standard input.
        target: where to write; None = standard output.
    """
    source, target = source or sys.stdin, target or sys.stdout
    messages: list[dict[str, str]] = []
    try:
        for turn, question in enumerate(_questions(source, target)):
            messages.append({"role": "user", "content": question})
            ids = _prompt(model, messages, target)
            if ids is None:
                continue
            try:
                answer = _answer(model, ids, max_tokens, temperature, seed + turn, target)
            except EngineFailed:
                print(BROKEN, file=target, flush=True)
                messages.pop()
                continue
            messages.append({"role": "assistant", "content": answer})
            if single:
                return
    except KeyboardInterrupt:
        print(file=target)
    except BrokenPipeError:
        # The reader of the pipe has gone. What is left in the buffer goes nowhere, without a complaint at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), target.fileno())


def _questions(source: TextIO, target: TextIO) -> Iterator[str]:
    person = source.isatty()
    if person:
        print(NOTICE, file=target)
    while True:
        if person:
            print("> ", end="", file=target, flush=True)
        line = source.readline()
        if not line:
            if person:
                print(file=target)
            return
        if line.strip():
            yield line.strip()


def _prompt(model: Model, messages: list[dict[str, str]], target: TextIO) -> list[int] | None:
    """Ids of the conversation; drops its oldest turns, and the question itself when that alone cannot be read."""
    context = model.context_length
    while messages:
        try:
            ids = model.prompt(messages).ids
        except InputError:
            if not model.chat:
                raise
            print(UNREADABLE, file=target, flush=True)
            messages.pop()
            return None
        if len(ids) < context:
            return ids
        if len(messages) == 1:
            print(f"（質問が長すぎます：{len(ids)}トークン、上限は{context - 1}トークン）", file=target, flush=True)
        del messages[:2]
    return None


def _answer(model: Model, ids: list[int], most: int, temperature: float, seed: int, target: TextIO) -> str:
    parts = []
    for piece in AnswerStream(model, ids, most, Sampling(temperature=temperature, seed=seed)):
        parts.append(piece)
        print(piece, end="", file=target, flush=True)
    print(file=target, flush=True)
    return "".join(parts)
