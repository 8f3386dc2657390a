"""What the vocabulary does to text it has not seen: report.json of the tokenizer stage.

Does: measure compression, byte fallback, names in one piece, and how often MeCab at run time would change anything, on
the documents kept out of training. Does not: train or change the tokenizer, or compare several (compare.py does).
Every figure is a pure function of tokenizer, sample and names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from igakulm.synth.term_lists import Term
from igakulm.tokenizer import compare
from igakulm.tokenizer.compare import ratio
from igakulm.tokenizer.encoder import PlainEncoder
from igakulm.tokenizer.sample_texts import SENTENCES
from igakulm.tokenizer.segment import Segmenter


def measure(
    tokenizer: PlainEncoder,
    held: Mapping[str, Sequence[str]],
    terms: Sequence[Term],
    user_dictionary: Path | None,
) -> dict[str, Any]:
    """Measure a tokenizer.

    Args:
        tokenizer: ours, or any other.
        held: kind ("general", "medical") to texts that training did not see.
        terms: the lexicon.
        user_dictionary: the MeCab user dictionary of the tokenizer, if it has one.

    Returns:
        `compression` by kind (None without a sample), `byte_fallback`, `names` by kind of term, `mecab_agreement`
        (ours only), `samples`: sentences as lists of (text, tokens). Shares are 0..1; None where there is nothing to
        measure.
    """
    segmenter = Segmenter(user_dictionary)
    texts = [text for kind in sorted(held) for text in held[kind]]
    encoded = {kind: tokenizer.encode_batch(held[kind]) for kind in sorted(held)}
    return {
        "compression": {
            kind: compare.compression_figures(held[kind], sum(map(len, ids))) if held[kind] else None
            for kind, ids in encoded.items()
        },
        "byte_fallback": {
            "token_share": _fallback_share(tokenizer, [ids for kind in encoded.values() for ids in kind]),
            "worst_characters": compare.worst_characters(tokenizer, texts),
        },
        "names": {kind: _names(tokenizer, segmenter, terms, kind, texts) for kind in compare.KINDS},
        "mecab_agreement": compare.mecab_agreement(tokenizer, texts),
        "samples": compare.sample_parts(tokenizer, SENTENCES),
    }


def _fallback_share(tokenizer: PlainEncoder, encoded: Sequence[Sequence[int]]) -> float | None:
    found = sum(token in tokenizer.fallback for ids in encoded for token in ids)
    return ratio(found, sum(map(len, encoded)), 6)


def _names(
    tokenizer: PlainEncoder, segmenter: Segmenter, terms: Sequence[Term], kind: str, texts: Sequence[str]
) -> dict[str, Any]:
    """Shares over the lexicon, and over the mentions in the sample (words of MeCab that are names)."""
    names = compare.names_of(terms, kind)
    lengths = dict(zip(names, map(len, tokenizer.encode_batch(names)), strict=True))
    mentions = [word for text in texts for word in segmenter.words(text) if word in lengths]
    return {
        **compare.name_figures(tokenizer, names),
        "one_mecab_word_share": ratio(sum(len(segmenter.words(name)) == 1 for name in names), len(names)),
        "mentions": len(mentions),
        "mentions_one_token_share": ratio(sum(lengths[word] == 1 for word in mentions), len(mentions)),
    }
