"""Which documents of a corpus teach the vocabulary, and which are kept to measure it.

Does: sample a corpus within a budget of bytes, medical text first, and hold a little out. Does not: count words.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from igakulm.corpus.records import Kind, SourceEntry, read_sources
from igakulm.errors import InputError
from igakulm.files import read_documents

HELD_EVERY, HELD_BYTES = 50, 2**20
"""One document in fifty, up to a mebibyte a kind, is kept out of training and measured in the report."""


@dataclass(slots=True)
class Selection:
    """What of a corpus was used: bytes of UTF-8 and documents by kind, and the held-out texts for the report."""

    seed: int
    text_bytes: Counter[str] = field(default_factory=Counter)
    documents: Counter[str] = field(default_factory=Counter)
    held: dict[str, list[str]] = field(default_factory=lambda: {"general": [], "medical": []})


def select_documents(
    corpus_dir: Path, budget: int, selection: Selection, weight: Callable[[str, Kind], float]
) -> Iterator[tuple[float, str]]:
    """Yield (weight, text) of a corpus within about `budget` bytes: medical text first, then a sample of the general.

    The sample depends on the documents' ids and the seed only. `selection` is filled while iterating.

    Args:
        corpus_dir: holds documents/ and sources.json.
        budget: bytes of UTF-8.
        selection: filled while iterating.
        weight: of a source, by its name and kind.

    Raises:
        InputError: no corpus there, no documents, or a document of a source that sources.json does not know.
    """
    sources = read_sources(corpus_dir)
    kinds = {name: source.kind for name, source in sources.items()}
    rates = _rates(sources, budget)
    held_bytes: Counter[str] = Counter()
    found = False
    for document in read_documents(corpus_dir / "documents"):
        kind = kinds.get(document.source)
        if kind is None:
            where = f"{corpus_dir / 'documents'}, document {document.id}"
            raise InputError(f"sources.json does not know the source {document.source!r}", where=where)
        found = found or bool(document.text.strip())
        draw = zlib.crc32(f"{selection.seed}:{document.id}".encode("utf-8", "replace"))
        if draw / 2**32 >= rates[kind] or sum(selection.text_bytes.values()) >= budget:
            continue
        size = len(document.text.encode("utf-8", "replace"))
        # The bits that sampling does not depend on decide which documents are held out.
        if zlib.crc32(draw.to_bytes(4, "little")) % HELD_EVERY == 0 and held_bytes[kind] + size <= HELD_BYTES:
            held_bytes[kind] += size
            selection.held[kind].append(document.text)
            continue
        selection.text_bytes[kind] += size
        selection.documents[kind] += 1
        yield weight(document.source, kind), document.text
    if not found:
        hint = "check the sources and filters of the corpus; funnel.json says where documents were dropped"
        raise InputError("the corpus holds no text", where=str(corpus_dir), hint=hint)


def _rates(sources: Mapping[str, SourceEntry], budget: int) -> dict[Kind, float]:
    characters: Counter[str] = Counter()
    for source in sources.values():
        characters[source.kind] += source.characters
    medical, general = characters["medical"] * 3, characters["general"] * 3  # Japanese takes three bytes a character
    left = max(0, budget - medical)
    return {"medical": min(1.0, budget / max(medical, 1)), "general": min(1.0, left / max(general, 1))}
