from __future__ import annotations

import json

import pytest

from igakulm.corpus.funnel import Funnel


def filled(kept: int, dropped: int, name: str = "web") -> Funnel:
    funnel = Funnel(("read", "filter"))
    source = funnel.source(name, "general")
    for number in range(kept + dropped):
        source.passed("read", 10)
        source.licences.add("CC0")
        if number < kept:
            source.passed("filter", 9)
        else:
            funnel.drop(name, "too_short", f"{name}:{number}", "短い" * 200)
    funnel.personal["mail"] += kept
    return funnel


def test_counts_of_parts_add_up() -> None:
    total = Funnel(("read", "filter"))
    for part in (filled(3, 2), filled(1, 4), filled(2, 0, "law")):
        total.add(json.loads(json.dumps(part.record())))
    total.check()
    found = total.as_json(["exam"], {"exam": 2})
    assert found["sources"][0]["steps"] == [
        {"step": "read", "documents": 10, "characters": 100},
        {"step": "filter", "documents": 4, "characters": 36},
    ]
    assert found["reasons"] == {"too_short": 6} and found["personal_data_deleted"] == {"mail": 6}
    assert [sample["id"] for sample in found["samples"]["too_short"]] == ["web:3", "web:4", "web:1"]
    assert len(found["samples"]["too_short"][0]["text"]) == 200
    assert total.sources_json()["law"] == {"kind": "general", "licences": ["CC0"], "documents": 2, "characters": 18}


def test_a_document_that_got_lost_is_noticed() -> None:
    funnel = filled(3, 2)
    funnel.sources["web"].passed("read", 1)
    with pytest.raises(RuntimeError, match="6 documents read, but 3 kept and 2 dropped"):
        funnel.check()
