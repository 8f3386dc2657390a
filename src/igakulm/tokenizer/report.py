"""What the vocabulary does to text it has not seen: report.json of the tokenizer stage.

Does: measure compression, byte fallback, names in one piece, and how often MeCab at run time would change anything.
Does not: train or change the tokenizer. Every figure is a pure function of tokenizer, sample and names.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from igakulm.synth.lexicon import Term
from igakulm.tokenizer.encode import TextEncoder
from igakulm.tokenizer.segment import Segmenter

MAX_SENTENCES = 2000
MAX_WORST = 20
_SENTENCE_END = re.compile(r"(?<=。)|\n")


def measure(
    encoder: TextEncoder, held: Mapping[str, Sequence[str]], terms: Sequence[Term], user_dictionary: Path | None
) -> dict[str, Any]:
    """Measure a tokenizer.

    Args:
        encoder: the tokenizer.
        held: kind ("general", "medical") to texts that training did not see.
        terms: the lexicon.
        user_dictionary: the MeCab user dictionary of the tokenizer, if it has one.

    Returns:
        `compression` by kind (None without a sample), `byte_fallback`, `names` by kind of term, `mecab_agreement`.
        Shares are 0..1; None where there is nothing to measure.
    """
    segmenter = Segmenter(user_dictionary)
    texts = [text for kind in sorted(held) for text in held[kind]]
    return {
        "compression": {kind: _compression(encoder, held[kind]) for kind in sorted(held)},
        "byte_fallback": _byte_fallback(encoder, texts),
        "names": {kind: _names(encoder, segmenter, terms, kind, texts) for kind in ("disease", "drug")},
        "mecab_agreement": _agreement(encoder, segmenter, texts),
    }


def _compression(encoder: TextEncoder, texts: Sequence[str]) -> dict[str, Any] | None:
    if not texts:
        return None
    characters, size = sum(map(len, texts)), sum(len(text.encode("utf-8", "replace")) for text in texts)
    tokens = sum(map(len, encoder.encode_batch(texts)))
    return {
        "documents": len(texts),
        "characters": characters,
        "bytes": size,
        "tokens": tokens,
        "characters_per_token": _ratio(characters, tokens),
        "bytes_per_token": _ratio(size, tokens),
    }


def _byte_fallback(encoder: TextEncoder, texts: Sequence[str]) -> dict[str, Any]:
    """Share of tokens that are single bytes, and the characters that cause them, most frequent first."""
    pieces = encoder.pieces()
    byte_ids = {index for index, (_, _, kind) in enumerate(pieces) if kind == "byte"}
    known = {piece for piece, _, kind in pieces if kind == "normal" and len(piece) == 1} | {" ", "\n"}
    tokens = byte_tokens = 0
    for ids in encoder.encode_batch(texts):
        tokens += len(ids)
        byte_tokens += sum(token in byte_ids for token in ids)
    unknown = Counter(character for text in texts for character in text if character not in known)
    worst = sorted(unknown.items(), key=lambda item: (-item[1], item[0]))[:MAX_WORST]
    return {
        "token_share": _ratio(byte_tokens, tokens, 6),
        "worst_characters": [{"character": c, "code_point": f"U+{ord(c):04X}", "count": n} for c, n in worst],
    }


def _names(
    encoder: TextEncoder, segmenter: Segmenter, terms: Sequence[Term], kind: str, texts: Sequence[str]
) -> dict[str, Any]:
    """Shares over the lexicon, and over the mentions in the sample (words of MeCab that are names)."""
    names = sorted({term.term for term in terms if term.kind == kind})
    lengths = [len(ids) for ids in encoder.encode_batch(names)]
    short = {name for name, length in zip(names, lengths, strict=True) if length == 1}
    known = set(names)
    mentions = [word for text in texts for word in segmenter.words(text) if word in known]
    return {
        "names": len(names),
        "one_token_share": _ratio(lengths.count(1), len(names)),
        "tokens_per_name": _ratio(sum(lengths), len(names)),
        "one_mecab_word_share": _ratio(sum(len(segmenter.words(name)) == 1 for name in names), len(names)),
        "mentions": len(mentions),
        "mentions_one_token_share": _ratio(sum(word in short for word in mentions), len(mentions)),
    }


def _agreement(encoder: TextEncoder, segmenter: Segmenter, texts: Sequence[str]) -> dict[str, Any]:
    """On how many sentences the ids are the same with and without MeCab at run time."""
    sentences = [part for text in texts for part in _SENTENCE_END.split(text) if part.strip()]
    sample = sentences[:: max(1, len(sentences) // MAX_SENTENCES)][:MAX_SENTENCES]
    same = with_mecab = without = 0
    for sentence in sample:
        plain, split = encoder.encode_words([sentence]), encoder.encode_words(segmenter.words(sentence))
        same += plain == split
        without, with_mecab = without + len(plain), with_mecab + len(split)
    return {
        "sentences": len(sample),
        "same_share": _ratio(same, len(sample)),
        "tokens_plain": without,
        "tokens_mecab": with_mecab,
    }


def _ratio(part: float, whole: float, digits: int = 4) -> float | None:
    return round(part / whole, digits) if whole else None
