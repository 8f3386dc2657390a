"""Tokens of each source of a corpus, as in the paper's table 1, and that table as text.

Does: count the tokens of a corpus that is small, and of a larger one estimate them from an even sample of its row
groups, saying which. Does not: encode a corpus (training/encoded.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from igakulm.corpus.records import FunnelFile, read_sources
from igakulm.tokenizer.encode import TOKENIZER_FILE
from igakulm.tokenizer.open import load_encoder

BUDGET = 8_000_000
"""Characters that are encoded; some seconds of work."""
_BATCH = 256


@dataclass(frozen=True)
class SourceTokens:
    """Tokens of one source, without those that begin and end a document; `exact` if all of its text was encoded."""

    tokens: int
    exact: bool


def tokens_by_source(corpus_dir: Path, tokenizer_dir: Path, budget: int = BUDGET) -> dict[str, SourceTokens]:
    """Tokens of each source; empty where the folders hold no documents or no tokenizer.

    Args:
        corpus_dir: a finished corpus with sources.json and documents/.
        tokenizer_dir: a finished tokenizer.
        budget: characters to encode at most, roughly.

    Raises:
        InputError: a tokenizer whose files are damaged.
    """
    shards = sorted((corpus_dir / "documents").glob("*.parquet"))
    if not shards or not (tokenizer_dir / TOKENIZER_FILE).is_file():
        return {}
    sources = read_sources(corpus_dir)
    total = sum(entry.characters for entry in sources.values())
    encoder = load_encoder(tokenizer_dir)
    characters: Counter[str] = Counter()
    tokens: Counter[str] = Counter()
    for names, texts in _sampled(shards, min(1.0, budget / max(total, 1))):
        for name, text, ids in zip(names, texts, encoder.encode_batch(texts), strict=True):
            characters[name] += len(text)
            tokens[name] += len(ids)
    overall = tokens.total() / max(characters.total(), 1)
    found = {}
    for name, entry in sources.items():
        exact = characters[name] == entry.characters
        rate = tokens[name] / characters[name] if characters[name] else overall
        found[name] = SourceTokens(tokens[name] if exact else round(rate * entry.characters), exact)
    return found


def _sampled(shards: Sequence[Path], share: float) -> Iterator[tuple[list[str], list[str]]]:
    """Sources and texts of an even share of all row groups, in batches."""
    import pyarrow.parquet as pq

    place = 0
    for path in shards:
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                place += 1
                if int(place * share) == int((place - 1) * share) and not (share > 0 and place == 1):
                    continue
                table = file.read_row_group(group, columns=["source", "text"])
                for batch in table.to_batches(max_chunksize=_BATCH):
                    yield batch.column("source").to_pylist(), batch.column("text").to_pylist()


@dataclass(frozen=True)
class SourceRow:
    """One line of table 1; the sum of all has no kind. `tokens` is None where it is not known."""

    source: str
    kind: str
    documents: int
    characters: int
    tokens: int | None
    exact: bool


ALL = "all"


def table_one(funnel: FunnelFile, tokens: Mapping[str, SourceTokens]) -> list[SourceRow]:
    """What the corpus is made of: one row a source, and the sum."""
    rows = []
    for source in funnel.sources:
        left = source.steps[-1] if source.steps else None
        known = tokens.get(source.name)
        counts = (left.documents, left.characters) if left else (0, 0)
        tokens_and_exact = (known.tokens, known.exact) if known else (None, False)
        rows.append(SourceRow(source.name, source.kind, *counts, *tokens_and_exact))
    if len(rows) > 1:
        counted = [row.tokens for row in rows if row.tokens is not None]
        documents, characters = sum(row.documents for row in rows), sum(row.characters for row in rows)
        total = sum(counted) if len(counted) == len(rows) else None
        rows.append(SourceRow(ALL, "", documents, characters, total, all(row.exact for row in rows)))
    return rows


def funnel_text(funnel: FunnelFile, rows: Sequence[SourceRow]) -> str:
    """The funnel as a table for a terminal: documents after each step, then table 1, then the reasons."""
    steps = list(dict.fromkeys(step.step for source in funnel.sources for step in source.steps))
    lines = [["documents after", *steps]]
    for source in funnel.sources:
        after = {step.step: step.documents for step in source.steps}
        lines.append([source.name, *(f"{after.get(step, 0):,}" for step in steps)])
    kept = [["source", "kind", "documents", "characters", "tokens"]]
    for row in rows:
        tokens = "unknown" if row.tokens is None else f"{'' if row.exact else '~'}{row.tokens:,}"
        kept.append([row.source, row.kind, f"{row.documents:,}", f"{row.characters:,}", tokens])
    reasons = [["dropped because", "documents"]]
    reasons += [
        [name, f"{count:,}"] for name, count in sorted(funnel.reasons.items(), key=lambda pair: (-pair[1], pair[0]))
    ]
    estimated = any(row.tokens is not None and not row.exact for row in rows)
    parts = ["\n".join(_aligned(lines)), "\n".join(_aligned(kept)), "\n".join(_aligned(reasons))]
    return "\n\n".join([*parts, *(["~ estimated from a sample"] if estimated else [])])


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    for first, *others in rows:
        cells = [value.rjust(width) for value, width in zip(others, widths[1:], strict=True)]
        yield "  ".join([first.ljust(widths[0]), *cells]).rstrip()
