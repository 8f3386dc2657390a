"""llama.cpp's own tokenizer of a GGUF file, beside ours.

Does: ask it in a child process for the ids of lines, survive lines that end that process, count where its ids are
ours. Does not: run the model. IgakuLM sends ids to llama.cpp; the figures tell those who send it text what they get.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from igakulm.errors import InputError
from igakulm.inference.llamacpp_process import LlamaCppProcess
from igakulm.progress import Progress
from igakulm.text.broken import whole_characters
from igakulm.tokenizer.encoder import Encoder
from igakulm.tokenizer.gguf_header import GgufHeader

BATCH = 256
MAX_CRASHES = 20
"""Each costs loading the file twice."""
MAX_LINES = 20_000
MAX_DIFFERENCES = 5
BEFORE, BEHIND = 4, 12
"""Pieces shown around a difference."""


class LlamaCppTokenizer:
    """The tokenizer of a GGUF file, in a child process that is started again when it ends.

    Attributes:
        crashes: how often a line ended the process.

    Raises:
        InputError: xllamacpp is missing, or llama.cpp cannot load the file.
    """

    def __init__(self, path: Path) -> None:
        self._path, self.crashes = path, 0
        self._process = self._start()

    def _start(self) -> LlamaCppProcess:
        return LlamaCppProcess(self._path, context_length=64, threads=1)

    def __enter__(self) -> LlamaCppTokenizer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._process.close()

    def encode_batch(self, texts: Sequence[str]) -> list[list[int] | None]:
        """Ids of plain texts, spellings of control tokens as text; None where llama.cpp refuses a text or dies of it.

        Raises:
            InputError: it died too often.
        """
        try:
            answer: list[list[int] | None] = self._process.ask(tokenize=list(texts))["ids"]
        except RuntimeError as error:
            self._process.close()
            self.crashes += len(texts) == 1
            if self.crashes > MAX_CRASHES:
                hint = "report this file to the llama.cpp project, or compare on other text"
                what = f"llama.cpp died of {self.crashes} lines: {error}"
                raise InputError(what, where=str(self._path), hint=hint) from error
            self._process = self._start()
            return [None] if len(texts) == 1 else [ids for text in texts for ids in self.encode_batch([text])]
        return answer


def compare_with_llamacpp(encoder: Encoder, path: Path, lines: Sequence[str], progress: Progress) -> dict[str, Any]:
    """On how many lines llama.cpp's ids are ours.

    Args:
        encoder: our tokenizer, with its runtime.
        path: a GGUF file that was exported with this tokenizer.
        lines: text; of more than `MAX_LINES`, evenly spaced ones are taken.
        progress: shows lines.

    Returns:
        file, lines, equal, equal_share (0..1), refused, crashed, with_unknown (lines in which llama.cpp finds unknown
        characters; ours become bytes), tokens_ours and tokens_llamacpp (of the lines that have both), and
        `differences`: up to `MAX_DIFFERENCES` lines around their first difference, as pieces, `ours` and `llamacpp`.

    Raises:
        InputError: no lines, no such file, or it has fewer tokens than our vocabulary.
    """
    if not lines:
        raise InputError("there are no lines to compare on", hint="give --text or --igakuqa")
    if not path.is_file():
        raise InputError("there is no such file", where=str(path), hint="give a GGUF file")
    size = GgufHeader.read(path).vocabulary
    if size < encoder.size:
        what = f"this file has {size:,} tokens, the tokenizer {encoder.size:,}"
        raise InputError(what, where=str(path), hint="give the GGUF file that was exported with this tokenizer")
    chosen = lines[:: max(1, -(-len(lines) // MAX_LINES))]
    ours: list[list[int]] = []
    theirs: list[list[int] | None] = []
    with LlamaCppTokenizer(path) as tokenizer, progress.task("llama.cpp", len(chosen), "lines") as task:
        for start in range(0, len(chosen), BATCH):
            batch = [whole_characters(line) for line in chosen[start : start + BATCH]]
            ours += encoder.encode_batch(batch)
            theirs += tokenizer.encode_batch(batch)
            task.advance(len(batch))
        crashed = tokenizer.crashes
    return {"file": path.name, **_counted(encoder, ours, theirs, crashed)}


def _counted(
    encoder: Encoder, ours: Sequence[list[int]], theirs: Sequence[list[int] | None], crashed: int
) -> dict[str, object]:
    pairs = [(mine, other) for mine, other in zip(ours, theirs, strict=True) if other is not None]
    different = [(mine, other) for mine, other in pairs if mine != other]
    equal = len(pairs) - len(different)
    return {
        "lines": len(ours),
        "equal": equal,
        "equal_share": round(equal / len(ours), 6),
        "refused": len(ours) - len(pairs) - crashed,
        "crashed": crashed,
        "with_unknown": sum(encoder.unk in other for _, other in different),
        "tokens_ours": sum(len(mine) for mine, _ in pairs),
        "tokens_llamacpp": sum(len(other) for _, other in pairs),
        "differences": [_difference(mine, other, encoder) for mine, other in different[:MAX_DIFFERENCES]],
    }


def _difference(mine: Sequence[int], other: Sequence[int], encoder: Encoder) -> dict[str, list[str]]:
    """Two lists of ids as pieces, from a little before to a little behind where they first differ."""
    equal = [one == two for one, two in zip(mine, other, strict=False)]
    place = equal.index(False) if False in equal else len(equal)
    shown = slice(max(0, place - BEFORE), place + BEHIND)
    return {
        name: [piece or f"[{token}]" for token, piece in zip(ids[shown], encoder.written(ids[shown]), strict=True)]
        for name, ids in (("ours", mine), ("llamacpp", other))
    }
