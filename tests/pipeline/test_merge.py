"""Merging evaluations: names, columns, files, comparisons. All folders here are invented for the tests."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from igakulm.errors import InputError
from igakulm.evaluation.intervals import Resampler, document_groups
from igakulm.evaluation.item_files import Answered, file_name, read_items, write_items
from igakulm.evaluation.metrics import measure
from igakulm.evaluation.significance import paired
from igakulm.files import read_json, write_json
from igakulm.pipeline.merge import merge_scoreboards, write_merged
from igakulm.pipeline.merge_sources import open_sources
from igakulm.tasks.items import Item

Row = dict[str, Any]


def questions(n: int, first: int = 0) -> list[Item]:
    return [
        Item(f"q{k}", "quiz", "choice", f"問{k}", ("x", "y"), ("AB"[k % 2],), document=f"文書{k // 2}")
        for k in range(first, first + n)
    ]


def evaluation(folder: Path, models: dict[str, str], items: Sequence[Item], split: str = "published") -> Path:
    """A folder as the stage writes it; each model's answers are the letters of a string, repeated."""
    rows: list[Row] = []
    files = []
    for model, letters in models.items():
        role = "baseline" if model == "majority" else "model"
        mode = "baseline" if role == "baseline" else "options-letter"
        said = [(letters[place % len(letters)],) for place in range(len(items))]
        name = file_name(model, "quiz", split, mode)
        shared = {item.id for item in items if item.document == "文書0"}
        write_items(folder / name, items, Answered(model, role, mode, "", said, said), shared)
        files.append({"model": model, "task": "quiz", "split": split, "answer_mode": mode, "file": name})
        kept = [place for place, item in enumerate(items) if item.id not in shared]
        for column, places in ((split, list(range(len(items)))), ("published-unshared", kept)):
            if column == split or split == "published":
                rows += figures(model, role, mode, column, [items[k] for k in places], [said[k] for k in places])
    board = {"rows": rows, "items": files, "paired": [], "bootstrap": {"samples": 100, "seed": 0, "unit": "document"}}
    board |= {"leakage": [{"split": split, "task": "quiz", "test": len(items), "test_shared": 2}]}
    board |= {
        "published": [{"model": "Outside", "task": "quiz", "metric": "kappa", "value": 0.5, "split": "published"}]
    }
    write_json(folder / "scoreboard.json", board)
    return folder


def figures(
    model: str, role: str, mode: str, split: str, items: Sequence[Item], said: Sequence[tuple[str, ...]]
) -> list[Row]:
    rows = []
    for measured in measure(items, said):
        low, high = Resampler(items, 100, 0).interval(measured.statistics, measured.combine)
        names = {"model": model, "role": role, "task": "quiz", "split": split, "answer_mode": mode, "prompt_style": ""}
        value = {"metric": measured.name, "value": measured.value, "low": low, "high": high, "n": len(items)}
        rows.append({**names, **value, "kind": "choice", "unparsed": 0.0, "truncated": 0, "prompt_sha256": ""})
    return rows


@pytest.fixture
def first(tmp_path: Path) -> Path:
    folder = tmp_path / "first-run" / "evaluate-1a2b3c4d"
    evaluation(folder, {"majority": "A", "tuned": "AB", "base": "A"}, questions(20))
    (tmp_path / "first-run" / "latest").mkdir()
    (tmp_path / "first-run" / "latest" / "evaluate").symlink_to(folder)
    return tmp_path / "first-run"


@pytest.fixture
def second(tmp_path: Path) -> Path:
    return evaluation(tmp_path / "second", {"majority": "A", "tuned": "AABB", "other": "B"}, questions(20))


def models(board: Row, split: str = "published") -> list[str]:
    return [row["model"] for row in board["rows"] if row["split"] == split and row["metric"] == "kappa"]


def test_models_of_one_name_are_told_apart_and_equal_baselines_kept_once(first: Path, second: Path) -> None:
    board = merge_scoreboards([first, second], samples=50)
    assert models(board) == ["majority", "tuned @ first-run", "base", "tuned @ second", "other"]
    assert [source["name"] for source in board["sources"]] == ["first-run", "second"]
    assert len(board["published"]) == 1 and len(board["leakage"]) == 1
    assert {row["model"] for row in board["items"]} == set(models(board))


def test_different_baselines_of_one_name_are_told_apart(first: Path, tmp_path: Path) -> None:
    other = evaluation(tmp_path / "other", {"majority": "AB", "x": "A"}, questions(20))
    found = merge_scoreboards([first, other], samples=50)
    assert models(found) == ["majority @ first-run", "tuned", "base", "majority @ other", "x"]


def test_one_model_on_other_tasks_stays_one(tmp_path: Path) -> None:
    quiz = evaluation(tmp_path / "a", {"gemma": "A", "tuned": "A"}, questions(6), "test")
    more = evaluation(tmp_path / "b", {"gemma": "A", "tuned": "A"}, questions(6), "document-disjoint")
    board = merge_scoreboards([quiz, more], samples=10)
    assert {row["model"] for row in board["rows"]} == {"gemma", "tuned @ a", "tuned @ b"}


def test_other_items_are_another_column_and_never_compared(first: Path, tmp_path: Path) -> None:
    other = evaluation(tmp_path / "other", {"x": "AB"}, questions(20, first=100))
    fewer = evaluation(tmp_path / "fewer", {"y": "AB"}, questions(10))
    again = evaluation(tmp_path / "again", {"z": "A"}, questions(20, first=100))
    board = merge_scoreboards([first, other, fewer, again], samples=20)
    assert models(board, "published @ other") == ["x", "z"]
    assert models(board, "published @ fewer") == ["y"]
    sides = {(row["split"], row["first"], row["second"]) for row in board["paired"] if row["first"] in "xyz"}
    assert sides == {("published @ other", "x", "z"), ("published-unshared @ other", "x", "z")}


def test_the_largest_column_keeps_the_name_of_the_split(first: Path, tmp_path: Path) -> None:
    fewer = evaluation(tmp_path / "fewer", {"y": "AB"}, questions(10))
    board = merge_scoreboards([fewer, first], samples=20)
    assert models(board) == ["majority", "tuned", "base"] and models(board, "published @ fewer") == ["y"]
    assert board["rows"][0]["split"] == "published"


def test_comparisons_are_made_anew_on_common_items(first: Path, second: Path, tmp_path: Path) -> None:
    board = write_merged([first, second], tmp_path / "out", samples=200, seed=3)
    pairs = {(row["first"], row["second"]): row for row in board["paired"] if row["split"] == "published"}
    assert ("tuned @ first-run", "tuned @ second") in pairs and ("other", "majority") in pairs
    assert len(pairs) == 6 + 4  # four models with each other, and each with the best baseline
    files = {(row["model"], row["split"]): row["file"] for row in board["items"]}
    sides = [read_items(tmp_path / "out" / files[f"tuned @ {name}", "published"]) for name in ("first-run", "second")]
    scored = [measure(*side)[0] for side in sides]
    order = sorted(range(20), key=lambda place: sides[0][0][place].id)
    items = [sides[0][0][place] for place in order]
    scored = [measure(items, [side[1][place] for place in order])[0] for side in sides]
    wanted = paired(scored[0], scored[1], document_groups(items), 200, 3)
    found = pairs["tuned @ first-run", "tuned @ second"]
    assert (found["difference"], found["low"], found["high"], found["p"]) == (
        wanted.difference,
        wanted.low,
        wanted.high,
        wanted.p,
    )
    assert (found["n"], found["documents"], found["metric"]) == (20, 10, "accuracy")


def test_the_unshared_subset_is_compared_from_the_published_answers(first: Path, second: Path) -> None:
    board = merge_scoreboards([first, second], samples=20)
    found = [row for row in board["paired"] if row["split"] == "published-unshared"]
    assert found and {row["n"] for row in found} == {18}


def test_written_files(first: Path, second: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    board = write_merged([first, second], out, samples=20)
    assert read_json(out / "scoreboard.json") == board
    assert all((out / row["file"]).is_file() for row in board["items"])
    assert "tuned @ second" in (out / "scoreboard.md").read_text(encoding="utf-8")
    assert "調整後モデル（second）" in (out / "report.html").read_text(encoding="utf-8")
    (out / "items" / "stale.jsonl").write_text("{}", encoding="utf-8")
    write_merged([first, second], out, samples=20)
    assert not (out / "items" / "stale.jsonl").exists()
    contents = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    write_merged([first, second], out, samples=20)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == contents


def test_a_merged_board_can_be_merged_again(first: Path, second: Path, tmp_path: Path) -> None:
    write_merged([first, second], tmp_path / "out", samples=20)
    third = evaluation(tmp_path / "third", {"x": "ABB"}, questions(20))
    board = merge_scoreboards([tmp_path / "out", third], samples=20)
    assert models(board) == ["majority", "tuned @ first-run", "base", "tuned @ second", "other", "x"]


def test_sources_are_named_and_opened_once(first: Path, second: Path) -> None:
    ways = [first, first / "latest" / "evaluate", first / "evaluate-1a2b3c4d" / "scoreboard.json", second]
    assert [source.name for source in open_sources(ways)] == ["first-run", "second"]
    assert [source.name for source in open_sources(ways[1:])] == ["first-run", "second"]
    board = read_json(second / "scoreboard.json")
    write_json(second.parent / "x" / "second" / "scoreboard.json", board | {"more": 1})
    names = [source.name for source in open_sources([second, second.parent / "x" / "second"])]
    assert names == ["second", "second (2)"]


def test_boards_of_older_versions_are_merged_without_comparisons(first: Path, tmp_path: Path) -> None:
    row: Row = {
        "model": "tuned",
        "task": "quiz",
        "kind": "choice",
        "metric": "kappa",
        "value": 0.1,
        "low": 0.0,
        "high": 0.2,
    }
    row |= {"n": 20, "split": "published", "answer_mode": "options-letter", "unparsed": 0.0}
    write_json(tmp_path / "old" / "scoreboard.json", {"rows": [row], "published": []})
    path = tmp_path / "old" / "items" / "tuned" / "quiz.jsonl"
    path.parent.mkdir(parents=True)
    rows = [{"id": f"q{k}", "gold": ["AB"[k % 2]], "parsed": ["A"], "score": 1.0} for k in range(20)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    board = merge_scoreboards([first, tmp_path / "old"], samples=20)
    assert models(board) == ["majority", "tuned @ first-run", "base", "tuned @ old"]
    assert not any("old" in row["first"] + row["second"] for row in board["paired"])


def test_comparisons_that_cannot_be_repeated_are_kept(first: Path, tmp_path: Path) -> None:
    pair: Row = {"task": "exam", "split": "test", "metric": "accuracy", "first": "tuned", "first_mode": "generate"}
    pair |= {"second": "base", "second_mode": "generate", "difference": 0.1, "p": 0.2}
    board = read_json(first / "latest" / "evaluate" / "scoreboard.json")
    rows = [row | {"task": "exam", "split": "test"} for row in board["rows"] if row["split"] == "published"]
    write_json(tmp_path / "bare" / "scoreboard.json", {"rows": rows, "paired": [pair]})
    found = merge_scoreboards([first, tmp_path / "bare"], samples=20)["paired"]
    assert pair | {"first": "tuned @ bare", "second": "base @ bare"} in found


@pytest.mark.parametrize("text", ["{", "[]", '{"rows": 3}', "\x00"])
def test_a_damaged_scoreboard_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "scoreboard.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"scoreboard\.json"):
        merge_scoreboards([tmp_path])


def test_what_is_no_evaluation_is_named(first: Path, second: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to merge"):
        merge_scoreboards([])
    with pytest.raises(InputError, match="no such folder"):
        merge_scoreboards([first, tmp_path / "gone"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"no scoreboard\.json"):
        merge_scoreboards([tmp_path / "empty"])
    for other in (first, first / "latest" / "evaluate" / "scoreboard.json"):
        with pytest.raises(InputError, match=r"something else|not a folder"):
            write_merged([second], other)
    with pytest.raises(InputError, match="overwrite a source"):
        write_merged([first], first / "latest" / "evaluate")


def test_damaged_answers_are_named(first: Path, second: Path) -> None:
    path = next((second / "items").rglob("*.jsonl"))
    path.write_text(path.read_text(encoding="utf-8").replace('"gold"', '"gould"'), encoding="utf-8")
    with pytest.raises(InputError, match="no row of an evaluation"):
        merge_scoreboards([first, second], samples=20)
