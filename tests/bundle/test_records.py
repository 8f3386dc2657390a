"""The stages that led to a model are found by their digests."""

from pathlib import Path
from typing import Any

import pytest

from igakulm.bundle.records import (
    Records,
    find_records,
    licences_of,
    lists_of,
    model_folder,
    personal_of,
    scoreboard_of,
    sources_of,
    training_of,
    tuning_of,
)
from igakulm.errors import InputError
from igakulm.files import write_json
from igakulm.manifest import Manifest, write_manifest

SOURCES = {"ward": {"kind": "medical", "licences": ["CC0-1.0"], "documents": 2, "characters": 9, "personal_data": {}}}


def stage(run: Path, name: str, digest: str, inputs: dict[str, str], **others: Any) -> Path:
    folder = run / f"{name}-{digest * 8}"
    folder.mkdir(parents=True)
    recipe = others.pop("recipe", {})
    manifest = Manifest(name, 1, "f", {"inputs": inputs, "recipe": recipe}, digest, {}, others.pop("summary", {}))
    write_manifest(folder, Manifest(**{**manifest.__dict__, **others}))
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    run = tmp_path / "run"
    lists = [{"source": "Names", "licence": "CC BY 4.0"}, {"source": "Own", "licence": ""}]
    stage(run, "lexicon", "1", {}, summary={"lists": lists})
    for digest, sources in (("2", SOURCES), ("9", {"other": SOURCES["ward"]})):
        write_json(stage(run, "corpus", digest, {}) / "sources.json", sources)
    stage(run, "tokenizer", "3", {"lexicon": "1", "corpus": "2"})
    stage(run, "pack", "4", {"corpus": "2", "tokenizer": "3"})
    provenance = {"cores": 8, "platform": "Linux-6.1-x86_64", "gpus": ["H100", "H100"]}
    summary = {"steps": 10, "tokens": 99, "loss_last": 2.5, "parameters": 3}
    stage(run, "pretrain", "5", {"pack": "4", "tokenizer": "3"}, summary=summary, seconds=60.0, provenance=provenance)
    recipe = {"benchmarks": {"rows": [{"name": "crade"}]}}
    rows = {"rows_by_task": {"jcsts": 7, "crade": 3}}
    folder = stage(run, "finetune", "6", {"pretrain": "5", "tokenizer": "3"}, summary=rows, recipe=recipe, seconds=36.0)
    write_json(folder / "model" / "config.json", {})
    for digest, inputs, when in (("7", "6", "2026-01-01"), ("8", "0", "2026-03-01"), ("a", "6", "2026-02-01")):
        board = stage(run, "evaluate", digest, {"finetune": inputs}, finished=when)
        write_json(board / "scoreboard.json", {"rows": [], "of": digest})
    return run


def found_in(records: Records) -> Any:
    """The field that tells the invented boards apart."""
    board = scoreboard_of(records)
    assert board is not None
    return board.model_dump()["of"]


def test_a_tuned_model_is_followed_back_and_forth(run: Path) -> None:
    records = find_records(model_folder(run / "finetune-66666666"))
    assert {name: entry.model_dump(mode="json") for name, entry in sources_of(records).items()} == SOURCES
    assert found_in(records) == "a"  # the latest of this model
    assert tuning_of(records) == {
        "jcsts": {"rows": 7, "licence": "CC BY-NC-SA 4.0"},
        "crade": {"rows": 3, "licence": "unknown"},  # the recipe's own rows of that name
    }
    assert lists_of(records) == {"Names": "CC BY 4.0", "Own": "unknown"}
    assert licences_of(records) == {
        "ward": ["CC0-1.0"],
        "tuning: jcsts": ["CC BY-NC-SA 4.0"],
        "tuning: crade": ["unknown"],
        "terms: Names": ["CC BY 4.0"],
        "terms: Own": ["unknown"],
    }
    training = training_of(records)
    assert training["pretrain"]["steps"] == 10
    assert training["pretrain"]["machine"] == "2 x H100, 8 CPU cores, Linux"
    assert not {"hours", "seconds", "finished"} & training["finetune"].keys()  # a killed run gives the same bundle
    assert (training["finetune"]["conversations"], training["finetune"]["open_model"]) == (False, False)


def test_what_was_done_about_synthetic_texts_wins_over_the_corpus(run: Path) -> None:
    told = {"ward": {"how": "replaced", "layers": ["rules"], "replaced": {"name": 3}}}
    stage(run, "synth", "s", {}, summary={"personal_data": told})
    records = find_records(model_folder(run / "finetune-66666666"))
    assert personal_of(records)["ward"].how == "kept"  # that stage did not lead to this model
    linked = {**records.stages, "synth": (run, Manifest("synth", 1, "f", {}, "s", {}, {"personal_data": told}))}
    assert personal_of(Records(linked, records.corpus_dir))["ward"].replaced == {"name": 3}


def test_given_folders_win(run: Path, tmp_path: Path) -> None:
    write_json(tmp_path / "c" / "sources.json", {"mine": {"kind": "medical", "licences": []}})
    write_json(tmp_path / "e" / "scoreboard.json", {"of": "mine"})
    records = find_records(run / "finetune-66666666" / "model", tmp_path / "c", tmp_path / "e")
    assert licences_of(records)["mine"] == ["unknown"] and found_in(records) == "mine"
    for given in ({"corpus_dir": tmp_path}, {"evaluation_dir": tmp_path}):
        with pytest.raises(InputError, match="in this folder"):
            find_records(run / "finetune-66666666" / "model", **given)


def test_an_open_base_model_is_named(run: Path) -> None:
    recipe = {"model": {"from_folder": {"config.json": "0" * 64}}, "finetune": {"chats": [{"path": "a.jsonl"}]}}
    folder = stage(run, "finetune", "b", {}, recipe=recipe)
    write_json(folder / "model" / "config.json", {})
    records = find_records(folder / "model")
    assert licences_of(records) == {"base model": ["unknown"]}
    assert training_of(records)["finetune"] == {"machine": "", "conversations": True, "open_model": True}


def test_a_folder_from_elsewhere_has_no_records(run: Path, tmp_path: Path) -> None:
    write_json(tmp_path / "alone" / "config.json", {})
    (run / "finetune-66666666" / "manifest.json").write_text("{}")  # a damaged neighbour
    for folder in (tmp_path / "alone", run / "finetune-66666666"):
        records = find_records(model_folder(folder))
        assert (records.stages, records.corpus_dir, licences_of(records), training_of(records)) == ({}, None, {}, {})
    with pytest.raises(InputError, match="there is no model"):
        model_folder(tmp_path)
