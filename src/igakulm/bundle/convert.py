"""The converted models of a bundle, each with the proof that it is the model that it was made from.

Does: write the GGUF files and the Llama form; compare them with the weights, with the original's predictions, and with
its scores where an evaluation is there. Does not: know a file's format (gguf.py), or decide which files are wanted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from igakulm.bundle.answer_change import Answers, answer, answer_change, change_lines
from igakulm.bundle.gguf import write_gguf
from igakulm.bundle.gguf_check import check_gguf
from igakulm.bundle.huggingface import same_logits, same_tokenizer
from igakulm.bundle.llama_form import as_llama
from igakulm.bundle.predictions import (
    Predictions,
    compare_predictions,
    compare_reading,
    original_predictions,
    refuse_divergence,
)
from igakulm.bundle.proof_questions import Questions, read_questions
from igakulm.bundle.quantise import GgufKind
from igakulm.inference.bundle_file import AnswerChange
from igakulm.inference.llamacpp import LlamaCppEngine, available
from igakulm.inference.open import open_model
from igakulm.progress import Progress
from igakulm.tokenizer.open import load_encoder
from igakulm.tokenizer.sample_texts import SENTENCES

NOT_COMPARED = "not compared: xllamacpp is not installed"


@dataclass(frozen=True)
class Original:
    """The model that is converted, and what it says to prompts and questions."""

    folder: Path
    prompts: Sequence[Sequence[int]]
    predictions: Predictions
    questions: Questions
    answers: Answers | None


def examine(
    folder: Path, prompts: Sequence[Sequence[int]], evaluation_dir: Path | None, progress: Progress
) -> Original:
    """Let the original speak in float32 on the CPU.

    Args:
        folder: stock Hugging Face folder.
        prompts: token ids whose next tokens are compared.
        evaluation_dir: where its questions come from; None asks none.
        progress: where to show it.
    """
    predictions = original_predictions(folder, prompts)
    model = open_model(folder, "transformers", device="cpu")
    questions, answers = read_questions(evaluation_dir, model), None
    if len(questions):
        with progress.task("answers of the original", len(questions), "items") as task:
            answers = answer(model, questions, task.advance)
    return Original(folder, prompts, predictions, questions, answers)


def convert(
    name: str,
    kinds: Sequence[GgufKind],
    source: Path,
    target: Path,
    prompts: Sequence[Sequence[int]],
    evaluation_dir: Path | None,
    progress: Progress,
) -> dict[str, dict[str, Any]]:
    """Write `target/NAME-KIND.gguf` for each kind.

    Args:
        name: part of the files' names.
        kinds: types of the weights; repeated ones count once.
        source: stock Hugging Face folder.
        target: folder of the files.
        prompts: token ids whose next tokens are compared.
        evaluation_dir: an evaluation of this model, whose items are answered again; None leaves that out.
        progress: where to show it.

    Returns:
        File name -> kind, architecture, encoding, tensors, compared, largest_error, llamacpp (how its predictions
        differ, or why they were not compared), reading (on how many texts llama.cpp's own tokenizer agrees), answers
        (`AnswerChange`: how its answers differ, where an evaluation is there).

    Raises:
        InputError: a file that would be read or computed wrongly.
    """
    kinds = list(dict.fromkeys(kinds))
    original = examine(source, prompts, evaluation_dir, progress) if kinds and available() else None
    files = {}
    for kind in kinds:
        path = target / f"{name}-{kind}.gguf"
        entry = write_gguf(source, path, kind, name, progress)
        entry |= check_gguf(path, source, kind)
        entry |= _compare(path, kind, entry["encoding"], original, progress) if original else {"llamacpp": NOT_COMPARED}
        files[path.name] = entry
    return files


def _compare(path: Path, kind: GgufKind, encoding: str, original: Original, progress: Progress) -> dict[str, Any]:
    """What llama.cpp makes of a file, beside the original."""
    found: dict[str, Any] = {}
    with LlamaCppEngine(path, precise=True) as converted:
        found["llamacpp"] = compare_predictions(original.predictions, converted)
        refuse_divergence(found["llamacpp"], kind, path, encoding)
    if original.answers is not None:
        found["answers"] = _answers(path, kind, original, original.answers, progress).model_dump(exclude_none=True)
    found["reading"] = compare_reading(path, load_encoder(original.folder), SENTENCES)
    said = f"mean KL to the original {found['llamacpp']['kl_mean']} nats"
    if "answers" in found:
        said += "".join(f", {line}" for line in change_lines(AnswerChange(**found["answers"])))
    progress.say(f"  {path.name}: {said}")
    return found


def _answers(path: Path, kind: str, original: Original, before: Answers, progress: Progress) -> AnswerChange:
    """The answers of a converted file as it is served, beside those of the original."""
    model = open_model(path, lanes=1)
    try:
        with progress.task(f"answers of {kind}", len(original.questions), "items") as task:
            after = answer(model, original.questions, task.advance)
    finally:
        model.close()
    return answer_change(original.questions, before, after)


def add_llama(source: Path, target: Path, prompts: Sequence[Sequence[int]], progress: Progress) -> dict[str, Any]:
    """Write the Llama form of a model and prove that it computes the same logits, bit for bit.

    Raises:
        InputError: the model has no exact Llama form, or is a Llama already.
    """
    facts = as_llama(source, target, progress)
    same_logits(source, target, prompts)
    same_tokenizer(target, load_encoder(target), SENTENCES)
    return facts
