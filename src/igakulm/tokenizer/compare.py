"""Figures of any tokenizers on the same texts and names, side by side.

Does: characters and bytes per token, byte fallback with the characters behind it, names in one token, token borders of
sample sentences; for ours also how often MeCab at run time would change anything. Does not: open files or print.
Every figure is a pure function of tokenizer, texts and names; shares are 0..1, None where there is nothing to measure.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from igakulm.synth.term_lists import Term
from igakulm.tokenizer.encoder import Part, PlainEncoder

KINDS = ("disease", "drug")
MAX_SENTENCES = 2000
MAX_WORST = 20
_SENTENCE_END = re.compile(r"(?<=。)|\n")


def compare(
    tokenizers: Mapping[str, PlainEncoder],
    texts: Mapping[str, Sequence[str]],
    terms: Sequence[Term],
    samples: Sequence[str],
) -> list[dict[str, Any]]:
    """Measure tokenizers.

    Args:
        tokenizers: by the name they are shown under.
        texts: documents by the name of the text.
        terms: names, spelt as in the texts.
        samples: sentences whose token borders are shown.

    Returns:
        For each tokenizer `name`, `size`, `texts`, `names` by kind of term, `samples`, and for ours `runtime` and
        `mecab_agreement` by text.
    """
    return [_measured(name, tokenizer, texts, terms, samples) for name, tokenizer in tokenizers.items()]


def _measured(
    name: str,
    tokenizer: PlainEncoder,
    texts: Mapping[str, Sequence[str]],
    terms: Sequence[Term],
    samples: Sequence[str],
) -> dict[str, object]:
    found: dict[str, Any] = {
        "name": name,
        "size": tokenizer.size,
        "texts": {title: text_figures(tokenizer, documents) for title, documents in texts.items()},
        "names": {kind: name_figures(tokenizer, names) for kind in KINDS if (names := names_of(terms, kind))},
        "samples": sample_parts(tokenizer, samples),
    }
    if tokenizer.without_and_with_mecab("") is not None:
        found["runtime"] = tokenizer.runtime
        found["mecab_agreement"] = {title: mecab_agreement(tokenizer, documents) for title, documents in texts.items()}
    return found


def text_figures(tokenizer: PlainEncoder, texts: Sequence[str]) -> dict[str, Any]:
    """Compression and byte fallback on documents."""
    tokens = fallback = 0
    for batch in _batches(texts):
        for ids in tokenizer.encode_batch(batch):
            tokens += len(ids)
            fallback += sum(map(tokenizer.fallback.__contains__, ids))
    return {
        **compression_figures(texts, tokens),
        "fallback_share": ratio(fallback, tokens, 6),
        "worst_characters": worst_characters(tokenizer, texts),
    }


def compression_figures(texts: Sequence[str], tokens: int) -> dict[str, object]:
    """What documents that take `tokens` tokens come to."""
    characters, size = sum(map(len, texts)), sum(len(text.encode("utf-8", "replace")) for text in texts)
    return {
        "documents": len(texts),
        "characters": characters,
        "bytes": size,
        "tokens": tokens,
        "characters_per_token": ratio(characters, tokens),
        "bytes_per_token": ratio(size, tokens),
    }


def worst_characters(tokenizer: PlainEncoder, texts: Iterable[str]) -> list[dict[str, object]]:
    """The characters without a token of their own, the most frequent first, at most `MAX_WORST`."""
    counts = Counter(itertools.chain.from_iterable(texts))
    characters = sorted(counts)
    broken = [
        character
        for character, ids in zip(characters, tokenizer.encode_batch(characters), strict=True)
        if not tokenizer.fallback.isdisjoint(ids)
    ]
    worst = sorted(broken, key=lambda character: (-counts[character], character))[:MAX_WORST]
    return [{"character": c, "code_point": f"U+{ord(c):04X}", "count": counts[c]} for c in worst]


def names_of(terms: Iterable[Term], kind: str) -> list[str]:
    """The different names of one kind, sorted."""
    return sorted({term.term for term in terms if term.kind == kind})


def name_figures(tokenizer: PlainEncoder, names: Sequence[str]) -> dict[str, object]:
    """How many names are one token."""
    lengths = [len(ids) for ids in tokenizer.encode_batch(names)]
    return {
        "names": len(names),
        "one_token_share": ratio(lengths.count(1), len(names)),
        "tokens_per_name": ratio(sum(lengths), len(names)),
    }


def sample_parts(tokenizer: PlainEncoder, samples: Iterable[str]) -> list[list[Part]]:
    """Each sample cut at its token borders."""
    return [tokenizer.parts(sample) for sample in samples]


def mecab_agreement(encoder: PlainEncoder, texts: Sequence[str]) -> dict[str, Any]:
    """On how many sentences (at most `MAX_SENTENCES`) the ids are the same with and without MeCab at run time.

    Empty for a tokenizer in which MeCab has no part.
    """
    if encoder.without_and_with_mecab("") is None:
        return {}
    sentences = [part for text in texts for part in _SENTENCE_END.split(text) if part.strip()]
    sample = sentences[:: max(1, len(sentences) // MAX_SENTENCES)][:MAX_SENTENCES]
    same = with_mecab = without = 0
    for sentence in sample:
        plain, split = encoder.without_and_with_mecab(sentence) or ([], [])
        same += plain == split
        without, with_mecab = without + len(plain), with_mecab + len(split)
    return {
        "sentences": len(sample),
        "same_share": ratio(same, len(sample)),
        "tokens_plain": without,
        "tokens_mecab": with_mecab,
    }


def ratio(part: float, whole: float, digits: int = 4) -> float | None:
    """A rounded quotient; None without a divisor.

    >>> ratio(1, 3), ratio(1, 0)
    (0.3333, None)
    """
    return round(part / whole, digits) if whole else None


def _batches(texts: Sequence[str], size: int = 256) -> Iterator[Sequence[str]]:
    return (texts[start : start + size] for start in range(0, len(texts), size))
