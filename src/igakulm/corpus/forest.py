"""Two classifiers of quality: a random forest on embeddings (section 2.2.1) and a linear model of character n-grams.

Does: train, score, cross-validate, choose a threshold; store and load without pickle (skops), byte for byte the same
for the same classifier. Does not: ask or embed, or know what the labels mean.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from igakulm.corpus.embed import Vectors
from igakulm.errors import InputError
from igakulm.files import atomic_path

Labels = npt.NDArray[np.bool_]
Scores = npt.NDArray[np.float32]
Model = Any
TRUSTED = ("sklearn.tree._tree.Tree",)
"""Types in our files beyond those that skops trusts by itself; a file with any other is refused."""
NGRAM_FEATURES = 2**18
MIN_KEPT = 10  # a threshold that keeps fewer documents of the sample rests on chance
_DATE = (1980, 1, 1, 0, 0, 0)


def train_forest(vectors: Vectors, good: Labels, *, trees: int, workers: int, seed: int) -> Model:
    """A random forest (Breiman 2001) with scikit-learn's defaults; the number of workers changes nothing."""
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(trees, random_state=seed, n_jobs=workers or -1).fit(vectors, good)


def score_vectors(model: Model, vectors: Vectors) -> Scores:
    """The trees' mean probability of good, for each vector."""
    model.n_jobs = 1  # threads would add the trees' probabilities in any order, and the sums differ in the last bit
    scores: Scores = model.predict_proba(vectors)[:, 1].astype(np.float32)
    return scores


def ngram_features(texts: Sequence[str]) -> object:
    """Hashed counts of single characters and pairs, rows of unit length: a sparse matrix (texts, 2^18)."""
    from sklearn.feature_extraction.text import HashingVectorizer

    vectorizer = HashingVectorizer(
        analyzer="char", ngram_range=(1, 2), n_features=NGRAM_FEATURES, lowercase=False, dtype=np.float32
    )
    return vectorizer.transform(texts)


def train_ngram(features: object, good: Labels, *, seed: int) -> Model:
    """Logistic regression."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=10.0, solver="liblinear", random_state=seed).fit(features, good)


def score_ngram(model: Model, features: object) -> Scores:
    """The probability of good, for each row."""
    scores: Scores = model.predict_proba(features)[:, 1].astype(np.float32)
    return scores


def folds_of(good: Labels, folds: int, seed: int) -> npt.NDArray[np.int8]:
    """The fold of each document, both labels spread evenly.

    Raises:
        InputError: a label is rarer than the folds.
    """
    from sklearn.model_selection import StratifiedKFold

    rarest = int(min(good.sum(), (~good).sum()))
    if rarest < folds:
        what = f"{int(good.sum())} documents are labelled good and {int((~good).sum())} bad: too few to learn from"
        hint = "label a larger sample, move min_education, min_coherence or max_harm, or take an instruct model"
        raise InputError(what, where="corpus.quality", hint=hint)
    found = np.empty(good.size, np.int8)
    split = StratifiedKFold(folds, shuffle=True, random_state=seed).split(np.zeros(good.size), good)
    for fold, (_, places) in enumerate(split):
        found[places] = fold
    return found


def held_out_scores(
    features: Any,
    good: Labels,
    folds: npt.NDArray[np.int8],
    train: Callable[[Any, Labels], Model],
    score: Callable[[Model, Any], Scores],
) -> Scores:
    """Each document's score by a classifier that was trained without its fold."""
    scores = np.empty(good.size, np.float32)
    for fold in range(int(folds.max()) + 1):
        held = np.flatnonzero(folds == fold)
        others = np.flatnonzero(folds != fold)
        scores[held] = score(train(features[others], good[others]), features[held])
    return scores


def choose_threshold(
    scores: Scores, good: Labels, min_precision: float | None = None, keep_share: float | None = None
) -> float:
    """The score from which a document is kept.

    With `min_precision` the lowest score from which at least that share of the documents is good; with `keep_share`
    the score that this share of the documents reaches; with neither 0.5, from which the classifier itself says good.

    Raises:
        InputError: no threshold that keeps at least 10 documents has the wanted precision.

    >>> scores = np.linspace(0, 1, 40, dtype=np.float32)
    >>> good = scores > 0.4
    >>> round(choose_threshold(scores, good, min_precision=1.0), 2), round(choose_threshold(scores, good), 2)
    (0.41, 0.5)
    """
    if min_precision is None and keep_share is None:
        return 0.5
    order = np.argsort(-scores, kind="stable")
    if keep_share is not None:
        return float(scores[order[max(1, round(keep_share * scores.size)) - 1]])
    kept = np.arange(1, scores.size + 1)
    precision = np.cumsum(good[order]) / kept
    # Documents of one score are kept or dropped together.
    last_of_score = np.append(np.diff(scores[order]) != 0, True)
    usable = np.flatnonzero(last_of_score & (kept >= MIN_KEPT))
    reached = usable[precision[usable] >= (min_precision or 0.0)]
    if not reached.size:
        best = float(precision[usable].max()) if usable.size else 0.0
        what = f"no threshold reaches this precision in cross-validation; the best is {best:.3f}"
        raise InputError(
            what, where="corpus.quality.min_precision", hint="lower it, or give keep_share; labels are kept"
        )
    return float(scores[order[reached[-1]]])


def save_model(path: Path, model: Model) -> None:
    """Write a classifier as a skops file.

    skops names parts by their addresses in memory and stamps them with the time; both are replaced by their order, so
    that the same classifier gives the same bytes.

    Raises:
        InputError: skops is not installed.
    """
    with zipfile.ZipFile(io.BytesIO(_skops().dumps(model))) as packed:
        parts = {name: packed.read(name) for name in packed.namelist()}
    schema = json.loads(parts.pop("schema.json"))
    numbers: dict[int, int] = {}
    files: dict[str, str] = {}

    def renumber(value: object) -> object:
        if isinstance(value, list):
            return [renumber(item) for item in value]
        if not isinstance(value, dict):
            return value
        found = {name: renumber(item) for name, item in value.items() if name not in ("__id__", "file")}
        if "__id__" in value:
            found["__id__"] = numbers.setdefault(value["__id__"], len(numbers))
        if "file" in value:
            suffix = Path(value["file"]).suffix
            found["file"] = files.setdefault(value["file"], f"{len(files):06d}{suffix}")
        return found

    text = json.dumps(renumber(schema), indent=1)
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as file:
        for old, new in files.items():
            file.writestr(zipfile.ZipInfo(new, _DATE), parts[old], zipfile.ZIP_DEFLATED)
        file.writestr(zipfile.ZipInfo("schema.json", _DATE), text, zipfile.ZIP_DEFLATED)


def load_model(path: Path) -> Model:
    """Read a classifier that `save_model` wrote.

    Raises:
        InputError: the file is damaged or holds types that a classifier does not need, or skops is not installed.
    """
    skops = _skops()
    try:
        unknown = sorted(set(skops.get_untrusted_types(file=path)) - set(TRUSTED))
        if unknown:
            what = f"the file holds types that are not trusted: {', '.join(unknown)}"
            raise InputError(what, where=str(path))
        return skops.load(path, trusted=list(TRUSTED))
    except (OSError, zipfile.BadZipFile, KeyError, TypeError, ValueError) as error:
        raise InputError(f"this is no stored classifier: {error}", where=str(path)) from error


def _skops() -> Any:
    try:
        import skops.io
    except ImportError as error:
        hint = "pip install 'igakulm[quality]'"
        raise InputError("storing a classifier needs the package skops", hint=hint) from error
    return skops.io
