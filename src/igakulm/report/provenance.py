"""The report's last section: where every part of the run came from.

Does: show manifests and recipe without absolute paths or passwords, so that the page can be passed on.
Does not: verify anything.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

import yaml

from igakulm.files import sha256_json
from igakulm.recipe.schema import Recipe
from igakulm.report.charts import bar
from igakulm.report.inputs import RunRecord
from igakulm.report.page import (
    Child,
    Html,
    count,
    details,
    duration,
    el,
    join,
    note,
    section,
    table,
)

STAGES = {
    "lexicon": "医学用語の表",
    "synth": "合成した教科書文",
    "corpus": "コーパス",
    "tokenizer": "トークナイザー",
    "pack": "トークン列",
    "pretrain": "事前学習",
    "finetune": "指示調整",
    "evaluate": "評価",
    "export": "成果物",
}
_ABSOLUTE = re.compile(r"^(?:/|[A-Za-z]:[\\/]|\\\\)")
_PASSWORD = re.compile(r"(?<=//)[^/@\s]+@")


def provenance_section(number: int, recipe: Recipe, record: RunRecord) -> Html:
    """Stages with fingerprints and times, versions, the recipe."""
    shown = shared_recipe(recipe)
    text = yaml.safe_dump(shown, allow_unicode=True, sort_keys=False, width=110)
    return section(
        "provenance",
        number,
        "来歴",
        _stage_table(record),
        note("指紋は、段階の入力の中身・レシピの該当部分・版から計算する。同じ指紋の段階は作り直さない。"),
        _versions(record),
        el("p", el("b", "レシピのSHA-256"), "：", el("code", sha256_json(shown))),
        note("下の表記を正準JSON（キーを整列、空白なし）にしたときの値。絶対パスは末尾の二つの名前だけを示す。"),
        details("レシピの全文（既定値を含む）", el("pre", el("code", text), class_="recipe")),
    )


def _stage_table(record: RunRecord) -> Html:
    whole = record.seconds
    rows: list[Sequence[Child]] = []
    before = 0.0
    for name, manifest in record.manifests.items():
        share, start = (manifest.seconds / whole, before / whole) if whole else (0.0, 0.0)
        before += manifest.seconds
        rows.append(
            [
                el("th", STAGES.get(name, name), scope="row"),
                el("td", el("code", record.folders[name].name), class_="text"),
                el("td", el("code", manifest.fingerprint[:16]), class_="text"),
                el("td", el("code", manifest.digest[:16]), class_="text"),
                count(manifest.version),
                duration(manifest.seconds),
                el("td", bar(share, tall=True, start=start), class_="chart"),
            ]
        )
    names = ("フォルダー", "指紋（先頭）", "中身のハッシュ（先頭）")
    heads = [el("th", name, scope="col", class_="text") for name in names]
    head: list[Child] = ["段階", *heads, "版", "時間", f"全体 {duration(whole)}"]
    return table(head, rows, caption="段階", kind="wide")


def _versions(record: RunRecord) -> Html:
    found: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for name, manifest in record.manifests.items():
        packages = manifest.provenance.get("packages")
        versions = {str(k): str(v) for k, v in packages.items() if v} if isinstance(packages, dict) else {}
        if manifest.provenance.get("python"):
            versions = {"python": str(manifest.provenance["python"]), **versions}
        found.setdefault(tuple(versions.items()), []).append(STAGES.get(name, name))
    lines = [
        el(
            "p",
            el("b", "使ったソフトウェア" if len(found) == 1 else f"{'・'.join(stages)}"),
            "：",
            "、".join(f"{package} {version}" for package, version in versions),
        )
        for versions, stages in found.items()
        if versions
    ]
    return join(*lines)


def shared_recipe(recipe: Recipe) -> dict[str, Any]:
    """The recipe as plain values without absolute paths and passwords; the same on every machine."""
    return {key: _walk(value) for key, value in recipe.model_dump(mode="json").items()}


def _walk(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _walk(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_walk(entry) for entry in value]
    return portable(value) if isinstance(value, str) else value


def portable(text: str) -> str:
    """A text without what belongs to one machine only.

    >>> portable("/home/a/data/corpus/*.jsonl"), portable("runs"), portable("http://me:secret@10.0.0.1/v1")
    ('…/corpus/*.jsonl', 'runs', 'http://10.0.0.1/v1')
    """
    text = _PASSWORD.sub("", text)
    if not _ABSOLUTE.match(text):
        return text
    return "/".join(("…", *PurePosixPath(text.replace("\\", "/")).parts[-2:]))
