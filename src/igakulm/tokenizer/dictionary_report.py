"""What the user dictionary does inside sentences: the part `user_dictionary` of report.json.

Does: put names into sentences and see whether each stays one word; compare the word borders of general sentences with
and without the dictionary. Does not: build dictionaries, or know tokens.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from igakulm.tokenizer.segment import Segmenter

CARRIERS = (
    "患者は{}と診断され、入院した。",
    "既往歴に{}があり、経過をみている。",
    "{}を疑い検査を行ったが、異常はなかった。",
    "今回、{}に対して治療を開始した。",
    "本例では{}の可能性は低い。",
)
"""Sentences of our own: a name after a particle, at the start, after a comma, and before several particles."""
MAX_NAMES = 4000
MAX_SENTENCES = 20_000
MAX_EXAMPLES = 5
_SENTENCE_END = re.compile(r"(?<=。)|\n")


def measure_user_dictionary(
    names: Sequence[str], general: Sequence[str], user_dictionary: Path | None
) -> dict[str, Any] | None:
    """Measure a user dictionary in context; None without one.

    Args:
        names: the names that it holds, sorted; at most 4,000 evenly spaced ones are tried.
        general: texts of general documents that training did not see; their first 20,000 sentences are compared.
        user_dictionary: the compiled dictionary.

    Returns:
        `names`, `names_tried`, `contexts` (names x carrier sentences), `one_word_share`, `broken_examples`,
        `general_sentences`, `moved_border_share` (a border that is not inside a name differs), `moved_examples`,
        `with_names_share`. Shares are 0..1, None where there is nothing to measure.
    """
    if user_dictionary is None:
        return None
    with_names, without = Segmenter(user_dictionary), Segmenter()
    tried = names[:: -(-len(names) // MAX_NAMES) or 1]
    broken = [
        text.strip()
        for name in tried
        for carrier in CARRIERS
        if not _stays_whole(with_names, name, text := carrier.format(name), carrier.index("{}"))
    ]
    sentences = [part for text in general for part in _SENTENCE_END.split(text) if part.strip()][:MAX_SENTENCES]
    known = set(names)
    changes = [_change(with_names.words(text), without.words(text), known) for text in sentences]
    contexts = len(tried) * len(CARRIERS)
    return {
        "names": len(names),
        "names_tried": len(tried),
        "contexts": contexts,
        "one_word_share": _share(contexts - len(broken), contexts),
        "broken_examples": broken[:: max(1, len(broken) // MAX_EXAMPLES)][:MAX_EXAMPLES],
        "general_sentences": len(sentences),
        "moved_border_share": _share(changes.count("moved"), len(sentences)),
        "moved_examples": [
            "|".join(with_names.words(text))
            for text, change in zip(sentences, changes, strict=True)
            if change == "moved"
        ][:MAX_EXAMPLES],
        "with_names_share": _share(len(changes) - changes.count("same"), len(sentences)),
    }


def _stays_whole(segmenter: Segmenter, name: str, text: str, start: int) -> bool:
    borders = set(accumulate(map(len, segmenter.words(text)), initial=0))
    inside = range(start + 1, start + len(name))
    return {start, start + len(name)} <= borders and borders.isdisjoint(inside)


def _change(with_names: Sequence[str], without: Sequence[str], known: set[str]) -> str:
    """ "same", "joined" (only borders inside names are gone) or "moved"."""
    ends = list(accumulate(map(len, with_names)))
    before, after = set(accumulate(map(len, without))), set(ends)
    if before == after:
        return "same"
    spans = (
        range(end - len(word) + 1, end) for word, end in zip(with_names, ends, strict=True) if word.strip() in known
    )
    inside = {border for span in spans for border in span}
    return "joined" if after <= before and before - after <= inside else "moved"


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None
