"""The table of licences and the licence of the program."""

from pathlib import Path

from igakulm.bundle.licences import address_of, code_licence, licence_table, note_on, write_licences


def test_known_and_unknown_licences() -> None:
    table = licence_table({"JCSTS": ["CC BY-NC-SA 4.0"], "ward | 3": ["病院内", "CC0-1.0"], "x": ["unknown"]})
    assert "| JCSTS | CC BY-NC-SA 4.0 | https://creativecommons.org/licenses/by-nc-sa/4.0/ |" in table
    assert "非営利 / non-commercial" in table
    assert "| ward \\| 3 | 病院内 | - | 要確認 / check |" in table
    assert table.count("要確認") == 2
    assert "記録がありません" in licence_table({})


def test_addresses() -> None:
    assert address_of("cc-by-sa-3.0") == "https://creativecommons.org/licenses/by-sa/3.0/"
    assert address_of("Apache-2.0") and address_of("MIT")
    for text in ("CC BY", "CC BY-XX 4.0", "", "CC BY 4.0 or later"):
        assert address_of(text) == "" and note_on(text) == "要確認 / check"


def test_the_program_s_own_licence_is_there(tmp_path: Path) -> None:
    write_licences(tmp_path, {})
    text = (tmp_path / "LICENSES" / "Apache-2.0.txt").read_text()
    assert text == code_licence() and "Apache License" in text and len(text) > 10_000
