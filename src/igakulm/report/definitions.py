"""What the figures of an evaluation mean and where they come from.

Does: define the metrics, splits and ways of answering that occur; name sources, prompts and software.
Does not: verify anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from igakulm.files import sha256_file
from igakulm.manifest import Manifest
from igakulm.report.board import BASELINE_MODE, SCOREBOARD, Board
from igakulm.report.inputs import moment_text
from igakulm.report.page import MISSING, Child, Html, bulk, count, el, facts, finite, heading, join, table
from igakulm.report.words import (
    METRICS,
    MODES,
    STYLES,
    mode_name,
    model_name,
    shortened,
    split_meaning,
    split_name,
    style_name,
)

UNITS = {"document": "文書"}


def definitions_part(board: Board, level: int) -> Html:
    """Metrics, splits, ways of answering and layouts of prompts that occur, and the hashes of the prompts."""
    scores = [score for task in board.tasks for score in task.scores]
    splits = [f"{split_name(split)}：{split_meaning(split)}" for split in board.splits if split_meaning(split)]
    return join(
        _list(level, "指標の定義", _known(METRICS, (score.metric.removesuffix("_micro") for score in scores))),
        _list(level, "分割の定義", splits),
        _list(level, "答え方の定義", _known(MODES, (score.answer_mode for score in scores))),
        _list(level, "指示文の形の定義", _known(STYLES, (score.prompt_style for score in scores))),
        _prompts(board),
    )


def _known(words: Mapping[str, tuple[str, str]], used: Iterable[str]) -> list[Child]:
    present = set(used)
    return [[el("b", name), " ", el("code", key), "：", text] for key, (name, text) in words.items() if key in present]


def _list(level: int, title: str, lines: Sequence[Child]) -> Html:
    if not lines:
        return Html("")
    return join(heading(level, title), el("ul", [el("li", line) for line in lines], class_="definitions"))


def _prompts(board: Board) -> Html:
    seen: dict[tuple[str, ...], None] = {}
    for score in (score for task in board.tasks for score in task.scores):
        if score.prompt_sha256:
            style = style_name(score.prompt_style) or MISSING
            seen[
                score.task,
                score.split,
                model_name(score.model),
                mode_name(score.answer_mode),
                style,
                score.prompt_sha256,
            ] = None
    rows: list[Sequence[Child]] = [
        [shortened(task), split_name(split), model, mode, style, el("td", el("code", sha))]
        for task, split, model, mode, style, sha in seen
    ]
    head = ["課題", "分割", "モデル", "答え方", "指示文の形", "SHA-256"]
    return bulk("指示文のSHA-256", table(head, rows, numbers=False, kind="wide hashes")) if rows else Html("")


def origin_part(board: Board, manifest: Manifest | None, level: int) -> Html:
    """When, with what, and from which folders the scoreboard was made."""
    pairs: list[tuple[Child, Child]] = []
    if manifest:
        packages = manifest.provenance.get("packages")
        torch = packages.get("torch") if isinstance(packages, dict) else None
        pairs += [
            ("作成", moment_text([manifest.finished]) or MISSING),
            ("IgakuLM", str(manifest.provenance.get("igakulm") or MISSING)),
            ("Python", str(manifest.provenance.get("python") or MISSING)),
            ("PyTorch", str(torch or MISSING)),
            ("計算機", str(manifest.provenance.get("platform") or MISSING)),
        ]
    bootstrap = board.raw.get("bootstrap")
    if isinstance(bootstrap, dict):
        unit = str(bootstrap.get("unit") or "")
        pairs += [
            ("ブートストラップの回数", count(bootstrap.get("samples"))),
            ("乱数の種", count(bootstrap.get("seed"))),
            ("選び直す単位", UNITS.get(unit, shortened(unit)) or MISSING),
        ]
    baselines = {score.model for task in board.tasks for score in task.scores if score.role == BASELINE_MODE}
    if baselines:
        pairs.append(("基準線", f"{count(len(baselines))} 種類"))
    if board.folder:
        pairs.append((f"{SCOREBOARD} のSHA-256", el("code", sha256_file(board.folder / SCOREBOARD)[:16])))
    return join(heading(level, "来歴"), facts(pairs), _sources(board))


def _sources(board: Board) -> Html:
    rows: list[Sequence[Child]] = []
    for row in board.rows("sources"):
        bootstrap = row.get("bootstrap")
        samples = bootstrap.get("samples") if isinstance(bootstrap, dict) else None
        rows.append(
            [
                shortened(str(row.get("name") or "")),
                moment_text([str(row.get("finished") or "")]) or MISSING,
                count(samples) if finite(samples) is not None else MISSING,
                el("td", el("code", str(row.get("scoreboard_sha256") or MISSING)[:16]), class_="text"),
            ]
        )
    head: list[Child] = [
        "名前",
        "作成",
        "ブートストラップの回数",
        el("th", "scoreboard.json のSHA-256（先頭）", class_="text"),
    ]
    return table(head, rows, caption="まとめた評価") if rows else Html("")
