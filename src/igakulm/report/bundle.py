"""The report's section on what came out: files of the bundle, checks of the converted models, commands.

Does: turn `bundle.json` (see bundle/build.py) and the stage's manifest into markup.
Does not: verify hashes (`igakulm verify` does).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from igakulm.recipe.schema import Recipe
from igakulm.report.inputs import RunRecord
from igakulm.report.page import (
    MISSING,
    Child,
    Html,
    count,
    el,
    facts,
    finite,
    join,
    note,
    percent,
    section,
    size,
    table,
)
from igakulm.report.provenance import portable

MODEL_FACTS = {
    "architecture": "構造",
    "activation": "活性化関数",
    "layers": "層",
    "hidden_size": "幅",
    "vocabulary": "語彙",
    "context_length": "文脈長（トークン）",
}


def bundle_section(number: int, recipe: Recipe, record: RunRecord) -> Html:
    """Files with sizes and hashes, checks of the GGUF files, commands."""
    manifest = record.manifests.get("export")
    if manifest is None:
        return section("bundle", number, "成果物", note("この実行には成果物の記録がありません。"))
    bundle = record.json("export", "bundle.json")
    return section(
        "bundle",
        number,
        "成果物",
        facts(_model(_inner(bundle, "model"))),
        _conversions(_inner(bundle, "gguf")),
        _files(manifest.files),
        el("h3", "使い方"),
        el("pre", el("code", _commands(f"{portable(recipe.runs_folder)}/{recipe.name}/latest/export"))),
    )


def _inner(value: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def _model(model: Mapping[str, Any]) -> list[tuple[Child, Child]]:
    pairs: list[tuple[Child, Child]] = []
    for key, name in MODEL_FACTS.items():
        value = model.get(key)
        if value is not None:
            pairs.append((name, str(value) if finite(value) is None else count(value)))
    return pairs


def _conversions(gguf: Mapping[str, Any]) -> Html:
    """One line for each GGUF file: largest error of a weight, and how far llama.cpp's predictions are from ours."""
    rows: list[Sequence[Child]] = []
    for name, entry in gguf.items():
        if not isinstance(entry, dict):
            continue
        runtime = _inner(entry, "llamacpp")
        rows.append(
            [
                el("th", el("code", name), scope="row"),
                el("td", "、".join(f"{kind} {number}" for kind, number in _inner(entry, "tensors").items()) or MISSING),
                count(entry.get("compared")),
                _small(entry.get("largest_error")),
                _small(runtime.get("kl_mean")),
                _small(runtime.get("kl_max")),
                percent(runtime.get("same_first_choice"), 0),
            ]
        )
    if not rows:
        return Html("")
    head = ["GGUF", "テンソルの型と数", "照合した数", "重みの最大誤差", "KL平均", "KL最大", "首位の一致"]
    return join(
        table(head, rows, caption="変換の検査", kind="bundle"),
        note(
            "重みの誤差は、テンソルの最大の重みに対する比。KLは、次のトークンの確率分布が元のモデルから"
            "llama.cppでどれだけ離れるか（nat）。「–」は比べていないことを示す。"
        ),
    )


def _small(value: object) -> str:
    """A figure that may be tiny: two significant digits."""
    number = finite(value)
    return MISSING if number is None else f"{number:.2g}"


def _files(files: Mapping[str, Mapping[str, Any]]) -> Html:
    rows: list[Sequence[Child]] = [
        [el("th", el("code", name), scope="row"), size(entry.get("bytes")), _hash(entry.get("sha256"))]
        for name, entry in files.items()
    ]
    total = sum(finite(entry.get("bytes")) or 0.0 for entry in files.values())
    caption = f"ファイル（合計 {size(total)}）"
    return table(["ファイル", "大きさ", "SHA-256（先頭）"], rows, caption=caption, kind="bundle")


def _hash(value: object) -> Html:
    return el("code", str(value)[:12]) if value else el("span", MISSING)


def _commands(folder: str) -> str:
    return (
        f"igakulm verify {folder}            # ファイルが変わっていないことを確かめる\n"
        f"igakulm chat --bundle {folder}     # 端末で対話する\n"
        f"igakulm serve {folder}             # OpenAI互換のAPIをこの計算機で開く"
    )
