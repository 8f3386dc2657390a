"""Baselines without a language model, answering in the same form as a parsed model answer.

Does: chance, always-a, majority, nearest, ngram, dictionary, tagger. Does not: score, or read benchmark files.
A baseline that is not defined for a task (no training rows, no entities) gives None and gets no row.
"""

from __future__ import annotations

import csv
import random
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from igakulm.answering.placing import place_items
from igakulm.answering.reading import Prediction
from igakulm.errors import InputError
from igakulm.tasks.items import LETTERS, Item
from igakulm.tasks.load import Split
from igakulm.text.compared_letters import plain_characters
from igakulm.text.tagger import Mark, Tagger

Predictions = list[Prediction]
TAG_KINDS = {"d": "disease", "m-key": "drug"}
"""Which names of the lexicon belong to which tag."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a baseline may use: training items of the task, a seed, and the lexicon's names by kind."""

    train: Sequence[Item] = ()
    seed: int = 0
    terms: Mapping[str, Sequence[str]] = field(default_factory=dict)


def predict(name: str, items: Sequence[Item], setting: Setting) -> Predictions | None:
    """The answers of a baseline to the items of one task, or None where it is not defined.

    Raises:
        InputError: an unknown baseline.
    """
    if name not in BASELINES:
        raise InputError(f"unknown baseline {name!r}", where="evaluate.baselines", hint="use " + ", ".join(BASELINES))
    return BASELINES[name](items, setting)


def predict_folds(name: str, task: str, folds: Sequence[Split], setting: Setting) -> Predictions | None:
    """The answers of a baseline to all rows of a task, each fold's from the training rows of its own split.

    For tasks that keep too few training rows in the document-disjoint split.

    Args:
        name: the baseline.
        task: a task with training rows.
        folds: all folds of one deal (`load_folds`); the answers follow their test items, fold after fold.
        setting: seed and terms; its training items are not used.

    Returns:
        None where the baseline is not defined for one of the folds.

    Raises:
        InputError: an unknown baseline.
    """
    pooled: Predictions = []
    for fold in folds:
        if fold.test[task]:
            found = predict(name, fold.test[task], replace(setting, train=fold.train[task]))
            if found is None:
                return None
            pooled += found
    return pooled


def chance(items: Sequence[Item], setting: Setting) -> Predictions | None:
    """One seeded draw for each item: as many letters as wanted; as many digits; for entities one span of 2 to 6
    characters of the document. Not defined for free text. Choices and numbers are scored by their expectation instead
    (`metrics.chance_metrics`).
    """
    if items[0].kind == "text":
        return None
    return [_draw(item, random.Random(f"{setting.seed}/{item.task}/{item.id}")) for item in items]


def _draw(item: Item, generator: random.Random) -> Prediction:
    if item.kind == "choice":
        return tuple(sorted(generator.sample(LETTERS[: len(item.choices)], max(1, item.wanted))))
    if item.kind == "number":
        return ("".join(generator.choices("0123456789", k=len(item.answer[0]))),)
    length = generator.randint(2, 6)
    start = generator.randint(0, max(0, len(item.document) - length))
    return (item.document[start : start + length],)


def always_a(items: Sequence[Item], setting: Setting) -> Predictions | None:
    """The first option (the first k where k answers are wanted); not defined for entities and free text."""
    if items[0].kind in ("entities", "text"):
        return None
    return [tuple(LETTERS[: max(1, item.wanted)]) if item.kind == "choice" else None for item in items]


def majority(items: Sequence[Item], setting: Setting) -> Predictions | None:
    """The most frequent training answer of the task; for entities the most frequent training entity of the tag.

    The text of the item is not looked at. Ties go to the answer that sorts first.
    """
    if not setting.train:
        return None
    if items[0].kind != "entities":
        answer = _most_frequent([item.answer for item in setting.train])
        return [answer] * len(items)
    return [(_most_frequent(_entities(setting.train, item.tag)),) for item in items]


def _most_frequent(values: Sequence[object]) -> Any:
    return min(Counter(values).items(), key=lambda pair: (-pair[1], pair[0]))[0]


def _entities(train: Sequence[Item], tag: str) -> list[str]:
    """All training entities of a tag, of all tags when it has none."""
    return [entity for item in train if item.tag == tag for entity in item.answer] or [
        entity for item in train for entity in item.answer
    ]


def nearest(items: Sequence[Item], setting: Setting) -> Predictions | None:
    """The answer of the nearest training row of the same tag (of any, if the tag is new): cosine of character
    1-4-grams, TF-IDF weighted.
    """
    if not setting.train:
        return None
    from sklearn.feature_extraction.text import TfidfVectorizer

    found: Predictions = [None] * len(items)
    for places, rows in _by_tag(items, setting.train):
        vectorise = TfidfVectorizer(analyzer="char", ngram_range=(1, 4), sublinear_tf=True)
        known = vectorise.fit_transform([_text(row) for row in rows])
        similar = (vectorise.transform([_text(items[place]) for place in places]) @ known.T).toarray()
        for place, best in zip(places, similar.argmax(axis=1), strict=True):
            found[place] = rows[int(best)].answer
    return found


def ngram(items: Sequence[Item], setting: Setting) -> Predictions | None:
    """Logistic regression on TF-IDF of character 1-4-grams, one against the rest, classes weighted to equal shares.

    Each n-gram counts once by itself and once together with the item's tag. Of similarity items, n-grams that both
    sentences share differ from those that only one has. The model predicts letters, so it learns nothing about options
    that change from question to question (examinations). Training rows of a single class give that class. Not defined
    for entities and without training rows; rows with several answers are not learned from.
    """
    rows = [row for row in setting.train if len(row.answer) == 1]
    classes = sorted({row.answer for row in rows})
    if items[0].kind != "choice" or not classes:
        return None
    if len(classes) == 1:
        return [classes[0]] * len(items)
    vectorise, model = _ngram_model(rows, setting.seed)
    return [(str(letter),) for letter in model.predict(vectorise.transform(items))]


def ngram_shares(items: Sequence[Item], setting: Setting) -> list[tuple[float, ...]] | None:
    """The probability of each option of each item, as the classifier of `ngram` sees it; letters that no training row
    answers get none. Defined where `ngram` is.
    """
    rows = [row for row in setting.train if len(row.answer) == 1]
    classes = sorted({row.answer[0] for row in rows})
    if items[0].kind != "choice" or not classes:
        return None
    if len(classes) == 1:
        return [tuple(float(letter == classes[0]) for letter in LETTERS[: len(item.choices)]) for item in items]
    vectorise, model = _ngram_model(rows, setting.seed)
    found = model.predict_proba(vectorise.transform(items))
    places = {str(letter): place for place, letter in enumerate(model.classes_)}
    return [
        tuple(float(row[places[letter]]) if letter in places else 0.0 for letter in LETTERS[: len(item.choices)])
        for item, row in zip(items, found, strict=True)
    ]


def _ngram_model(rows: Sequence[Item], seed: int) -> tuple[Any, Any]:
    """What turns items into features, and the fitted classifier of scikit-learn."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    vectorise = TfidfVectorizer(
        analyzer=_features, min_df=2 if len(rows) > 100 else 1, max_features=50_000, sublinear_tf=True
    )
    one = LogisticRegression(C=10.0, class_weight="balanced", solver="liblinear", tol=1e-3, random_state=seed)
    return vectorise, OneVsRestClassifier(one).fit(vectorise.fit_transform(rows), [row.answer[0] for row in rows])


def _features(item: Item) -> list[str]:
    """The features of an item for `ngram`."""
    if not item.sentences:
        plain = _grams(_text(item))
    else:
        first, second = (set(_grams(unicodedata.normalize("NFKC", sentence))) for sentence in item.sentences)
        both, either = sorted(first & second), sorted(first | second)
        tenths = 10 * len(both) // max(1, len(either))
        plain = [f"={gram}" for gram in both] + [f"!{gram}" for gram in sorted(first ^ second)]
        plain += [f"#{step}" for step in range(tenths)]
    return plain + [f"{item.tag}|{gram}" for gram in plain] if item.tag else plain


def _grams(text: str) -> list[str]:
    return [text[start : start + size] for size in range(1, 5) for start in range(len(text) - size + 1)]


def _text(item: Item) -> str:
    return unicodedata.normalize("NFKC", item.question)


def _by_tag(items: Sequence[Item], train: Sequence[Item]) -> list[tuple[list[int], list[Item]]]:
    """For each tag: the places of its items, and its training rows (all rows when it has none)."""
    groups = []
    for tag in sorted({item.tag for item in items}):
        rows = [row for row in train if row.tag == tag] or list(train)
        groups.append(([place for place, item in enumerate(items) if item.tag == tag], rows))
    return groups


def dictionary(items: Sequence[Item], setting: Setting) -> Predictions | None:
    """Entities that stand in the text: training entities of the tag and names of the lexicon, longest match from the
    left, compared after NFKC character by character. Not defined for choices.
    """
    if items[0].kind != "entities" or not (setting.train or setting.terms):
        return None
    known = {item.tag: _names(item.tag, setting) for item in items}
    return [find_names(item.document, known[item.tag]) for item in items]


def _names(tag: str, setting: Setting) -> frozenset[str]:
    own = [entity for row in setting.train if row.tag == tag for entity in row.answer]
    terms = setting.terms.get(TAG_KINDS.get(tag, ""), ())
    names = (unicodedata.normalize("NFKC", name) for name in (*own, *terms))
    return frozenset(name for name in names if len(name) >= 2)


def find_names(text: str, names: frozenset[str]) -> tuple[str, ...]:
    """The names found in a text, each once, as the text writes them; the longest one at each place, from the left.

    >>> find_names("発熱とＣＲＰ上昇", frozenset({"発熱", "CRP", "CRP上昇"}))
    ('発熱', 'ＣＲＰ上昇')
    """
    plain = plain_characters(text)
    lengths = sorted({len(name) for name in names}, reverse=True)
    found: list[str] = []
    place = 0
    while place < len(plain):
        length = next((size for size in lengths if plain[place : place + size] in names), 0)
        if length:
            found.append(text[place : place + length])
        place += length or 1
    return tuple(dict.fromkeys(found))


def tagger(items: Sequence[Item], setting: Setting) -> Predictions | None:
    """Entities that a linear tagger over characters finds, trained on the training rows of the tag (of all, if the tag
    is new). Rows without a document, and strings that their document does not hold, teach nothing. Not defined for
    choices, nor where no training row names a string of its document.
    """
    if items[0].kind != "entities":
        return None
    found: Predictions = [None] * len(items)
    for places, rows in _by_tag(items, setting.train):
        marks = [marks_of(row) for row in rows]
        if not any(marks):
            return None
        trained = Tagger.train([row.document for row in rows], marks)
        for place in places:
            text = items[place].document
            found[place] = tuple(dict.fromkeys(text[one.start : one.end] for one in trained.find(text)))
    return found


def marks_of(item: Item) -> list[Mark]:
    """Where the answers of a row stand in its document."""
    return [Mark(place.start, place.end, "") for place in place_items(item.answer, item.document)[0]]


def read_terms(folder: Path | None) -> dict[str, list[str]]:
    """Names by kind ("disease", "drug") of a lexicon folder's `terms.tsv`; nothing without a folder.

    Raises:
        InputError: the file or its columns are missing.
    """
    if folder is None:
        return {}
    path = folder / "terms.tsv"
    if not path.is_file():
        raise InputError("the lexicon holds no terms.tsv", where=str(path), hint="run the stage lexicon first")
    terms: dict[str, list[str]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        if not {"term", "kind"} <= set(reader.fieldnames or ()):
            raise InputError("terms.tsv needs the columns term and kind", where=str(path))
        for row in reader:
            terms.setdefault(row["kind"] or "", []).append(row["term"])
    return terms


BASELINES: dict[str, Callable[[Sequence[Item], Setting], Predictions | None]] = {
    "chance": chance,
    "always-a": always_a,
    "majority": majority,
    "nearest": nearest,
    "ngram": ngram,
    "dictionary": dictionary,
    "tagger": tagger,
}
