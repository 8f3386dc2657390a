import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from igakulm.corpus import forest
from igakulm.corpus.embed import Vectors
from igakulm.corpus.forest import Labels, Scores
from igakulm.corpus.quality_figures import agreement, cross_validation, precision_recall, reliability, roc_area
from igakulm.errors import InputError


@pytest.fixture(scope="module")
def material() -> tuple[Vectors, Labels]:
    """Vectors whose first number decides, but for one label in ten."""
    random = np.random.default_rng(0)
    vectors = random.normal(size=(300, 12)).astype(np.float32)
    return vectors, (vectors[:, 0] > 0.3) ^ (random.random(300) < 0.1)


def train(vectors: Vectors, good: Labels, workers: int = 1) -> forest.Model:
    model = forest.train_forest(vectors, good, trees=30, workers=workers, seed=0)
    model.n_jobs = 1
    return model


def test_stored_and_loaded_a_forest_gives_the_same_scores(tmp_path: Path, material: tuple[Vectors, Labels]) -> None:
    model = train(*material)
    forest.save_model(tmp_path / "a.skops", model)
    forest.save_model(tmp_path / "b.skops", train(*material, workers=2))
    assert (tmp_path / "a.skops").read_bytes() == (tmp_path / "b.skops").read_bytes()
    loaded = forest.load_model(tmp_path / "a.skops")
    assert np.array_equal(forest.score_vectors(loaded, material[0]), forest.score_vectors(model, material[0]))


def test_stored_and_loaded_an_ngram_model_gives_the_same_scores(tmp_path: Path) -> None:
    features = forest.ngram_features(["心臓は動く。", "半額で買う。", "肺は息をする。", "今すぐ買う。"] * 5)
    good = np.array([True, False] * 10)
    model = forest.train_ngram(features, good, seed=0)
    forest.save_model(tmp_path / "a.skops", model)
    scores = forest.score_ngram(forest.load_model(tmp_path / "a.skops"), features)
    assert np.array_equal(scores, forest.score_ngram(model, features))
    assert ((scores > 0.5) == good).all()


def test_a_file_with_other_types_is_refused(tmp_path: Path) -> None:
    import skops.io

    path = tmp_path / "strange.skops"
    path.write_bytes(skops.io.dumps({"model": zipfile.ZipFile}))
    with pytest.raises(InputError, match="not trusted: zipfile"):
        forest.load_model(path)


@pytest.mark.parametrize("content", [b"", b"no zip", None])
def test_a_damaged_file_is_one_message(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "damaged.skops"
    if content is None:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as file:
            file.writestr("schema.json", "{}")
        content = packed.getvalue()
    path.write_bytes(content)
    with pytest.raises(InputError, match="no stored classifier"):
        forest.load_model(path)


def test_held_out_scores_know_nothing_of_random_labels() -> None:
    random = np.random.default_rng(1)
    vectors = random.normal(size=(400, 8)).astype(np.float32)
    good = random.random(400) < 0.5
    folds = forest.folds_of(good, 5, 0)
    held_out = forest.held_out_scores(vectors, good, folds, train, forest.score_vectors)
    seen = forest.score_vectors(train(vectors, good), vectors)
    assert roc_area(seen, good)[0] > 0.99
    area, low, high = roc_area(held_out, good)
    assert low < 0.5 < high
    assert 0.4 < area < 0.6


def test_folds_spread_both_labels(material: tuple[Vectors, Labels]) -> None:
    good = material[1]
    folds = forest.folds_of(good, 5, 0)
    shares = [good[folds == fold].mean() for fold in range(5)]
    assert max(shares) - min(shares) < 0.03
    with pytest.raises(InputError, match="3 documents are labelled good and 47 bad"):
        forest.folds_of(np.arange(50) < 3, 5, 0)


def figures(scores: list[float], good: list[int]) -> tuple[Scores, Labels]:
    return np.array(scores, np.float32), np.array(good, bool)


def test_the_threshold_of_a_wanted_precision_keeps_as_many_as_possible() -> None:
    random = np.random.default_rng(2)
    scores = random.random(500).astype(np.float32)
    good = random.random(500) < scores
    for wanted in (0.6, 0.7, 0.8, 0.9):
        threshold = forest.choose_threshold(scores, good, min_precision=wanted)
        assert precision_recall(scores >= np.float32(threshold), good)["precision"] >= wanted
        lower = [score for score in np.unique(scores) if score < np.float32(threshold)]
        assert all(precision_recall(scores >= score, good)["precision"] < wanted for score in lower)


def test_documents_of_one_score_stay_together() -> None:
    scores, good = figures([0.9] * 12 + [0.5] * 8, [1] * 9 + [0] * 3 + [1] * 8)
    assert forest.choose_threshold(scores, good, min_precision=0.76) == pytest.approx(0.5)
    with pytest.raises(InputError, match=r"the best is 0\.850"):
        forest.choose_threshold(scores, good, min_precision=0.9)


def test_the_threshold_of_a_kept_share() -> None:
    scores, good = figures([i / 100 for i in range(100)], [0, 1] * 50)
    for share in (0.01, 0.25, 0.5, 0.99):
        threshold = forest.choose_threshold(scores, good, keep_share=share)
        assert (scores >= np.float32(threshold)).mean() == pytest.approx(share)


def test_area_and_interval() -> None:
    random = np.random.default_rng(3)
    scores = np.round(random.random(200), 1).astype(np.float32)  # many ties
    good = random.random(200) < scores
    area, low, high = roc_area(scores, good)
    assert area == pytest.approx(roc_auc_score(good, scores))
    assert low < area < high
    chance = [roc_area(random.random(60).astype(np.float32), np.arange(60) < 30) for _ in range(200)]
    assert 0.9 <= np.mean([low <= 0.5 <= high for _, low, high in chance]) <= 0.99


def test_cross_validation_reports_what_unseen_documents_get() -> None:
    scores, good = figures([0.9, 0.8, 0.2, 0.1] * 10, [1, 1, 0, 0] * 10)
    folds = np.repeat(np.arange(5), 8).astype(np.int8)
    found = cross_validation(scores, good, folds, None, None)
    assert (found["precision"], found["recall"], found["auc"]) == (1.0, 1.0, 1.0)
    assert found["precision_by_chance"] == 0.5
    nothing = cross_validation(scores, ~good, folds, 0.9, None)
    assert (nothing["precision"], nothing["kept_share"]) == (0.0, 0.0)


def test_reliability_counts_every_document() -> None:
    scores, good = figures([0.0, 0.05, 0.5, 1.0], [0, 1, 1, 1])
    assert reliability(scores, good) == [
        {"documents": 2, "mean_score": 0.025, "good_share": 0.5},
        {"documents": 1, "mean_score": 0.5, "good_share": 1.0},
        {"documents": 1, "mean_score": 1.0, "good_share": 1.0},
    ]


def test_agreement() -> None:
    first = np.array([True, True, False, False])
    assert agreement(first, first) == {"documents": 4, "same": 1.0, "kappa": 1.0}
    assert agreement(first, np.array([True, False, True, False]))["kappa"] == 0.0
    assert agreement(first, ~first)["kappa"] == -1.0
    assert agreement(np.ones(4, bool), np.ones(4, bool))["kappa"] is None
    assert agreement(first[:0], first[:0])["same"] is None
