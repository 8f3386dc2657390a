"""How near a free text comes to its references: matches, ROUGE and BLEU on MeCab words and on characters.

Does: compute one score for each item with the libraries rouge-score and sacrebleu. Does not: judge meaning (judge.py).

Sources: Lin 2004 (ROUGE); Papineni et al. 2002 (BLEU); Post 2018 (sacrebleu). Japanese has no spaces: words are MeCab's
with ipadic, as in section 2.2.2; characters are those of the NFKC text without white space.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable, Sequence
from types import ModuleType

import numpy as np

from igakulm.answering.reading import Prediction
from igakulm.errors import InputError
from igakulm.evaluation.measured import Array, Measured, mean_of
from igakulm.tasks.items import Item

HEADLINE = "rouge_l_words"
Tokens = list[str]


def text_metrics(items: Sequence[Item], predictions: Sequence[Prediction]) -> list[Measured]:
    """All metrics of free texts, the headline metric first; an unread answer scores 0.

    With several references the best counts for matches and ROUGE; BLEU uses all of them. `bleu_*` are corpus BLEU:
    counts of n-grams are summed over items before the quotient is taken, so that they can be resampled.

    Raises:
        InputError: the libraries are not installed.
    """
    answers = [prediction[0] if prediction else "" for prediction in predictions]
    references = [[item.answer[0], *(other[0] for other in item.also)] for item in items]
    pairs = list(zip(answers, references, strict=True))
    found: list[Measured] = []
    for name, split in (("words", words_of), ("characters", characters_of)):
        for kind in ("rougeL", "rouge1", "rouge2"):
            label = {"rougeL": "rouge_l", "rouge1": "rouge_1", "rouge2": "rouge_2"}[kind]
            scores = [max(rouge(answer, one, kind, split) for one in several) for answer, several in pairs]
            found.append(mean_of(f"{label}_{name}", scores))
        found.append(bleu(f"bleu_{name}", answers, references, split))
    exact = [float(answer.strip() in (one.strip() for one in several)) for answer, several in pairs]
    alike = [float(normalised(answer) in map(normalised, several) and bool(answer)) for answer, several in pairs]
    return [*found, mean_of("exact_match", exact), mean_of("normalised_match", alike)]


def normalised(text: str) -> str:
    """The text without differences of width, case, white space and punctuation.

    >>> normalised("ＣＲＰは 1.2 mg/dL。") == normalised("CRPは1.2mg/dl")
    True
    """
    return re.sub(r"[\s。、，,!！?？「」『』]|\.(?!\d)", "", unicodedata.normalize("NFKC", text)).casefold()


def words_of(text: str) -> Tokens:
    """MeCab's words of the NFKC text, without white space.

    >>> words_of("発熱と咳")
    ['発熱', 'と', '咳']
    """
    words = _segmenter()(unicodedata.normalize("NFKC", text))
    return [word.strip() for word in words if word.strip()]


def characters_of(text: str) -> Tokens:
    """Characters of the NFKC text, without white space."""
    return [sign for sign in unicodedata.normalize("NFKC", text) if not sign.isspace()]


@functools.cache
def _segmenter() -> Callable[[str], list[str]]:
    from igakulm.tokenizer.segment import Segmenter

    return Segmenter().words


class _Split:
    """rouge-score's form of a tokenizer."""

    def __init__(self, split: Callable[[str], Tokens]) -> None:
        self.tokenize = split


def rouge(answer: str, reference: str, kind: str, split: Callable[[str], Tokens]) -> float:
    """ROUGE F1 of one answer; `kind` is rouge1, rouge2 or rougeL.

    >>> round(rouge("発熱と咳", "咳と発熱", "rouge1", characters_of), 2)
    1.0
    """
    scorer = _library("rouge_score.rouge_scorer").RougeScorer([kind], tokenizer=_Split(split))
    return float(scorer.score(reference, answer)[kind].fmeasure)


def bleu(
    name: str, answers: Sequence[str], references: Sequence[Sequence[str]], split: Callable[[str], Tokens]
) -> Measured:
    """Corpus BLEU of all items, with sacrebleu's counts and its smoothing ("exp").

    Its statistics are sacrebleu's: lengths of answer and reference, then right and possible n-grams of orders 1 to 4.
    """
    scorer = _library("sacrebleu.metrics").BLEU(tokenize="none", effective_order=False)
    most = max(map(len, references))
    rows = []
    for answer, several in zip(answers, references, strict=True):
        texts = [" ".join(split(one)) for one in (*several, *[several[0]] * (most - len(several)))]
        found = scorer.corpus_score([" ".join(split(answer))], [[text] for text in texts])
        rows.append([found.sys_len, found.ref_len, *found.counts, *found.totals])
    statistics = np.array(rows, dtype=np.float64)

    def combine(sums: Array) -> Array:
        flat = sums.reshape(-1, sums.shape[-1])
        values = [
            scorer.compute_bleu(
                correct=[int(value) for value in row[2:6]],
                total=[int(value) for value in row[6:10]],
                sys_len=int(row[0]),
                ref_len=int(row[1]),
                smooth_method="exp",
            ).score
            / 100
            for row in flat
        ]
        return np.array(values).reshape(sums.shape[:-1])

    return Measured(name, statistics, combine)


def _library(name: str) -> ModuleType:
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = "rouge-score" if name.startswith("rouge") else "sacrebleu"
        hint = "pip install igakulm[text-metrics]"
        raise InputError(f"free texts are scored with {package}, which is not installed", hint=hint) from error
