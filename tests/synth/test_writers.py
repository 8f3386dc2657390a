from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from igakulm.errors import InputError
from igakulm.recipe.schema import SynthSection, Writer
from igakulm.synth.jobs import make_job, plan
from igakulm.synth.writers import Author, checked_authors, choose_author

TERMS = [(f"病名{number}", "disease" if number % 3 else "drug") for number in range(3000)]


def writer(name: str, **changes: Any) -> Writer:
    values = {"name": name, "endpoint": "http://127.0.0.1:9/v1", "model": f"{name}-7b", "licence": "CC0-1.0", **changes}
    return Writer(**values)


def authors(*writers: Writer, **changes: Any) -> dict[str, Author]:
    return checked_authors(SynthSection(writers=writers, terms=1, **changes))


def shares(found: dict[str, Author]) -> list[str]:
    return [choose_author(list(found.values()), 7, "textbook", kind, term).name for term, kind in TERMS]


def test_terms_fall_to_writers_by_weight() -> None:
    counts = Counter(shares(authors(writer("a"), writer("b", weight=2.0), writer("c", weight=3.0))))
    assert [round(counts[name] / len(TERMS), 1) for name in "abc"] == [0.2, 0.3, 0.5]


def test_a_writer_that_is_added_takes_terms_and_leaves_the_others_as_they_were() -> None:
    before, after = shares(authors(writer("a"), writer("b"))), shares(authors(writer("b"), writer("a"), writer("new")))
    changed = {new for old, new in zip(before, after, strict=True) if old != new}
    assert changed == {"new"}
    assert 0.28 < after.count("new") / len(TERMS) < 0.39


def test_the_single_keys_are_one_writer() -> None:
    config = SynthSection(endpoint="http://h/v1", model="m", licence="MIT", terms=3, max_tokens=99, concurrency=7)
    (author,) = checked_authors(config).values()
    assert (author.endpoint, author.model, author.licence, author.concurrency) == ("http://h/v1", "m", "MIT", 7)
    assert author.max_tokens["textbook"] == 99 and author.revision == ""


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"writers": [writer("a"), writer("a")]}, "synth.writers"),
        ({"writers": [writer("a")], "model": "m"}, "synth.writers"),
        ({"writers": [writer("a", endpoint=None)]}, r"synth\.writers\.a\.endpoint"),
        ({"writers": [writer("a", gguf="x.gguf")]}, r"synth\.writers\.a\.gguf"),
        ({"writers": [writer("a", gguf="/no/x.gguf", endpoint=None)]}, r"/no/x\.gguf"),
        ({"writers": [writer("a", model=" ")]}, r"synth\.writers\.a\.model"),
        ({"writers": [writer("a", licence="")]}, r"synth\.writers\.a\.licence"),
        ({"writers": [writer("a", parameters={"seed": 1})]}, r"parameters\.seed"),
        ({"writers": [writer("a", weight=0)]}, "synth.writers"),
        ({"writers": [writer("a", kinds=("exam",))]}, "synth.writers"),
        ({"writers": [writer("a")], "verifier": "b"}, "synth.verifier"),
        ({"writers": [writer("a"), writer("b", licence="OpenAI")], "allow_licences": ["cc0-*"]}, "allow_licences"),
    ],
)
def test_a_writer_that_may_not_write_is_named(changes: dict[str, Any], where: str) -> None:
    with pytest.raises(InputError, match=where):
        checked_authors(SynthSection(terms=1, **changes))


def test_allowed_licences_are_patterns_without_case() -> None:
    found = authors(writer("a", licence="Apache-2.0"), writer("b"), allow_licences=("apache-*", "CC0-1.?"))
    assert list(found) == ["a", "b"]


def test_another_file_of_the_same_name_is_another_revision(tmp_path: Path) -> None:
    path, revisions, keys = tmp_path / "w.gguf", set(), set()
    for content in (b"one", b"two"):
        path.write_bytes(content)
        config = SynthSection(writers=(writer("a", endpoint=None, gguf=str(path), model=""),), terms=1)
        found = checked_authors(config)
        revisions.add(found["a"].revision)
        keys.add(make_job(plan(config, found, TERMS)[0], found, 0).key)
        assert found["a"].model == "w.gguf"
    assert len(revisions) == len(keys) == 2


@pytest.mark.parametrize(
    "changes",
    [{"model": "other"}, {"revision": "v2"}, {"temperature": 0.1}, {"max_tokens": 900}, {"parameters": {"top_p": 0.9}}],
)
def test_whatever_shapes_an_answer_changes_its_key(changes: dict[str, Any]) -> None:
    keys = []
    for one in (writer("a"), writer("a", **changes)):
        config = SynthSection(writers=(one,), terms=5)
        found = checked_authors(config)
        keys.append([make_job(assignment, found, 0).key for assignment in plan(config, found, TERMS)])
    assert not set(keys[0]) & set(keys[1])


@pytest.mark.parametrize(
    "changes", [{"endpoint": "http://elsewhere/v1"}, {"terms": "https://example.org"}, {"weight": 9.0}]
)
def test_what_does_not_shape_it_leaves_the_key(changes: dict[str, Any]) -> None:
    config = SynthSection(writers=(writer("a"),), terms=1)
    other = SynthSection(writers=(writer("a", **changes),), terms=1)
    jobs = [make_job(plan(one, checked_authors(one), TERMS)[0], checked_authors(one), 0) for one in (config, other)]
    assert jobs[0].key == jobs[1].key


def test_a_plan_of_more_is_a_superset_and_exams_go_round_the_terms() -> None:
    few = [("甲病", "disease"), ("乙病", "disease"), ("丙薬", "drug")]
    plans = {}
    for terms, exams in ((2, 4), (3, 8)):
        config = SynthSection(writers=(writer("a"), writer("b")), terms=terms, exams=exams)
        found = checked_authors(config)
        plans[exams] = [make_job(assignment, found, 0).key for assignment in plan(config, found, few)]
    assert len(set(plans[8])) == 11
    assert set(plans[4]) <= set(plans[8])


def test_an_exam_item_is_asked_for_by_schema_only_where_the_server_knows_it() -> None:
    for structured in (True, False):
        config = SynthSection(writers=(writer("a", structured=structured),), exams=1)
        found = checked_authors(config)
        body = make_job(plan(config, found, TERMS)[0], found, 0).body
        assert ("response_format" in body) is structured
        assert body["max_tokens"] == config.exam_max_tokens


def test_kinds_divide_the_work() -> None:
    config = SynthSection(writers=(writer("a", kinds=("textbook",)), writer("b", kinds=("exam",))), terms=9, exams=9)
    found = plan(config, checked_authors(config), TERMS)
    assert {(assignment.kind, assignment.writer) for assignment in found} == {("textbook", "a"), ("exam", "b")}


def test_the_example_in_the_recipe_of_the_paper_is_a_section() -> None:
    recipe = Path(__file__).parents[2] / "recipes" / "paper-1b.yaml"
    lines = recipe.read_text(encoding="utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("# synth:"))
    end = next(number for number, line in enumerate(lines) if number > start and not line.startswith("#"))
    text = "\n".join(line.removeprefix("# ") for line in lines[start:end])
    section = SynthSection.model_validate(yaml.safe_load(text)["synth"])
    assert len(section.writers) == 5, "as many as the paper's"
    assert {found.licence for found in section.writers} <= set(section.allow_licences)
    assert all(found.terms and (found.endpoint or found.gguf) for found in section.writers)
    servers = section.model_copy(update={"writers": tuple(found for found in section.writers if not found.gguf)})
    assert checked_authors(servers)["qwen"].parameters
