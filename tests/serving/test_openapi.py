"""The OpenAPI document is true: every path is in it, and requests made from it get the answers that it names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from http_server import running
from igakulm.answering.kinds.registry import task_kinds
from igakulm.answering.tasks import MOST_CHOICES
from igakulm.inference.llamacpp import available
from igakulm.inference.open import open_model
from igakulm.serving.guards import Guard
from igakulm.serving.openapi import openapi_document
from igakulm.serving.server import Limits, Options, app_of, create_app
from igakulm.tasks.kinds.registry import kinds
from scripted_engine import ScriptedEngine
from tiny_bundle import encoder, write_bundle

TINY = encoder()


def app(text: str = "糖尿病です。") -> Guard:
    engine = ScriptedEngine(TINY, text, context_length=4000)
    return create_app(engine, TINY, "tiny", limits=Limits(new_tokens=16))


def test_every_path_is_described() -> None:
    guard = app()
    starlette = guard.app.app  # type: ignore[attr-defined]
    served = {route.path.replace(":path", "") for route in starlette.routes}
    document = TestClient(guard, base_url="http://localhost").get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert served - set(document["paths"]) == {"/", "/page/{name}"}
    assert openapi_document("m", {"/health"}, 5)["paths"].keys() == {"/health"}


def test_the_kinds_of_tasks_are_described_from_their_models() -> None:
    assert set(task_kinds()) == set(kinds())
    schemas = openapi_document("m", [f"/api/{name}" for name in task_kinds()], 5)["components"]["schemas"]
    choices = schemas["ExamRequest"]["properties"]["choices"]
    assert (choices["minItems"], choices["maxItems"]) == (2, MOST_CHOICES)
    for request in task_kinds().values():
        assert schemas[request.__name__]["additionalProperties"] is False
        assert set(schemas[request.ANSWER.__name__]["required"]) == set(request.ANSWER.model_fields)


def fuzz(examples: int, served: Guard | None = None) -> tuple[int, dict[int, int]]:
    """Requests from the document, good and bad, each answer checked; how many, and how often each status came."""
    schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")
    from hypothesis import HealthCheck, Phase, given, settings

    statuses: dict[int, int] = {}
    # Lengths in tokens, and top_logprobs without logprobs, are refused beyond what a schema can say.
    from schemathesis.specs.openapi.checks import positive_data_acceptance as beyond

    with running(served or app()) as address:
        schema = schemathesis.openapi.from_url(f"{address}/openapi.json")
        config = settings(
            max_examples=examples,
            deadline=None,
            derandomize=True,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        for result in schema.get_all_operations():
            operation = result.ok()
            for mode in list(schemathesis.GenerationMode):
                try:
                    strategy = operation.as_strategy(generation_mode=mode)

                    @config
                    @given(case=strategy)
                    def once(case: Any) -> None:
                        answer = case.call(timeout=120)
                        statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
                        case.validate_response(answer, excluded_checks=[beyond])

                    once()
                except schemathesis.errors.InvalidSchema:
                    raise
                except Exception as error:
                    if type(error).__name__ not in ("Unsatisfiable", "SkipTest", "Skip"):
                        raise
    return sum(statuses.values()), statuses


def test_requests_made_from_the_document_get_what_it_says() -> None:
    count, statuses = fuzz(5)
    assert count > 40 and statuses[200] > 4 and max(statuses) < 500, statuses


@pytest.mark.slow
def test_many_requests_made_from_the_document() -> None:
    count, statuses = fuzz(200)
    assert count > 1000 and max(statuses) < 500, statuses


@pytest.mark.slow
@pytest.mark.skipif(not available(), reason="xllamacpp is not installed (extra llamacpp)")
def test_requests_made_from_the_document_of_a_real_bundle(tmp_path: Path) -> None:
    """llama.cpp and the bundle's own tasks: requests reach prompts, grammars, held lists and option scores."""
    folder = write_bundle(tmp_path / "b", ("f32",), max_position_embeddings=1024)
    opened = open_model(folder, "llamacpp")
    try:
        served = app_of(opened, Options(limits=Limits(new_tokens=16)))
        names = {task.name for task in opened.tasks}
        document = TestClient(served, base_url="http://localhost").get("/openapi.json").json()
        schemas = document["components"]["schemas"].values()
        asked = [name for schema in schemas for name in schema["properties"].get("task", {}).get("enum", ())]
        assert asked and set(asked) <= names
        count, statuses = fuzz(20, served)
        assert count > 100 and statuses[200] > 20, statuses
        assert not set(statuses) & {500, 502, 504}, statuses
    finally:
        opened.close()
