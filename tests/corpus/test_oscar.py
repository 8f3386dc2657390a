from __future__ import annotations

import json

import pytest

from igakulm.corpus.filter import drop_reason, drop_reasons
from igakulm.corpus.filters.oscar import flag_reason
from igakulm.corpus.filters.registry import all_filters
from igakulm.recipe.schema import Filters

PROSE = "高血圧症は、安静時の血圧が持続的に高い状態をいう。減塩と運動が治療の土台である。家庭での測定も役に立つ。"
STRICT = Filters(min_harmful_perplexity=25, min_language_probability=0.8)


@pytest.mark.parametrize(
    ("reason", "meta"),
    [
        ("oscar_warning", {"warnings": ["short_sentences", "noisy"]}),
        ("oscar_warning", {"warnings": "adult"}),
        ("oscar_category", {"categories": ["adult", "shopping"]}),
        ("oscar_harmful", {"harmful_pp": 24.9}),
        ("oscar_harmful", {"harmful_pp": 3}),
        ("oscar_language", {"language_probability": 0.61}),
    ],
)
def test_each_flag(reason: str, meta: dict[str, object]) -> None:
    found = drop_reason(PROSE, STRICT, json.dumps(meta))
    assert found is not None and found[0] == reason and found[1]
    assert reason in [reason for one in all_filters() for reason in one.reasons]


@pytest.mark.parametrize(
    "meta",
    [
        {"warnings": ["tiny", "short_sentences", "header", "footer"], "categories": ["blog"]},
        {"harmful_pp": 25.0, "language_probability": 0.8},
        {"harmful_pp": None, "warnings": None},
        {"harmful_pp": "3", "warnings": 5, "categories": [5, None], "language_probability": True},
        {"title": "noisy adult"},
    ],
)
def test_no_flag(meta: dict[str, object]) -> None:
    assert flag_reason(json.dumps(meta), STRICT) is None


@pytest.mark.parametrize("meta", ["{}", "", '["warnings"]', '"warnings"', '{"warnings"'])
def test_metadata_that_say_nothing(meta: str) -> None:
    assert flag_reason(meta, STRICT) is None


def test_thresholds_are_off_unless_set() -> None:
    meta = json.dumps({"harmful_pp": 0.1, "language_probability": 0.01, "warnings": ["tiny"]})
    assert flag_reason(meta, Filters()) is None
    assert flag_reason(meta, Filters(drop_warnings=("tiny",))) == ("oscar_warning", "tiny")
    assert flag_reason('{"warnings": ["noisy"]}', Filters(drop_warnings=())) is None


def test_each_document_has_its_own_flags() -> None:
    metas = ["{}", '{"warnings": ["noisy"]}', "{}"]
    found = drop_reasons([PROSE, PROSE, "短い"], Filters(), metas)
    assert [reason and reason[0] for reason in found] == [None, "oscar_warning", "too_short"]
    with pytest.raises(ValueError, match="shorter"):
        drop_reasons([PROSE, PROSE], Filters(), ["{}"])
