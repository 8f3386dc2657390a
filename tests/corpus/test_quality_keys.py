"""Every key of the quality judgement has an effect: two values, other requests, labels or verdicts.

`tests/recipe/test_every_key.py` knows which test is for which key, and that it fails when code ignores the key.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chat_server import ChatServer, Clock, Reply, Request, chat_reply
from corpus.quality_server import BAD, GOOD, answer
from igakulm.asking.retry import Retry
from igakulm.corpus.quality import judge_documents
from igakulm.errors import InputError
from igakulm.files import Doc, write_documents
from igakulm.progress import SilentProgress
from igakulm.recipe.schema import Quality


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("documents")
    docs = [
        Doc(f"{n}", (GOOD if n % 3 else BAD) * 2 + f"第{n}号。", "web" if n < 36 else "wiki", "CC0") for n in range(45)
    ]
    write_documents(folder, docs)
    return folder


def observed(documents: Path, folder: Path, **keys: Any) -> tuple[Any, ...]:
    """What the server was asked, and what became of the documents; or what was refused."""

    def plan(request: Request, times: int) -> Reply:
        if request.path.endswith("/embeddings") or not (refused or harmful):
            return answer(request)
        label = {"education": 5, "coherence": 5, "harm": 2 if GOOD in request.question else 4}
        return chat_reply("?" if refused else json.dumps(label))

    refused, harmful = bool(keys.pop("refused", False)), bool(keys.pop("harmful", False))
    clock = Clock()
    retry = Retry(sleep=clock.sleep, clock=clock, jitter=lambda: 0.0, attempts=2)
    with ChatServer(plan) as server:
        usual = {"model": "judge", "endpoint": "SERVER", "embeddings": "endpoint", "embedding_endpoint": "SERVER"}
        small = {"sample": 24, "repeat": 6, "trees": 4, "folds": 3, "workers": 1}
        text = json.dumps(usual | small | keys).replace("SERVER", server.url)
        try:
            section = Quality.model_validate_json(text)
            found = judge_documents(section, documents, folder / "w", folder / "o", SilentProgress(), retry=retry)
        except InputError as error:
            return (error.what, len(server.requests))
    asked = sorted(json.dumps([request.path, request.body], sort_keys=True) for request in server.requests)
    size = (folder / "o" / "forest.skops").stat().st_size
    verdict = np.nan_to_num(found.scores).tolist(), found.keep.tolist(), found.threshold
    return asked, verdict, json.dumps(found.report), size


USUAL: list[tuple[Any, ...]] = []


@pytest.mark.parametrize(
    ("key", "value", "others"),
    [
        ("sources", ["web"], {}),
        ("sample", 30, {}),
        ("max_characters", 30, {}),
        ("endpoint", None, {}),
        ("model", "another", {}),
        ("structured", False, {}),
        ("temperature", 0.4, {}),
        ("attempts", 1, {"refused": True}),
        ("repeat", 3, {}),
        ("min_education", 1, {}),
        ("min_coherence", 1, {"min_education": 1, "min_coherence": 4}),
        ("max_harm", 1, {"harmful": True}),
        ("classifier", "ngram", {}),
        ("embedding_endpoint", None, {}),
        ("embedding_model", "vectors", {}),
        ("trees", 6, {}),
        ("folds", 4, {}),
        ("min_precision", 1.0, {}),
        ("keep_share", 0.2, {}),
        ("seed", 3, {}),
    ],
)
def test_quality(key: str, value: object, others: dict[str, Any], documents: Path, tmp_path: Path) -> None:
    usual = observed(documents, tmp_path / "usual", **others) if others or not USUAL else USUAL[0]
    if not others:
        USUAL[:] = [usual]  # the same for most keys
    assert usual != observed(documents, tmp_path / "changed", **{**others, key: value})
