import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chat_server import ChatServer, Clock, Reply, Request, chat_reply
from corpus.quality_server import BAD, GOOD, answer, label_reply, text_in
from igakulm.asking.client import Retry
from igakulm.corpus.quality import Verdict, judge_documents
from igakulm.corpus.sample import choose_documents
from igakulm.errors import InputError
from igakulm.files import Doc, read_documents, read_jsonl, write_documents
from igakulm.progress import SilentProgress
from igakulm.recipe.schema import Quality

COUNT = 90


def is_good(number: int) -> bool:
    return number % 3 != 0


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty good and thirty bad documents of two sources, in several shards."""
    folder = tmp_path_factory.mktemp("documents")
    docs = [
        Doc(
            f"{number}",
            (GOOD if is_good(number) else BAD) * 2 + f"第{number}号。",
            "web" if number < 70 else "wiki",
            "CC0",
        )
        for number in range(COUNT)
    ]
    write_documents(folder, docs, shard_bytes=3000)
    assert len(list(folder.glob("*.parquet"))) > 2
    return folder


def section(server: ChatServer, **keys: Any) -> Quality:
    given = {
        "model": "judge",
        "endpoint": server.url,
        "embeddings": "endpoint",
        "embedding_endpoint": server.url,
        "sample": 40,
        "repeat": 10,
        "trees": 8,
        "workers": 1,
    }
    return Quality.model_validate(given | keys)


def judge(config: Quality, documents: Path, folder: Path) -> Verdict:
    clock = Clock()
    retry = Retry(sleep=clock.sleep, clock=clock, jitter=lambda: 0.0, attempts=2)
    return judge_documents(
        config, documents, folder / "work", folder / "out", SilentProgress(), logs_dir=folder / "logs", retry=retry
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "out").iterdir())}


def asked(server: ChatServer, route: str) -> int:
    """Chat requests, or texts embedded."""
    found = [request for request in server.requests if request.path.endswith(route)]
    return sum(len(request.body.get("input", [0])) for request in found)


def test_all_documents_are_judged_by_labels_of_a_sample(documents: Path, tmp_path: Path) -> None:
    with ChatServer(answer) as server:
        verdict = judge(section(server), documents, tmp_path)
        assert asked(server, "/chat/completions") == 40 + 10
        assert asked(server, "/embeddings") == COUNT
    assert verdict.scores.dtype == np.float32
    assert not np.isnan(verdict.scores).any()
    expected = [is_good(int(document.id)) for document in read_documents(documents)]
    assert verdict.keep.tolist() == expected
    report = verdict.report
    assert (report["documents"], report["judged"], report["kept"]) == (COUNT, COUNT, 60)
    assert report["labels"]["valid"] == 40
    assert report["labels"]["good"] == sum(row["good"] for row in read_jsonl(tmp_path / "out" / "labels.jsonl"))
    assert report["repeat"]["label"] == {"documents": 10, "same": 1.0, "kappa": 1.0}
    assert report["classifiers"]["forest"]["precision"] > report["classifiers"]["forest"]["precision_by_chance"]
    assert report["agreement"]["all_documents"]["documents"] == COUNT
    assert json.loads((tmp_path / "out" / "report.json").read_text()) == report
    assert report["warnings"] == []
    assert "| forest |" in (tmp_path / "logs" / "quality.md").read_text()


def test_the_same_bytes_whatever_the_number_of_requests_and_workers(documents: Path, tmp_path: Path) -> None:
    with ChatServer(answer) as server:
        first = judge(section(server, concurrency=1), documents, tmp_path / "a")
        second = judge(section(server, concurrency=6, workers=2), documents, tmp_path / "b")
    assert np.array_equal(first.scores, second.scores)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_a_broken_run_goes_on_where_it_stopped(documents: Path, tmp_path: Path) -> None:
    def broken(request: Request, times: int) -> Reply:
        return Reply(401, b"no") if request.path.endswith("/embeddings") else answer(request)

    with ChatServer(broken) as server, pytest.raises(InputError, match="401"):
        judge(section(server), documents, tmp_path / "a")
    assert not (tmp_path / "a" / "out" / "report.json").exists()
    with ChatServer(answer) as server:
        judge(section(server), documents, tmp_path / "a")
        assert asked(server, "/chat/completions") == 0
        judge(section(server), documents, tmp_path / "b")
        before = len(server.requests)
        judge(section(server), documents, tmp_path / "a")
        assert len(server.requests) == before
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_other_thresholds_ask_nothing_again(documents: Path, tmp_path: Path) -> None:
    answers = str(tmp_path / "answers.sqlite")
    with ChatServer(answer) as server:
        judge(section(server, answers=answers), documents, tmp_path / "a")
        before = asked(server, "/chat/completions")
        verdict = judge(section(server, answers=answers, min_coherence=5, keep_share=0.3), documents, tmp_path / "b")
        assert asked(server, "/chat/completions") == before
    assert verdict.threshold == 1.0


def test_documents_of_other_sources_are_kept_unjudged(documents: Path, tmp_path: Path) -> None:
    with ChatServer(answer) as server:
        verdict = judge(section(server, sources=("web",)), documents, tmp_path)
    assert np.isnan(verdict.scores[70:]).all()
    assert verdict.keep[70:].all()
    assert not verdict.keep[:70].all()
    assert verdict.report["judged"] == 70
    assert {row["source"] for row in read_jsonl(tmp_path / "out" / "labels.jsonl")} == {"web"}


def test_the_ngram_model_needs_no_embeddings(documents: Path, tmp_path: Path) -> None:
    with ChatServer(answer) as server:
        verdict = judge(section(server, classifier="ngram", embedding_endpoint=None), documents, tmp_path)
        assert asked(server, "/embeddings") == 0
    assert verdict.keep.tolist() == [is_good(number) for number in range(COUNT)]
    assert sorted(contents(tmp_path)) == ["labels.jsonl", "ngram.skops", "report.json"]


def test_invalid_answers_are_counted_and_their_documents_still_judged(documents: Path, tmp_path: Path) -> None:
    def plan(request: Request, times: int) -> Reply:
        if request.path.endswith("/embeddings") or int(text_in(request)[-3:-2]) != 7:
            return answer(request)
        return chat_reply("良い")

    with ChatServer(plan) as server:
        verdict = judge(section(server, sample=COUNT), documents, tmp_path)
    labels = verdict.report["labels"]
    assert labels["invalid"] == 9
    assert labels["asked_again"] == 9
    assert labels["valid"] == COUNT - 9
    assert verdict.keep.tolist() == [is_good(number) for number in range(COUNT)]
    assert any("no valid label" in sentence for sentence in verdict.report["warnings"])


def test_labels_by_chance_are_called_so(documents: Path, tmp_path: Path) -> None:
    """The label depends on a hash of the text and on the order of the criteria: nothing can be learnt from it."""

    def plan(request: Request, times: int) -> Reply:
        if request.path.endswith("/embeddings"):
            return answer(request)
        return label_reply(GOOD if request.body["seed"] % 2 ^ ("education" in request.question[:90]) else BAD)

    with ChatServer(plan) as server:
        verdict = judge(section(server, sample=COUNT, repeat=COUNT), documents, tmp_path)
    text = " ".join(verdict.report["warnings"])
    assert "forest is not better than chance" in text
    assert "another order" in text


def wrong_file(server: ChatServer) -> Quality:
    return section(server, endpoint=None, gguf="/nowhere/m.gguf")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (lambda server: section(server, endpoint=None), "the model that labels is not named"),
        (lambda server: section(server, model=" "), "the model that labels is not named"),
        (lambda server: section(server, embedding_endpoint=None), "the model that embeds is not named"),
        (lambda server: section(server, embeddings="transformers"), "the model that embeds is not named"),
        (lambda server: section(server, sources=("absent",)), "no document to judge"),
        (lambda server: section(server, max_harm=5, min_education=1), "40 documents are labelled good and 0 bad"),
        (
            lambda server: section(server, embedding_folder="/nowhere", embeddings="transformers"),
            "no such model folder",
        ),
        (wrong_file, "no such file"),
    ],
)
def test_what_cannot_work_is_one_message(
    documents: Path, tmp_path: Path, config: Callable[[ChatServer], Quality], message: str
) -> None:
    with ChatServer(answer) as server, pytest.raises(InputError, match=message):
        judge(config(server), documents, tmp_path)


def test_a_refused_text_says_what_to_change(documents: Path, tmp_path: Path) -> None:
    def plan(request: Request, times: int) -> Reply:
        return Reply(400, b"too long") if request.path.endswith("/embeddings") else answer(request)

    with ChatServer(plan) as server, pytest.raises(InputError, match="max_characters lower"):
        judge(section(server), documents, tmp_path)


def test_one_threshold_only() -> None:
    with pytest.raises(ValueError, match="not both"):
        Quality(min_precision=0.9, keep_share=0.5)


def test_a_larger_sample_holds_the_smaller_one(documents: Path) -> None:
    total, judged, large = choose_documents(documents, (), 50, 7)
    small = choose_documents(documents, (), 20, 7)[2]
    assert (total, judged.size, large.size) == (COUNT, COUNT, 50)
    assert set(small.tolist()) < set(large.tolist())
    assert (np.diff(large) > 0).all()
    assert not np.array_equal(choose_documents(documents, (), 20, 8)[2], small)
    assert choose_documents(documents, (), 10**6, 0)[2].tolist() == list(range(COUNT))


def test_no_documents(tmp_path: Path) -> None:
    write_documents(tmp_path, [])
    total, judged, sampled = choose_documents(tmp_path, (), 5, 0)
    assert (total, judged.size, sampled.size) == (0, 0, 0)
