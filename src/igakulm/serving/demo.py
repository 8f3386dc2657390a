"""What a bundle really answers: one question and one record, both invented, asked of the model that lies in it.

Does: open the bundle, ask, word the answers with the sentence about baselines. Does not: judge an answer, or choose an
example by it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from igakulm.answering.tasks import extract
from igakulm.evaluation.comparisons import comparisons
from igakulm.evaluation.score_tables import Board
from igakulm.inference.engine import Sampling
from igakulm.inference.model import Model
from igakulm.inference.open import open_model
from igakulm.serving.answer_stream import AnswerStream
from igakulm.serving.model_routes import bundled_scoreboard
from igakulm.serving.opening import beside, offers_chat

QUESTION = "褥瘡はどこにできやすいですか。"
"""Worded as no row of samples/chats words it."""
RECORD = "昨夜から発熱と咳嗽があり、アセトアミノフェンを内服した。今朝は食欲不振と倦怠感を訴えている。"
ANSWER_TOKENS = 96


def demo(folder: Path, engine: str = "auto") -> Iterator[str]:
    """Lines of text: the question and its answer, the record and what each task finds in it, how the model stands.

    A bundle that was not tuned on conversations gets no question, one without extraction no record.

    Raises:
        InputError: no bundle there.
        EngineFailed: the model's process died.
    """
    opened = open_model(folder, engine)
    try:
        if offers_chat(opened):
            prompt = opened.prompt([{"role": "user", "content": QUESTION}]).ids
            stream = AnswerStream(opened, prompt, ANSWER_TOKENS, Sampling())
            answer = "".join(stream)
            yield f"質問  {QUESTION}"
            yield f"答え  {answer.strip() or '（何も答えませんでした）'}{'…' if stream.finish == 'length' else ''}"
        yield from _extracted(opened)
        yield from _standing(folder)
    finally:
        opened.close()


def _extracted(opened: Model) -> Iterator[str]:
    tasks = [task for task in opened.tasks if task.kind == "extract"]
    if tasks:
        yield f"記録  {RECORD}"
    for task in tasks:
        found = extract(opened, task, RECORD)
        shown = [item.text for item in found.items] + [f"{text}（記録にない表現）" for text in found.unplaced]
        cut = "（答えが途中で切れました）" if found.cut else ""
        title = task.title_ja.removesuffix(f"（{task.name}）")
        yield f"  {title}：{'、'.join(shown) or 'なし'}{cut}"


def _standing(folder: Path) -> Iterator[str]:
    """What the paired tests on the test rows say; nothing where the bundle holds no scores."""
    rows = [row for row in beside(comparisons(Board(bundled_scoreboard(folder)))) if row["best"] is not None]
    if rows:
        ahead = [row["task"] for row in rows if row["verdict"] == "above"]
        behind = [
            f"{row['task']}（{row['best_ja']} {row['best']:.3f}、このモデル {row['value']:.3f}）"
            for row in rows
            if row["verdict"] == "below"
        ]
        yield f"言語モデルを使わない最良の方法を上回った課題（対応のある検定）：{'、'.join(ahead) or 'なし'}"
        if behind:
            yield f"その方法のほうが良い課題：{'、'.join(behind)}"
    yield "答えは誤ることがあります。診断や治療の判断には使えません。"
