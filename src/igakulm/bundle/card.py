"""MODEL_CARD.md in Japanese and English, written from what the stages recorded.

Does: list data with licences, the training, scores with intervals, checks of the converted files, limits. Does not:
compute anything, or claim what was not measured: a table without numbers says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from igakulm import __version__
from igakulm.bundle.answer_change import TEXT_TOKENS, AnswerChange
from igakulm.bundle.card_text import ENGLISH, JAPANESE, Words


@dataclass(frozen=True)
class CardFacts:
    """What the card tells.

    `model` is the result of `copy_folder`; `sources` is sources.json of the corpus stage; `rows` are the rows of
    scoreboard.json; `gguf` maps file names to their entries in bundle.json; `tuning`, `lists` and `training` are those
    of records.py; `llama` says whether the folder `llama/` is there.
    """

    name: str
    model: Mapping[str, Any]
    sources: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    rows: Sequence[Mapping[str, Any]] = ()
    gguf: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    tuning: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    lists: Mapping[str, str] = field(default_factory=dict)
    training: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    llama: bool = False


def model_card(facts: CardFacts) -> str:
    """The card as Markdown with the header that model hubs read."""
    return "\n".join([_header(), f"# {_cell(facts.name)}\n", _part(facts, JAPANESE), _part(facts, ENGLISH)])


def _header() -> str:
    return (
        "---\nlanguage: [ja]\nlibrary_name: transformers\npipeline_tag: text-generation\n"
        "license: other\nlicense_name: see-data-table\ntags: [medical, japanese]\n---\n"
    )


def _part(facts: CardFacts, words: Words) -> str:
    model = facts.model
    lines = [
        f"## {words.heading}\n",
        words.introduction.format(
            version=__version__,
            architecture=_number(model["architecture"]),
            parameters=_number(model["parameters"]),
            vocabulary=_number(model["vocabulary"]),
            context=_number(model["context_length"]),
        ),
        f"\n### {words.limits_heading}\n",
        *(f"- {line}" for line in words.limits),
        f"\n### {words.data_heading}\n",
        _data(facts, words),
        *_tuning(facts, words),
        *_lists(facts, words),
        f"\n{words.terms}\n",
        f"### {words.training_heading}\n",
        _training(facts, words),
        f"\n### {words.scores_heading}\n",
        words.scores_text,
        _scores(facts, words),
        f"\n### {words.files_heading}\n",
        *_files(facts, words),
        f"\n{words.ids}\n",
    ]
    return "\n".join(lines)


def _data(facts: CardFacts, words: Words) -> str:
    keys = ("documents", "characters")
    rows = [
        (name, entry.get("kind", ""), ", ".join(entry.get("licences", ())), *(entry.get(key) for key in keys))
        for name, entry in facts.sources.items()
    ]
    return table(words.data_columns, rows) if rows else words.no_data


def _tuning(facts: CardFacts, words: Words) -> list[str]:
    rows = [(task, entry.get("licence"), entry.get("rows")) for task, entry in facts.tuning.items()]
    return [f"\n{words.tuning_text}\n", table(words.tuning_columns, rows)] if rows else []


def _lists(facts: CardFacts, words: Words) -> list[str]:
    found = ", ".join(f"{_cell(name)} ({_cell(licence)})" for name, licence in facts.lists.items())
    return [f"\n{words.lists_text}{found}"] if found else []


def _training(facts: CardFacts, words: Words) -> str:
    """One line a stage."""
    keys = ("steps", "tokens", "loss_last", "machine")
    rows = [
        (words.stages.get(stage, stage), *(_rounded(entry.get(key)) for key in keys))
        for stage, entry in facts.training.items()
    ]
    return table(words.training_columns, rows) if rows else words.no_training


def _rounded(value: object) -> object:
    return f"{value:.3g}" if isinstance(value, float) else value


def _scores(facts: CardFacts, words: Words) -> str:
    """The columns in which a model was scored; those of baselines alone stay in the scoreboard."""
    scored = {(row["task"], row.get("split", "")) for row in facts.rows if row.get("role", "model") == "model"}
    groups: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for row in facts.rows:
        if (row["task"], row.get("split", "")) in scored:
            mode = f" ({row['answer_mode']})" if row.get("role") == "model" and row.get("answer_mode") else ""
            groups.setdefault((row["task"], row.get("split", ""), row["model"] + mode), []).append(row)
    rows = [(*key, "; ".join(map(_score, group)), group[0].get("n")) for key, group in groups.items()]
    return table(words.scores_columns, rows) if rows else words.no_scores


def _score(row: Mapping[str, Any]) -> str:
    value, low, high = row.get("value"), row.get("low"), row.get("high")
    if not isinstance(value, int | float):
        return f"{row['metric']} -"
    interval = f" [{low:.3f}, {high:.3f}]" if isinstance(low, int | float) and isinstance(high, int | float) else ""
    return f"{row['metric']} {value:.3f}{interval}"


def _files(facts: CardFacts, words: Words) -> list[str]:
    lines = [f"- `huggingface/`{words.huggingface}"]
    if facts.llama:
        lines.append(f"- `llama/`{words.llama}")
    for name, entry in facts.gguf.items():
        kind = f"{entry['kind']}, {entry['architecture']}/{entry['encoding']}"
        lines.append(f"- `gguf/{name}`{words.gguf.format(kind=kind)}{_checks(entry, words)}")
    return lines


def _checks(entry: Mapping[str, Any], words: Words) -> str:
    """What was measured about a converted file: divergence of its predictions, answers that differ."""
    found = []
    runtime, answers = entry.get("llamacpp"), entry.get("answers")
    if isinstance(runtime, Mapping) and isinstance(runtime.get("kl_mean"), int | float):
        found.append(words.divergence.format(mean=runtime["kl_mean"], same=runtime["same_first_choice"]))
    if isinstance(answers, Mapping):
        found += _changes(AnswerChange(**answers), words)
    return words.comma.join(["", *found]) if found else ""


def _changes(change: AnswerChange, words: Words) -> list[str]:
    """How the answers to the evaluation's own questions differ from those of the original, kind by kind."""
    found = []
    for kind, sentence in (
        (change.options, words.options),
        (change.lists, words.answer_lists),
        (change.text, words.text),
    ):
        if kind is not None:
            scores = {"before": kind.original or 0.0, "after": kind.quantised or 0.0}
            found.append(
                sentence.format(changed=kind.changed, n=kind.n, share=kind.share, tokens=TEXT_TOKENS, **scores)
            )
    return found


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; no text can break out of its cell."""
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    lines += ["| " + " | ".join(_number(value) for value in row) + " |" for row in rows]
    return "\n".join(lines)


def _number(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else _cell("-" if value is None else str(value))


def _cell(text: str) -> str:
    r"""Text that cannot break out of a table cell.

    >>> _cell("a|b\nc<script>")
    'a\\|b c&lt;script>'
    """
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
