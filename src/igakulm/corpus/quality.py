"""Quality as the paper did it (section 2.2.1): a model labels a sample, a classifier on embeddings judges all.

Does: sample, label (annotate.py), embed (embed.py), train and cross-validate (forest.py), choose the threshold, judge
every document; beside it a character n-gram model on the same labels, with the agreement and the cost of both.
Answers, vectors and scores are kept in `work_dir` as they come: a broken run goes on where it stopped.
Does not: drop documents (build_corpus.py does), or claim that the labels are right: the report says their worth.

Labelled documents are judged by a classifier that has not seen them (the cross-validation's), as the threshold assumes.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from igakulm.asking.client import Retry
from igakulm.asking.llamacpp_server import serve_gguf
from igakulm.asking.store import ResponseStore
from igakulm.corpus.annotate import Label, label_documents
from igakulm.corpus.embed import Embedder, Vectors, open_embedder
from igakulm.corpus.forest import (
    Labels,
    Model,
    Scores,
    choose_threshold,
    folds_of,
    held_out_scores,
    load_model,
    ngram_features,
    save_model,
    score_ngram,
    score_vectors,
    train_forest,
    train_ngram,
)
from igakulm.corpus.quality_figures import (
    agreement,
    cross_validation,
    is_good,
    label_figures,
    repeat_figures,
    warnings,
)
from igakulm.corpus.quality_keys import check_keys, named_embedder
from igakulm.corpus.quality_parts import in_parts
from igakulm.corpus.quality_report import as_markdown
from igakulm.corpus.rubric import excerpt
from igakulm.corpus.sample import Places, choose_documents
from igakulm.errors import InputError
from igakulm.files import read_documents, sha256_file, write_json, write_jsonl, write_text
from igakulm.progress import Progress
from igakulm.recipe.schema import Quality

_QUESTION_TOKENS = 1024  # room for the rubric and the answer beside a document's tokens


@dataclass(frozen=True)
class Verdict:
    """What becomes of each document, in the order of `read_documents`.

    `scores` float32 (documents,), NaN where a document's source is not judged; `keep` bool (documents,);
    `report` is what stands in report.json.
    """

    scores: Scores
    keep: Labels
    threshold: float
    report: dict[str, Any]


@dataclass
class _Cost:
    """Seconds and documents of each kind of work done now (not found in `work_dir`): for logs only."""

    seconds: dict[str, float] = field(default_factory=dict)
    documents: Counter[str] = field(default_factory=Counter)
    requests: dict[str, dict[str, int]] = field(default_factory=dict)

    @contextmanager
    def of(self, work: str, documents: int) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[work] = self.seconds.get(work, 0.0) + time.perf_counter() - start
        self.documents[work] += documents

    def as_json(self) -> dict[str, Any]:
        rows = {
            work: {
                "documents": self.documents[work],
                "seconds": round(seconds, 3),
                "seconds_per_1000_documents": round(1000 * seconds / max(1, self.documents[work]), 3),
            }
            for work, seconds in self.seconds.items()
        }
        return {"work": rows, "requests": self.requests}


@dataclass
class _Judge:
    """One classifier: its held-out scores of the labelled documents and its threshold."""

    model: Model
    held_out: Scores
    threshold: float
    figures: dict[str, Any]

    @property
    def decisions(self) -> Labels:
        return self.held_out >= np.float32(self.threshold)


@dataclass
class _Work:
    """What all steps share."""

    section: Quality
    documents: Path
    work_dir: Path
    out_dir: Path
    logs_dir: Path
    progress: Progress
    retry: Retry | None
    cost: _Cost = field(default_factory=_Cost)


def judge_documents(
    section: Quality,
    documents: Path,
    work_dir: Path,
    out_dir: Path,
    progress: Progress,
    *,
    logs_dir: Path | None = None,
    retry: Retry | None = None,
) -> Verdict:
    """Judge a folder of document shards.

    Args:
        section: the recipe's `corpus.quality`; `enabled` is the caller's business.
        documents: shards as `files.write_documents` writes them, duplicates already dropped.
        work_dir: vectors and scores that a broken run resumes from; may be deleted afterwards.
        out_dir: gets report.json, labels.jsonl, forest.skops and ngram.skops.
        progress: shows what is done.
        logs_dir: gets quality.json and quality.md (the report with the cost of both classifiers), and the model's
            answers, quality-answers.sqlite, if `section.answers` names no file; None = `work_dir`.
        retry: how patient the client is, for tests.

    Raises:
        InputError: a key is missing; an endpoint or a model cannot be used; no document is judged; the labels are too
            few or too alike to learn from; the wanted precision is out of reach. Finished answers are kept.
    """
    logs_dir = work_dir if logs_dir is None else logs_dir
    work = _Work(section, documents, work_dir, out_dir, logs_dir, progress, retry)
    check_keys(section)
    total, judged, sampled = choose_documents(documents, section.sources, section.sample, section.seed)
    if not judged.size:
        raise InputError("there is no document to judge", where="corpus.quality.sources", hint="check the names")
    texts = {place: excerpt(text, section.max_characters) for place, text in _texts(documents, sampled)}
    answers = Path(section.answers) if section.answers else logs_dir / "quality-answers.sqlite"
    with closing(ResponseStore(answers)) as store, _local_endpoint(section) as local:
        endpoint = section.endpoint or local or ""
        labels = _ask(work, texts, endpoint, store, "label")
        repeated = _ask(work, _repeat_sample(texts, labels, section.repeat), endpoint, store, "repeat")
        embedder = _embedder(section, local, retry)
        return _judge(work, total, judged, texts, labels, repeated, embedder)


@contextmanager
def _local_endpoint(section: Quality) -> Iterator[str | None]:
    if section.gguf is None:
        yield None
        return
    # Tokenizers spend up to 1.3 tokens on a Japanese character; rare characters up to 3.
    context = section.max_characters * 3 // 2 + _QUESTION_TOKENS
    with serve_gguf(Path(section.gguf), context, slots=section.concurrency, embeddings=True) as endpoint:
        yield endpoint


def _embedder(section: Quality, local: str | None, retry: Retry | None) -> Embedder | None:
    """The embedder, or None where the n-gram model is chosen and no embeddings are configured."""
    if section.classifier == "ngram" and named_embedder(section) is None:
        return None
    return open_embedder(section, local, retry)


def _texts(folder: Path, places: Places) -> Iterator[tuple[int, str]]:
    """The texts at sorted places."""
    wanted = iter(places.tolist())
    following = next(wanted, None)
    for place, document in enumerate(read_documents(folder)):
        if place == following:
            yield place, document.text
            following = next(wanted, None)
            if following is None:
                return


def _ask(work: _Work, texts: dict[int, str], endpoint: str, store: ResponseStore, name: str) -> dict[int, Label]:
    with work.progress.task(f"quality: {name}", len(texts), "documents") as task, work.cost.of(name, len(texts)):
        labels, counts = label_documents(
            texts.items(), work.section, endpoint, store, task, reverse=name == "repeat", retry=work.retry
        )
    work.cost.requests[name] = counts
    return labels


def _repeat_sample(texts: dict[int, str], labels: dict[int, Label], count: int) -> dict[int, str]:
    """Texts with a valid label, spread evenly."""
    valid = [place for place, label in labels.items() if label.scores is not None]
    chosen = np.unique(np.linspace(0, len(valid) - 1, min(count, len(valid))).astype(int))
    return {valid[place]: texts[valid[place]] for place in chosen}


def _judge(
    work: _Work,
    total: int,
    judged: Places,
    texts: dict[int, str],
    labels: dict[int, Label],
    repeated: dict[int, Label],
    embedder: Embedder | None,
) -> Verdict:
    section = work.section
    places = np.array([place for place, label in labels.items() if label.scores is not None], np.int64)
    good = np.array([is_good(labels[place], section) for place in places.tolist()], bool)
    folds = folds_of(good, section.folds, section.seed)
    sample = [texts[place] for place in places.tolist()]
    judges = {"ngram": _train_ngram(work, sample, good, folds)}
    if embedder is not None:
        vectors = _embed_sample(work, texts, embedder)[np.searchsorted(np.array(list(texts)), places)]
        judges["forest"] = _train_forest(work, vectors, good, folds)
    chosen = judges[section.classifier]
    found = {name: np.full(total, np.nan, np.float32) for name in judges if name in ("ngram", section.classifier)}
    for name, scores in found.items():
        scores[places] = judges[name].held_out
        _score_others(work, name, judges[name], scores, np.setdiff1d(judged, places), embedder)
    keep = np.ones(total, bool)
    keep[judged] = found[section.classifier][judged] >= np.float32(chosen.threshold)
    report = _report(work, judged, labels, repeated, judges, keep)
    if len(found) == 2:
        ngram = found["ngram"][judged] >= np.float32(judges["ngram"].threshold)
        report["agreement"]["all_documents"] = agreement(keep[judged], ngram)
    _write(work, labels, report)
    return Verdict(found[section.classifier], keep, chosen.threshold, report)


def _train(
    work: _Work,
    name: str,
    features: Any,
    good: Labels,
    folds: npt.NDArray[np.int8],
    train: Callable[[Any, Labels], Model],
    score: Callable[[Model, Any], Scores],
) -> _Judge:
    """Cross-validate, choose the threshold, train on all, and go on with what the stored file says."""
    section = work.section
    with work.cost.of(f"{name}: cross-validate", good.size):
        held_out = held_out_scores(features, good, folds, train, score)
    with work.cost.of(f"{name}: train", good.size):
        model = train(features, good)
    path = work.out_dir / f"{name}.skops"
    if name == "forest":
        model.n_jobs = 1
    save_model(path, model)
    figures = cross_validation(held_out, good, folds, section.min_precision, section.keep_share)
    try:
        threshold = choose_threshold(held_out, good, section.min_precision, section.keep_share)
    except InputError:
        if name == section.classifier:
            raise
        threshold = float("inf")  # the one that stands beside it may fail
    return _Judge(load_model(path), held_out, threshold, figures)


def _train_ngram(work: _Work, sample: list[str], good: Labels, folds: npt.NDArray[np.int8]) -> _Judge:
    def train(features: Any, labels: Labels) -> Model:
        return train_ngram(features, labels, seed=work.section.seed)

    work.progress.say("quality: training the n-gram model")
    return _train(work, "ngram", ngram_features(sample), good, folds, train, score_ngram)


def _embed_sample(work: _Work, texts: dict[int, str], embedder: Embedder) -> Vectors:
    """Vectors of all sampled documents, so that they do not depend on which labels are valid."""

    def embed(batch: list[str]) -> npt.NDArray[np.generic]:
        with work.cost.of("embed", len(batch)):
            return embedder.embed(batch).astype(np.float16)

    rows: list[Vectors] = []
    with work.progress.task("quality: embed the sample", len(texts), "documents") as task:
        for batch, vectors in in_parts(texts.items(), embed, embedder.name, work.work_dir / "vectors"):
            rows.append(vectors.astype(np.float32))
            task.advance(len(batch))
    return np.concatenate(rows)


def _train_forest(work: _Work, vectors: Vectors, good: Labels, folds: npt.NDArray[np.int8]) -> _Judge:
    section = work.section

    def train(vectors: Any, labels: Labels) -> Model:
        return train_forest(vectors, labels, trees=section.trees, workers=section.workers, seed=section.seed)

    work.progress.say("quality: training the forest")
    return _train(work, "forest", vectors, good, folds, train, score_vectors)


def _score_others(
    work: _Work, name: str, judge: _Judge, scores: Scores, places: Places, embedder: Embedder | None
) -> None:
    """Fill in the scores of documents that have no label."""

    def score(batch: list[str]) -> npt.NDArray[np.generic]:
        if name == "ngram" or embedder is None:
            with work.cost.of("ngram: score", len(batch)):
                return score_ngram(judge.model, ngram_features(batch))
        with work.cost.of("embed", len(batch)):
            vectors = embedder.embed(batch).astype(np.float16).astype(np.float32)
        with work.cost.of("forest: score", len(batch)):
            return score_vectors(judge.model, vectors)

    texts = ((place, excerpt(text, work.section.max_characters)) for place, text in _texts(work.documents, places))
    key = sha256_file(work.out_dir / f"{name}.skops") + (embedder.name if embedder is not None else "")
    with work.progress.task(f"quality: judge by {name}", places.size, "documents") as task:
        for batch, found in in_parts(texts, score, key, work.work_dir / f"{name}-scores"):
            scores[batch] = found
            task.advance(len(batch))


def _report(
    work: _Work,
    judged: Places,
    labels: dict[int, Label],
    repeated: dict[int, Label],
    judges: dict[str, _Judge],
    keep: Labels,
) -> dict[str, Any]:
    section = work.section
    report: dict[str, Any] = {
        "documents": int(keep.size),
        "judged": int(judged.size),
        "kept": int(keep[judged].sum()),
        "classifier": section.classifier,
        "threshold": judges[section.classifier].threshold,
        "labels": label_figures(labels, section),
        "repeat": repeat_figures(labels, repeated, section),
        "classifiers": {name: judge.figures for name, judge in judges.items()},
        "agreement": {},
    }
    if len(judges) == 2:
        report["agreement"]["held_out"] = agreement(judges["forest"].decisions, judges["ngram"].decisions)
    report["warnings"] = warnings(report)
    return report


def _write(work: _Work, labels: dict[int, Label], report: dict[str, Any]) -> None:
    documents = ((place, doc) for place, doc in enumerate(read_documents(work.documents)) if place in labels)
    rows = (
        {
            "id": document.id,
            "source": document.source,
            "status": labels[place].status,
            **(labels[place].scores or {}),
            "good": is_good(labels[place], work.section) if labels[place].scores else None,
            "attempts": labels[place].attempts,
        }
        for place, document in documents
    )
    write_jsonl(work.out_dir / "labels.jsonl", rows)
    write_json(work.out_dir / "report.json", report)
    cost = work.cost.as_json()
    write_json(work.logs_dir / "quality.json", cost)
    write_text(work.logs_dir / "quality.md", as_markdown(report, cost))
