import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from chat_server import ChatServer, Clock, Reply, Request, chat_reply, unused_url
from igakulm.asking.client import Retry
from igakulm.errors import InputError
from igakulm.files import files_below, read_documents, read_jsonl
from igakulm.progress import SilentProgress
from igakulm.recipe.schema import SynthSection, Writer
from igakulm.synth.generate import generate_texts
from igakulm.synth.jobs import read_terms
from synthetic_answers import exam, reply, textbook

HEADER = "term\tkind\treading\ticd10\tstandard_name\tconfidence\tfrequency\tsource\tlicence\n"
DISEASES = ["気管支喘息", "脳梗塞", "2型糖尿病", "急性虫垂炎", "肺炎", "心房細動", "胃潰瘍", "片頭痛"]
DRUGS = ["アスピリン", "アムロジピン"]


@pytest.fixture
def lexicon(tmp_path: Path) -> Path:
    folder = tmp_path / "lexicon"
    folder.mkdir()
    rows = [(term, "disease") for term in DISEASES] + [(term, "drug") for term in DRUGS]
    lines = [f"{term}\t{kind}\t\t\t\t\t\tsample\tCC0\n" for term, kind in rows]
    (folder / "terms.tsv").write_text(HEADER + "".join(lines), encoding="utf-8")
    return folder


def section(url: str | None, terms: int = 10, **changes: Any) -> SynthSection:
    values = {"endpoint": url, "model": "writer-7b", "licence": "CC0-1.0", "terms": terms, "seed": 5, **changes}
    return SynthSection(**values)


def generate(config: SynthSection, lexicon: Path, out: Path) -> dict[str, Any]:
    clock = Clock()
    retry = Retry(attempts=3, sleep=clock.sleep, clock=clock, now=clock)
    return generate_texts(config, lexicon, out, SilentProgress(), retry=retry)


def document_bytes(out: Path) -> dict[str, bytes]:
    """Everything that enters the stage's content digest."""
    names = [path for path in files_below(out) if path.relative_to(out).parts[0] != "logs"]
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in names}


def test_no_terms_contacts_nothing_and_still_leaves_a_folder(
    lexicon: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any) -> None:
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    summary = generate(SynthSection(endpoint="http://127.0.0.1:9/v1"), tmp_path / "no lexicon", tmp_path / "out")
    assert summary["documents"] == 0
    assert list(read_documents(tmp_path / "out" / "documents")) == []
    assert sorted(document_bytes(tmp_path / "out")) == [
        "documents/00000.parquet",
        "exams.jsonl",
        "rejected.jsonl",
        "yield.json",
    ]
    assert not (tmp_path / "out" / "logs").exists()


@pytest.mark.parametrize(
    ("changes", "key"), [({"endpoint": None}, "endpoint"), ({"licence": "  "}, "licence"), ({"model": ""}, "model")]
)
def test_what_must_be_stated_is_asked_for_before_any_request(
    lexicon: Path, tmp_path: Path, changes: dict[str, Any], key: str
) -> None:
    with ChatServer(lambda request, times: chat_reply("")) as server:
        values = {"endpoint": server.url, "model": "m", "licence": "CC0", "terms": 3, **changes}
        with pytest.raises(InputError, match=rf"synth\.{key}"):
            generate(SynthSection(**values), lexicon, tmp_path / "out")
    assert server.requests == []


def test_texts_become_documents_with_their_origin(lexicon: Path, tmp_path: Path) -> None:
    with ChatServer(lambda request, times: chat_reply(textbook(request.term))) as server:
        summary = generate(section(server.url), lexicon, tmp_path / "out")
    documents = list(read_documents(tmp_path / "out" / "documents"))
    assert summary["terms"] == summary["documents"] == len(documents) == 10
    assert summary["completion_tokens"] == 500
    assert len({document.id for document in documents}) == 10
    assert {(document.source, document.licence) for document in documents} == {("synthetic-textbooks", "CC0-1.0")}
    metas = [json.loads(document.meta) for document in documents]
    assert {meta["term"] for meta in metas} == {*DISEASES, *DRUGS}
    assert {(meta["kind"], meta["model"]) for meta in metas} == {("medical", "writer-7b")}
    assert all(len(meta["prompt_sha256"]) == 64 for meta in metas)
    assert documents[0].text == textbook(metas[0]["term"])
    body = server.requests[0].body
    assert (body["model"], body["max_tokens"], body["temperature"]) == ("writer-7b", 700, 0.7)


def test_the_same_answers_give_the_same_bytes_in_any_order(lexicon: Path, tmp_path: Path) -> None:
    with ChatServer(lambda request, times: chat_reply(textbook(request.term))) as server:
        generate(section(server.url, concurrency=1), lexicon, tmp_path / "a")
        lines = (lexicon / "terms.tsv").read_text(encoding="utf-8").splitlines(keepends=True)
        (lexicon / "terms.tsv").write_text(lines[0] + "".join(reversed(lines[1:])), encoding="utf-8")
        generate(section(server.url, concurrency=8), lexicon, tmp_path / "b")
    assert document_bytes(tmp_path / "a") == document_bytes(tmp_path / "b")


def test_fewer_terms_are_a_seeded_prefix_of_more(lexicon: Path, tmp_path: Path) -> None:
    terms: dict[tuple[int, int], list[str]] = {}
    with ChatServer(lambda request, times: chat_reply(textbook(request.term))) as server:
        for count, seed in ((4, 5), (8, 5), (4, 6)):
            out = tmp_path / f"{count}-{seed}"
            generate(section(server.url, count, seed=seed), lexicon, out)
            metas = [json.loads(document.meta) for document in read_documents(out / "documents")]
            terms[count, seed] = [meta["term"] for meta in metas]
    assert terms[4, 5] == terms[8, 5][:4]
    assert terms[4, 5] != terms[4, 6]


def test_bad_texts_are_rejected_with_reasons_and_counted(lexicon: Path, tmp_path: Path) -> None:
    bad = {
        "脳梗塞": chat_reply("申し訳ありませんが、お答えできません。"),
        "肺炎": chat_reply(textbook("肺炎"), "length"),
        "胃潰瘍": chat_reply("Gastric ulcer is a break in the lining of the stomach. " * 5),
        "片頭痛": chat_reply(None),
        "アスピリン": chat_reply(textbook("この薬")),
    }
    with ChatServer(lambda request, times: bad.get(request.term) or chat_reply(textbook(request.term))) as server:
        summary = generate(section(server.url), lexicon, tmp_path / "out")
    rows = {row["term"]: row for row in read_jsonl(tmp_path / "out" / "rejected.jsonl")}
    assert {term: row["reason"] for term, row in rows.items()} == {
        "脳梗塞": "chatter",
        "肺炎": "cut_off",
        "胃潰瘍": "not_japanese",
        "片頭痛": "too_short",
        "アスピリン": "term_missing",
    }
    assert rows["肺炎"]["text"] == textbook("肺炎")
    assert (summary["documents"], sum(summary["rejected"].values())) == (5, 5)
    found = json.loads((tmp_path / "out" / "yield.json").read_text(encoding="utf-8"))
    assert sum(count["asked"] for count in found["prompts"].values()) == 10
    assert sum(count["kept"] for count in found["prompts"].values()) == 5


def test_trouble_on_the_way_changes_no_byte(lexicon: Path, tmp_path: Path) -> None:
    trouble = [Reply(429, headers={"Retry-After": "3"}), Reply(500), Reply(body=b'{"choi'), Reply(body=b"{", cut=True)]

    def plan(request: Request, times: int) -> Reply:
        good = chat_reply(textbook(request.term))
        number = DISEASES.index(request.term) if request.term in DISEASES else 9
        return trouble[number] if number < len(trouble) and times == 1 else good

    with ChatServer(plan) as server:
        generate(section(server.url), lexicon, tmp_path / "a")
        assert len(server.requests) == 14
        log = json.loads((tmp_path / "a" / "logs" / "requests.json").read_text(encoding="utf-8"))
        assert (log["attempts"], log["failures"], log["answered"], log["stored"]) == (14, 4, 10, 0)
        generate(section(server.url), lexicon, tmp_path / "b")
    assert document_bytes(tmp_path / "a") == document_bytes(tmp_path / "b")


def test_after_the_endpoint_broke_down_only_the_rest_is_asked(lexicon: Path, tmp_path: Path) -> None:
    answered: Counter[str] = Counter()
    working = True

    def plan(request: Request, times: int) -> Reply:
        if not working and len(answered) >= 4:
            return Reply(503)
        answered[request.term] += 1
        return chat_reply(textbook(request.term))

    with ChatServer(plan) as server:
        working = False
        with pytest.raises(InputError, match="503") as caught:
            generate(section(server.url), lexicon, tmp_path / "out")
        assert server.url in str(caught.value)
        assert not (tmp_path / "out" / "documents").exists()
        working = True
        generate(section(server.url), lexicon, tmp_path / "out")
        generate(section(server.url), lexicon, tmp_path / "whole")
    assert set(answered.values()) == {2}, "once for each of the two folders"
    assert document_bytes(tmp_path / "out") == document_bytes(tmp_path / "whole")


def test_an_endpoint_that_is_down_is_named(lexicon: Path, tmp_path: Path) -> None:
    url = unused_url()
    with pytest.raises(InputError, match="3 attempts") as caught:
        generate(section(url), lexicon, tmp_path / "out")
    assert url in str(caught.value)


def test_a_single_request_that_always_fails_does_not_hold_up_the_others(lexicon: Path, tmp_path: Path) -> None:
    bad = {"脳梗塞": Reply(400, b"filtered"), "肺炎": Reply(500, b"crash")}
    with ChatServer(lambda request, times: bad.get(request.term) or chat_reply(textbook(request.term))) as server:
        summary = generate(section(server.url), lexicon, tmp_path / "out")
    assert summary["documents"] == 8
    assert summary["rejected"] == {"no_answer": 1, "request_refused": 1}
    log = json.loads((tmp_path / "out" / "logs" / "requests.json").read_text(encoding="utf-8"))
    assert log["failed"] == 2
    assert any(message.startswith("脳梗塞: ") and "filtered" in message for message in log["messages"])


@pytest.mark.parametrize(("status", "requests"), [(400, 10), (500, 9)])
def test_failures_only_are_the_endpoints_fault(lexicon: Path, tmp_path: Path, status: int, requests: int) -> None:
    with (
        ChatServer(lambda request, times: Reply(status, b"no such model")) as server,
        pytest.raises(InputError, match="no such model"),
    ):
        generate(section(server.url, concurrency=1), lexicon, tmp_path / "out")
    assert len(server.requests) == requests


def test_a_killed_run_asks_nothing_twice(lexicon: Path, tmp_path: Path) -> None:
    stuck = threading.Event()
    release = threading.Event()

    def plan(request: Request, times: int) -> Reply:
        if len(server.requests) == 4:
            stuck.set()
            release.wait(60)
        return chat_reply(textbook(request.term))

    code = (
        "import sys; from pathlib import Path; from igakulm.progress import SilentProgress\n"
        "from igakulm.recipe.schema import SynthSection; from igakulm.synth.generate import generate_texts\n"
        "config = SynthSection.model_validate_json(sys.argv[1])\n"
        "generate_texts(config, Path(sys.argv[2]), Path(sys.argv[3]), SilentProgress())\n"
    )
    with ChatServer(plan) as server:
        config = section(server.url, concurrency=1)
        arguments = [sys.executable, "-c", code, config.model_dump_json(), str(lexicon), str(tmp_path / "out")]
        process = subprocess.Popen(arguments)
        assert stuck.wait(60)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(60)
        release.set()
        unanswered = server.requests[3].term
        generate(config, lexicon, tmp_path / "out")
        asked = Counter(request.term for request in server.requests)
        generate(config, lexicon, tmp_path / "whole")
    assert asked == {term: 2 if term == unanswered else 1 for term in (*DISEASES, *DRUGS)}
    assert document_bytes(tmp_path / "out") == document_bytes(tmp_path / "whole")


def test_leftover_shards_of_an_earlier_try_do_not_stay(lexicon: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / "documents").mkdir(parents=True)
    (tmp_path / "out" / "documents" / "00007.parquet").write_bytes(b"old")
    generate(SynthSection(), lexicon, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out" / "documents").iterdir()] == ["00000.parquet"]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("name\tkind\n肺炎\tdisease\n", "line 1"),
        ("term\tkind\n肺炎\n", "line 2"),
        ("term\tkind\n肺炎\tdisease\n\tdisease\n", "line 3"),
        ("term\tkind\n肺炎\tplant\n", "line 2"),
    ],
)
def test_a_malformed_list_is_named_with_its_line(tmp_path: Path, text: str, place: str) -> None:
    (tmp_path / "terms.tsv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=place):
        read_terms(tmp_path / "terms.tsv")


def test_lists_are_read_once_each_from_any_editor(tmp_path: Path) -> None:
    (tmp_path / "terms.tsv").write_bytes("\ufeffkind\tterm\r\ndisease\t肺炎\r\n\r\ndisease\t肺炎\r\n".encode())
    assert read_terms(tmp_path / "terms.tsv") == [("肺炎", "disease")]
    with pytest.raises(InputError, match="no such file"):
        read_terms(tmp_path / "absent.tsv")


def two_writers(url: str, **changes: Any) -> SynthSection:
    writers = (
        Writer(name="large", endpoint=url, model="large-8b", licence="Apache-2.0", terms="https://example.org/terms"),
        Writer(name="small", endpoint=url, model="small-1b", revision="v2", licence="MIT"),
    )
    return SynthSection(**{"writers": writers, "terms": 10, "exams": 12, "seed": 5, **changes})


def verdict(request: Request) -> Reply:
    """A second model that always takes the first option."""
    if request.body.get("response_format", {}).get("json_schema", {}).get("name") == "verify":
        return chat_reply(json.dumps({"reason": "考えた。", "answer": ["a"]}))
    return reply(request)


def test_every_document_says_who_wrote_it_and_how(lexicon: Path, tmp_path: Path) -> None:
    with ChatServer(lambda request, times: reply(request)) as server:
        summary = generate(two_writers(server.url), lexicon, tmp_path / "out")
    assert (summary["documents"], summary["textbooks"], summary["exam_items"]) == (22, 10, 12)
    documents = list(read_documents(tmp_path / "out" / "documents"))
    assert Counter(document.source for document in documents) == {"synthetic-textbooks": 10, "synthetic-exams": 12}
    of_writer = {"large": ("Apache-2.0", "large-8b", ""), "small": ("MIT", "small-1b", "v2")}
    for document in documents:
        meta = json.loads(document.meta)
        assert (document.licence, meta["model"], meta["revision"]) == of_writer[meta["writer"]]
        assert set(meta["parameters"]) == {"temperature", "max_tokens", "seed"}
    found = json.loads((tmp_path / "out" / "yield.json").read_text(encoding="utf-8"))
    assert found["writers"]["large"]["terms"] == "https://example.org/terms"
    assert sum(writer["asked"] for writer in found["writers"].values()) == 22
    assert sum(writer["share_of_characters"] for writer in found["writers"].values()) == pytest.approx(1, abs=1e-3)
    rows = list(read_jsonl(tmp_path / "out" / "exams.jsonl"))
    assert {row["document"] for row in rows} == {
        document.id for document in documents if document.source == "synthetic-exams"
    }
    assert sum(found["answer_positions"]["positions"].values()) == sum(len(row["answer"]) == 1 for row in rows)


@pytest.mark.parametrize("drop", [True, False])
def test_a_second_model_is_asked_about_the_items_of_the_other(lexicon: Path, tmp_path: Path, drop: bool) -> None:
    with ChatServer(lambda request, times: verdict(request)) as server:
        config = two_writers(server.url, terms=0, exams=40, verifier="large", drop_disagreements=drop)
        summary = generate(config, lexicon, tmp_path / "out")
        asked = len(server.requests)
        generate(config, lexicon, tmp_path / "out")
        assert len(server.requests) == asked
    found = json.loads((tmp_path / "out" / "yield.json").read_text(encoding="utf-8"))
    counts = found["verified"]
    assert counts["own"] == found["writers"]["large"]["asked"]
    assert counts["agrees"] + counts["disagrees"] + counts["own"] == 40
    assert summary["agreement"] == pytest.approx(counts["agrees"] / (counts["agrees"] + counts["disagrees"]), abs=1e-4)
    assert summary["rejected"].get("verification", 0) == (counts["disagrees"] if drop else 0) and counts["disagrees"]
    bodies = [request.body for request in server.requests if "verify" in json.dumps(request.body)]
    assert {body["model"] for body in bodies} == {"large-8b"}
    assert all("役に立たない" not in json.dumps(body, ensure_ascii=False) for body in bodies), "no explanation is shown"


def test_items_that_are_none_are_rejected_with_a_reason(lexicon: Path, tmp_path: Path) -> None:
    bad = {"脳梗塞": "{}", "肺炎": "申し訳ありません。", "胃潰瘍": exam("胃潰瘍")[:-20]}

    def plan(request: Request, times: int) -> Reply:
        return chat_reply(bad[request.term]) if request.term in bad else reply(request)

    with ChatServer(plan) as server:
        summary = generate(two_writers(server.url, terms=0, exams=10), lexicon, tmp_path / "out")
    rows = list(read_jsonl(tmp_path / "out" / "rejected.jsonl"))
    assert {row["term"] for row in rows} == set(bad)
    assert all(row["kind"] == "exam" and row["reason"] for row in rows)
    assert summary["exam_items"] == 7


def test_one_writer_that_is_down_does_not_stop_the_other(lexicon: Path, tmp_path: Path) -> None:
    with ChatServer(lambda request, times: reply(request)) as server:
        config = two_writers(server.url, exams=0)
        down = config.writers[1].model_copy(update={"endpoint": unused_url()})
        with pytest.raises(InputError, match="3 attempts"):
            generate(config.model_copy(update={"writers": (config.writers[0], down)}), lexicon, tmp_path / "out")
        before = len(server.requests)
        assert {request.body["model"] for request in server.requests} == {"large-8b"} and before
        generate(config, lexicon, tmp_path / "out")
        assert len(server.requests) == 10
        assert {request.body["model"] for request in server.requests[before:]} == {"small-1b"}


def test_answers_in_a_file_of_their_own_serve_a_larger_recipe(lexicon: Path, tmp_path: Path) -> None:
    answers = str(tmp_path / "kept" / "answers.sqlite")
    with ChatServer(lambda request, times: reply(request)) as server:
        generate(section(server.url, 4, answers=answers), lexicon, tmp_path / "a")
        generate(section(server.url, 10, answers=answers), lexicon, tmp_path / "b")
    assert len(server.requests) == 10


def test_half_an_item_was_cut_off_if_the_server_says_so(lexicon: Path, tmp_path: Path) -> None:
    ends = {"脳梗塞": "length", "肺炎": "stop"}

    def plan(request: Request, times: int) -> Reply:
        if request.term not in ends:
            return reply(request)
        return chat_reply(exam(request.term)[:60], ends[request.term])

    with ChatServer(plan) as server:
        generate(two_writers(server.url, terms=0, exams=10), lexicon, tmp_path / "out")
    rows = list(read_jsonl(tmp_path / "out" / "rejected.jsonl"))
    assert {row["term"]: row["reason"] for row in rows} == {"脳梗塞": "cut_off", "肺炎": "malformed_item"}
