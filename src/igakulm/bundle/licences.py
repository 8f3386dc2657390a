"""LICENCES.md and LICENSES/: on what terms the things stand that a bundle was made from.

Does: list every source with its licence, the official address of known licences, and what to look at before the weights
are given on. Does not: decide whether a use is allowed.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence
from pathlib import Path

from igakulm.files import write_text
from igakulm.report.markdown import cell, table
from igakulm.shipped import PACKAGE

_CREATIVE = {
    "CC-BY": "by", "CC-BY-SA": "by-sa", "CC-BY-NC": "by-nc", "CC-BY-ND": "by-nd", "CC-BY-NC-SA": "by-nc-sa",
    "CC-BY-NC-ND": "by-nc-nd",
}  # fmt: skip
_ADDRESSES = {
    "CC0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "APACHE-2.0": "https://www.apache.org/licenses/LICENSE-2.0",
    "MIT": "https://opensource.org/license/mit",
    "PDM-1.0": "https://creativecommons.org/publicdomain/mark/1.0/",
}
_HEADS = ("もとになったもの / source", "ライセンス / licence", "原文 / text", "注意 / note")
_INTRODUCTION = """# ライセンス / Licences

重みは下のデータから作られました。重みの利用条件は、この表から利用者が確かめてください。
The weights were made from the data below. Check the terms of the weights against this table yourself.
"""
_CODE = """
チャットテンプレートなど IgakuLM 自身の文は Apache-2.0 です（`LICENSES/Apache-2.0.txt`）。
IgakuLM's own text in this bundle, such as the chat template, is under Apache-2.0 (`LICENSES/Apache-2.0.txt`).
"""


def address_of(licence: str) -> str:
    """The official address of a licence, empty when it is not known.

    >>> address_of("CC BY-NC-SA 4.0")
    'https://creativecommons.org/licenses/by-nc-sa/4.0/'
    >>> address_of("of the hospital")
    ''
    """
    name, _, version = licence.strip().upper().replace(" ", "-").rpartition("-")
    if name in _CREATIVE and version.replace(".", "").isdigit():
        return f"https://creativecommons.org/licenses/{_CREATIVE[name]}/{version}/"
    return _ADDRESSES.get(f"{name}-{version}".strip("-"), "")


def note_on(licence: str) -> str:
    """What to look at before weights made from such data are used or given on.

    >>> note_on("CC BY-NC-SA 4.0")
    '表示 / attribution; 継承 / share alike; 非営利 / non-commercial'
    """
    words = licence.upper().replace("-", " ").split()
    terms = {"BY": "表示 / attribution", "SA": "継承 / share alike", "NC": "非営利 / non-commercial",
             "ND": "改変禁止 / no derivatives"}  # fmt: skip
    notes = [note for word, note in terms.items() if word in words]
    return "; ".join(notes) if address_of(licence) else "要確認 / check"


def licence_table(licences: Mapping[str, Sequence[str]]) -> str:
    """LICENCES.md as Markdown. `licences`: what the model was made from -> its licences."""
    rows = [
        (name, licence, address_of(licence) or "-", note_on(licence) or "-")
        for name, found in licences.items()
        for licence in found
    ]
    body = (
        "\n".join(table(_HEADS, [[cell(value) for value in row] for row in rows]))
        if rows
        else "データの記録がありません。 No record of the data is present."
    )
    return "\n".join((_INTRODUCTION, body, _CODE))


def write_licences(out_dir: Path, licences: Mapping[str, Sequence[str]]) -> None:
    """Write LICENCES.md and LICENSES/Apache-2.0.txt, the text that came with the installed package."""
    write_text(out_dir / "LICENCES.md", licence_table(licences))
    text = code_licence()
    if text:
        write_text(out_dir / "LICENSES" / "Apache-2.0.txt", text)


def code_licence() -> str:
    """The licence text of this program: that of the installed package, or of the source tree that it runs from."""
    found = [Path(str(file.locate())) for file in importlib.metadata.files("igakulm") or () if file.name == "LICENSE"]
    found.append(PACKAGE.parents[1] / "LICENSE")
    return next((text for path in found if path.is_file() and (text := path.read_text(encoding="utf-8"))), "")
