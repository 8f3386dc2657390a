"""Personal data in what other models wrote: a model can give back a name or a number that it was trained on.

Does: take it out of textbook texts and exam items by the switch of the recipe, before they are written.
Does not: find or replace anything itself (text/personal/).
"""

from __future__ import annotations

from dataclasses import replace

from igakulm.recipe.personal_data import PersonalData
from igakulm.synth.exam_item import ExamItem
from igakulm.tasks.personal_data import Deidentifiers, deidentifier_for

_WHERE = "synth.personal_data"


def text_without(text: str, source: str, value: PersonalData | None, known: Deidentifiers) -> str:
    """A text of a source as the switch `value` wants it; `known` counts what was done."""
    deidentifier = deidentifier_for(source, value, known, _WHERE)
    return deidentifier(text, text).text if deidentifier else text


def item_without(item: ExamItem, source: str, value: PersonalData | None, known: Deidentifiers) -> ExamItem:
    """An exam item whose question, options and explanation were looked at together; its answer stays."""
    deidentifier = deidentifier_for(source, value, known, _WHERE)
    if deidentifier is None:
        return item
    texts = {"question": item.question, "explanation": item.explanation}
    texts |= {f"option {place}": option for place, option in enumerate(item.options)}
    replaced = deidentifier.replace_together(texts, item.question)
    options = tuple(replaced[f"option {place}"].text for place in range(len(item.options)))
    return replace(item, question=replaced["question"].text, options=options, explanation=replaced["explanation"].text)
