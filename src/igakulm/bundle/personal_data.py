"""What a model card says about personal data: what ran on which data, what it replaced, how well it was measured.

Does: read the stages' records and put them into sentences. Does not: promise anything; where nothing ran it says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from igakulm.evaluation.personal_spans import Measured, Share, measured
from igakulm.report.markdown import cell, table
from igakulm.report.words import Words


class PersonalDone(BaseModel):
    """What a stage recorded about one source or task.

    `how`: replaced = by surrogates, with `layers`; deleted = by the rules for public text, of the `kinds`; kept =
    nothing was done. `replaced`: kind to spans.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)
    how: Literal["replaced", "deleted", "kept"] = "kept"
    layers: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    dates: str = "keep"
    replaced: dict[str, int] = Field(default_factory=dict)


def personal_data_of(
    sources: Mapping[str, object], tuning: Mapping[str, object], tasks: Sequence[str]
) -> dict[str, PersonalDone]:
    """Source or task to what was done.

    Args:
        sources: of the corpus, with the record of each (empty = none, from before it was kept).
        tuning: the record of the tuning stage.
        tasks: all tasks that rows of the tuning come from; those without a record were left as they are.
    """
    found = {name: PersonalDone.model_validate(record or {}) for name, record in sources.items()}
    recorded = {name.replace("\\", "/").rsplit("/", 1)[-1]: record for name, record in tuning.items()}
    found |= {name: PersonalDone.model_validate(record or {}) for name, record in recorded.items()}
    covered = {*recorded, *(["chats"] if len(recorded) > len(set(tasks) & set(recorded)) else [])}
    return found | {task: PersonalDone() for task in tasks if task not in covered}


def personal_lines(done: Mapping[str, PersonalDone], foreign_base: bool, t: Words) -> list[str]:
    """The lines of the card."""
    acted = {name: one for name, one in done.items() if one.how != "kept"}
    lines = [] if acted else [t("card.personal_none")]
    for name, one in acted.items():
        lines.append(f"- {_sentence(cell(name), one, t)}")
    untouched = [cell(name) for name, one in done.items() if one.how == "kept"]
    if acted and untouched:
        lines.append(f"- {t('card.personal_kept', names=t.listed(untouched))}")
    if foreign_base:
        lines.append(f"- {t('card.personal_base')}")
    if acted:
        lines += _measured(acted, t)
    return lines


def _sentence(name: str, one: PersonalDone, t: Words) -> str:
    total = sum(one.replaced.values())
    by_kind = t.listed(f"{t.named('personal', kind)} {count:,}" for kind, count in one.replaced.items())
    spans = t("brackets", text=f"{total:,}", more=by_kind) if by_kind else f"{total:,}"
    if one.how == "deleted":
        kinds = t.listed(t.named("personal", kind) for kind in one.kinds)
        return t("card.personal_deleted", name=name, kinds=kinds, spans=spans)
    layers = t.listed(one.layers)
    sentence = t("card.personal_replaced", name=name, layers=layers, spans=spans)
    return sentence + (t("card.personal_shifted") if one.dates == "shift" else "")


def _measured(acted: Mapping[str, PersonalDone], t: Words) -> list[str]:
    """What was found of the notes that were held out; of public text only the kinds that were looked for."""
    whole = any(one.how == "replaced" for one in acted.values())
    kinds = {kind for one in acted.values() for kind in one.kinds}
    rows = [row for entry in measured() if entry.held_out for row in _rows(entry, None if whole else kinds, t)]
    lines = ["", t("card.personal_measured"), ""]
    return [*lines, *table(t("card.personal_columns").split("|"), rows), "", t("card.personal_caution")]


def _rows(entry: Measured, kinds: set[str] | None, t: Words) -> list[list[str]]:
    rows = [[entry.labelled_set, t("card.personal_all"), *map(_share, (entry.recall, entry.precision))]]
    if kinds is not None:
        rows = []
    for kind, recall in entry.recall_by_kind.items():
        if kinds is None or kind in kinds:
            precision = entry.precision_by_kind.get(kind)
            rows.append([entry.labelled_set, t.named("personal", kind), _share(recall), _share(precision)])
    return rows


def _share(share: Share | None) -> str:
    if share is None or not share.n:
        return "-"
    return f"{share.value:.3f} [{share.low:.3f}, {share.high:.3f}] ({share.right}/{share.n})"
