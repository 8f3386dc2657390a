"""A language model as the judge of free answers: a rubric, both orders of presentation, agreement with people.

Does: read the free answers of a finished evaluation, have each compared with its reference by a server's model, in both
orders, and say how far the judge agrees with itself and with given human scores. Does not: ask the judged model.

Position: judges favour what they read first (Wang et al. 2023, arXiv 2305.17926); so each pair is shown in both orders
and the two scores are averaged. Agreement: Spearman's rank correlation and linearly weighted kappa of whole scores.
"""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from igakulm.asking.client import Client, RequestError, ResponseStore
from igakulm.errors import InputError
from igakulm.evaluation.intervals import Resampler
from igakulm.evaluation.measured import Array, mean_of
from igakulm.evaluation.metrics import linear_kappa
from igakulm.files import read_jsonl, write_json, write_jsonl
from igakulm.tasks.fields import check_fields
from igakulm.tasks.items import Item

LOWEST, HIGHEST = 1, 5
RUBRIC = """5: 参照解答と医学的に同じ内容で、不足も誤りもない。
4: 要点はすべて正しいが、重要でない点が欠けている。
3: 要点の一部が欠けているか、重要でない誤りがある。
2: 要点の多くが欠けているか、重要な誤りがある。
1: 内容が違う、危険な誤りがある、または答えになっていない。"""
SYSTEM = (
    "あなたは医学の文章を採点する。長さ、文体、示された順番で点を変えない。参照解答を正しいものとする。"
    "基準：\n{rubric}\n最後の行に「点数：」と1から5の整数だけを書く。"
)
_SCORE = re.compile(r"(?:点数|score)\s*[:：]\s*\**\s*([1-5])(?!\d|\.\d)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Judged:
    """One answer: its scores with the reference shown first and last (None = unread), and their mean."""

    id: str
    answer: str
    reference: str
    first: int | None
    second: int | None
    score: float | None


def judge_messages(question: str, reference: str, answer: str, rubric: str, *, swapped: bool) -> list[dict[str, str]]:
    """The conversation that asks for a score; `swapped` shows the answer before the reference."""
    shown = [f"【参照解答】\n{reference}", f"【採点する解答】\n{answer}"]
    body = "\n\n".join(shown[::-1] if swapped else shown)
    return [
        {"role": "system", "content": SYSTEM.format(rubric=rubric)},
        {"role": "user", "content": f"【問題】\n{question}\n\n{body}"},
    ]


def read_score(text: str) -> int | None:
    """The score that a judge's answer ends with; None when it gives none, or two different ones.

    >>> read_score("要点は正しい。\\n点数：４"), read_score("よい"), read_score("点数：3\\n点数：4")
    (4, None, None)
    """
    found = set(_SCORE.findall(unicodedata.normalize("NFKC", text)))
    return int(found.pop()) if len(found) == 1 else None


def judge_file(
    path: Path,
    endpoint: str,
    name: str,
    out_dir: Path,
    *,
    rubric: str = RUBRIC,
    human: Path | None = None,
    concurrency: int = 8,
    samples: int = 2000,
    seed: int = 0,
) -> dict[str, Any]:
    """Judge the free answers of one file of an evaluation (`items/MODEL/TASK….jsonl`).

    Writes `judged.jsonl` and `judge.json`; what was asked is kept in `logs/judge.sqlite` and not asked again.

    Args:
        path: the file of answers.
        endpoint: the judge's OpenAI-compatible server.
        name: the judge's model there.
        out_dir: the folder that is written.
        rubric: what each score means.
        human: lines {"id", "score"} with people's scores from 1 to 5, whole or not.
        concurrency: requests at once.
        samples: of the bootstrap.
        seed: of the bootstrap.

    Returns:
        {"judge", "n", "documents", "score": {"value", "low", "high"}, "unread", "order": {"same", "kappa", "shift"},
        "human": {"n", "spearman", "kappa", "difference"} or None}. `shift` is the mean score with the reference first
        minus last: a judge without position bias has 0.

    Raises:
        InputError: no free answers in the file, a wrong file of human scores, or the server cannot be used.
    """
    rows = [row for row in read_jsonl(path) if row.get("kind") == "text"]
    if not rows:
        raise InputError("the file holds no free answers", where=str(path), hint="judge the items of a free-text task")
    out_dir.mkdir(parents=True, exist_ok=True)
    store = ResponseStore(out_dir / "logs" / "judge.sqlite")
    try:
        scores = asyncio.run(_asked(rows, endpoint, name, rubric, store, concurrency))
    finally:
        store.close()
    judged = [
        Judged(row["id"], row["answer"], row["gold"][0], *pair, fmean(known) if (known := _known(pair)) else None)
        for row, pair in zip(rows, scores, strict=True)
    ]
    write_jsonl(out_dir / "judged.jsonl", map(asdict, judged))
    result = {"judge": name, **_figures(judged, rows, samples, seed), "human": _agreement(judged, human)}
    write_json(out_dir / "judge.json", result)
    return result


def _known(pair: Sequence[int | None]) -> list[int]:
    return [score for score in pair if score is not None] if None not in pair else []


async def _asked(
    rows: Sequence[Mapping[str, object]], endpoint: str, name: str, rubric: str, store: ResponseStore, concurrency: int
) -> list[tuple[int | None, int | None]]:
    """Both scores of each row."""
    async with Client(endpoint, store=store, concurrency=concurrency) as client:

        async def one(row: Mapping[str, Any], swapped: bool) -> int | None:
            messages = judge_messages(row["prompt"], row["gold"][0], row["answer"], rubric, swapped=swapped)
            try:
                answer = await client.chat(name, messages, {"temperature": 0, "max_tokens": 512})
            except RequestError:
                return None
            return read_score(answer.text)

        found = await asyncio.gather(*(one(row, swapped) for row in rows for swapped in (False, True)))
    return list(zip(found[::2], found[1::2], strict=True))


def _figures(judged: Sequence[Judged], rows: Sequence[Mapping[str, Any]], samples: int, seed: int) -> dict[str, object]:
    """The mean score with its interval (an unread judgement counts as the lowest), and what the order changes."""
    items = [Item(row["id"], "", "text", "", (), ("",), sentences=tuple(row["documents"])) for row in rows]
    measured = mean_of("score", [one.score or LOWEST for one in judged], (LOWEST, HIGHEST))
    resampler = Resampler(items, samples, seed)
    low, high = resampler.interval(measured.statistics, measured.combine, measured.bounds)
    both = [(one.first, one.second) for one in judged if one.first is not None and one.second is not None]
    return {
        "n": len(judged),
        "documents": resampler.documents,
        "score": {"value": measured.value, "low": low, "high": high},
        "unread": sum(one.score is None for one in judged) / len(judged),
        "order": {
            "same": fmean(first == second for first, second in both) if both else None,
            "kappa": linear_kappa(both, HIGHEST) if both else None,
            "shift": fmean(first - second for first, second in both) if both else None,
        },
    }


def _agreement(judged: Sequence[Judged], human: Path | None) -> dict[str, Any] | None:
    """How far the judge agrees with people."""
    if human is None:
        return None
    given: dict[str, float] = {}
    for number, row in enumerate(read_jsonl(human), 1):
        where = f"{human}, row {number}"
        check_fields(row, ("id", "score"), where)
        score = row.get("score")
        if isinstance(score, bool) or not isinstance(score, (int, float)) or not LOWEST <= score <= HIGHEST:
            raise InputError(f"a score is a number from {LOWEST} to {HIGHEST}", where=where)
        given[str(row.get("id"))] = float(score)
    pairs = [(one.score, given[one.id]) for one in judged if one.score is not None and one.id in given]
    if len(pairs) < 2:
        raise InputError("people scored fewer than two of the judged answers", where=str(human), hint="give their ids")
    ours, theirs = (np.array(side) for side in zip(*pairs, strict=True))
    return {
        "n": len(pairs),
        "spearman": _spearman(ours, theirs),
        "kappa": linear_kappa([(round(a), round(b)) for a, b in pairs], HIGHEST),
        "difference": float((ours - theirs).mean()),
    }


def _spearman(first: Array, second: Array) -> float | None:
    """Correlation of mean ranks; None where one side is constant."""
    from scipy.stats import rankdata

    one, two = rankdata(first), rankdata(second)
    return None if one.std() == 0 or two.std() == 0 else float(np.corrcoef(one, two)[0, 1])
