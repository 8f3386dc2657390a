import json
from pathlib import Path

from messy_workbook import write_messy_workbook
from small_evaluation import igakulm


def test_init_and_check_from_the_command_line(tmp_path: Path) -> None:
    write_messy_workbook(tmp_path / "notes.xlsx")
    out = tmp_path / "task.yaml"
    done = igakulm("task", "init", tmp_path / "notes.xlsx", "--out", out, "--yes")
    assert done.code == 0 and "label (classify from '転倒')" in done.out
    again = igakulm("task", "init", tmp_path / "notes.xlsx", "--out", out, "--yes")
    assert again.code == 2 and "--force" in again.err
    found = json.loads(igakulm("task", "check", out, "--json").out)
    assert found["rows"] == 66 and found["usable"] == 63 and found["left_out"][0]["row"] == 65
    shown = igakulm("task", "check", out).out
    assert "63 usable, 23 patients" in shown and "row 66, items: '頭痛' does not stand in the text" in shown
