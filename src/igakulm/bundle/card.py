"""MODEL_CARD.md in Japanese and English, written from what the stages recorded.

Does: list data with licences, the training, scores with intervals, checks of the converted files, limits. Does not:
compute anything, or claim what was not measured: a table without numbers says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from igakulm.bundle.personal_data import PersonalDone, personal_lines
from igakulm.corpus.records import SourceEntry
from igakulm.evaluation.scoreboard import Score
from igakulm.inference.bundle_file import GgufFile
from igakulm.report.markdown import cell, table
from igakulm.report.words import LANGUAGES, Words, words
from igakulm.version import __version__

LIMITS = ("device", "errors", "knowledge", "scores")


@dataclass(frozen=True)
class CardFacts:
    """What the card tells.

    `model` is the result of `copy_folder`; `sources` are those of the corpus stage; `scores` those of the scoreboard;
    `gguf` maps file names to their entries in bundle.json; `tuning`, `lists` and `training` are those of records.py;
    `llama` says whether the folder `llama/` is there; `personal` what was done about personal data in which source;
    `foreign_base` whether the model was made from one that this project did not train.
    """

    name: str
    model: Mapping[str, Any]
    sources: Mapping[str, SourceEntry] = field(default_factory=dict)
    scores: Sequence[Score] = ()
    gguf: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    tuning: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    lists: Mapping[str, str] = field(default_factory=dict)
    training: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    llama: bool = False
    personal: Mapping[str, PersonalDone] = field(default_factory=dict)
    foreign_base: bool = False


def model_card(facts: CardFacts) -> str:
    """The card as Markdown with the header that model hubs read."""
    parts = [_part(facts, words(language)) for language in LANGUAGES]
    return "\n".join([_header(), f"# {cell(facts.name)}\n", *parts])


def _header() -> str:
    return (
        "---\nlanguage: [ja]\nlibrary_name: transformers\npipeline_tag: text-generation\n"
        "license: other\nlicense_name: see-data-table\ntags: [medical, japanese]\n---\n"
    )


def _part(facts: CardFacts, t: Words) -> str:
    model = facts.model
    sizes = {"architecture": "architecture", "parameters": "parameters", "vocabulary": "vocabulary"}
    known = {name: cell(model[key]) for name, key in (sizes | {"context": "context_length"}).items()}
    lines = [
        f"## {t('card.heading')}\n",
        t("card.introduction", version=__version__, **known),
        f"\n### {t('card.limits_heading')}\n",
        *(f"- {t(f'card.limits.{limit}')}" for limit in LIMITS),
        f"\n### {t('card.personal_heading')}\n",
        *personal_lines(facts.personal, facts.foreign_base, t),
        f"\n### {t('card.data_heading')}\n",
        *_table(t, "data_columns", "no_data", _data(facts, t)),
        *_tuning(facts, t),
        f"\n{t('card.terms')}\n",
        f"### {t('card.training_heading')}\n",
        *_table(t, "training_columns", "no_training", _training(facts, t)),
        f"\n### {t('card.scores_heading')}\n",
        t("card.scores_text"),
        *_table(t, "scores_columns", "no_scores", _scores(facts)),
        f"\n### {t('card.files_heading')}\n",
        *_files(facts, t),
        f"\n{t('card.ids')}\n",
    ]
    return "\n".join(lines)


def _table(t: Words, columns: str, nothing: str, rows: Sequence[Sequence[object]]) -> list[str]:
    body = [[cell(value) for value in row] for row in rows]
    return table(t(f"card.{columns}").split("|"), body) if rows else [t(f"card.{nothing}")]


def _data(facts: CardFacts, t: Words) -> list[Sequence[object]]:
    return [
        (name, entry.kind, t.listed(entry.licences), entry.documents, entry.characters)
        for name, entry in facts.sources.items()
    ]


def _tuning(facts: CardFacts, t: Words) -> list[str]:
    lines: list[str] = []
    if facts.tuning:
        rows = [(task, entry.get("licence"), entry.get("rows")) for task, entry in facts.tuning.items()]
        lines += [f"\n{t('card.tuning_text')}\n", *_table(t, "tuning_columns", "no_data", rows)]
    if facts.lists:
        lines.append(f"\n{t('card.lists_text')}{t.listed(f'{cell(k)} ({cell(v)})' for k, v in facts.lists.items())}")
    return lines


def _training(facts: CardFacts, t: Words) -> list[Sequence[object]]:
    """One line a stage."""
    keys = ("steps", "tokens", "loss_last", "machine")
    return [
        (t.named("stage", stage), *(_rounded(entry.get(key)) for key in keys))
        for stage, entry in facts.training.items()
    ]


def _rounded(value: object) -> object:
    return f"{value:.3g}" if isinstance(value, float) else value


def _scores(facts: CardFacts) -> list[Sequence[object]]:
    """The columns in which a model was scored; those of baselines alone stay in the scoreboard."""
    scored = {(score.task, score.split) for score in facts.scores if score.role == "model"}
    groups: dict[tuple[str, str, str], list[Score]] = {}
    for score in facts.scores:
        if (score.task, score.split) in scored:
            mode = f" ({score.answer_mode})" if score.role == "model" and score.answer_mode else ""
            groups.setdefault((score.task, score.split, score.model + mode), []).append(score)
    return [(*key, "; ".join(map(_score, group)), group[0].n) for key, group in groups.items()]


def _score(score: Score) -> str:
    known = score.low is not None and score.high is not None
    return f"{score.metric} {score.value:.3f}" + (f" [{score.low:.3f}, {score.high:.3f}]" if known else "")


def _files(facts: CardFacts, t: Words) -> list[str]:
    lines = [f"- `huggingface/`{t('card.huggingface')}"]
    if facts.llama:
        lines.append(f"- `llama/`{t('card.llama')}")
    for name, entry in facts.gguf.items():
        file = GgufFile.model_validate(entry)
        kind = f"{file.kind}, {file.architecture}/{file.encoding}"
        checks = t("comma").join(["", *_checks(file, t)])
        lines.append(f"- `gguf/{name}`{t('card.gguf', kind=kind)}{checks}")
    return lines


def _checks(file: GgufFile, t: Words) -> list[str]:
    """What was measured about a converted file: divergence of its predictions, and answers that differ, by kind."""
    found, runtime = [], file.llamacpp
    if runtime.kl_mean is not None and runtime.same_first_choice is not None:
        found.append(t("card.divergence", mean=runtime.kl_mean, same=runtime.same_first_choice))
    return found + [t(f"card.changed_{name}", **told) for name, told in file.answers.kinds()]
