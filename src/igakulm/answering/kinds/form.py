"""The form of a kind of task on the page, as data: the page draws it, and a test holds it to the request's fields.

Does: hold labels, fields, an example and how the answer is shown. Does not: draw.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class FormField:
    """One field of a request.

    Attributes:
        name: of the request's field.
        label, hint: what a person reads, in Japanese.
        sends: a text; its lines as a list, labels such as "a." taken away; or a number chosen of `options`.
        rows: height of the text area.
        least: fewest lines.
        below: a number must be smaller than the lines of this field.
        options: (value, label) of a number.
    """

    name: str
    label: str
    hint: str = ""
    sends: Literal["text", "lines", "number"] = "text"
    rows: int = 5
    least: int = 1
    below: str = ""
    options: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Form:
    """All fields of a request but its task, which is chosen of those of the model.

    Attributes:
        tab, heading: names in Japanese.
        fields: in order.
        choose: label before the tasks to choose from; "" = the request names none.
        several: several tasks may be chosen, which are asked one after the other.
        beside: fields stand beside each other.
        example: field -> a text that the example fills in.
        refused: what is wrong where lines or numbers do not fit.
        shows: strings marked in the text; options with their probabilities; or the fields of the answer as they are.
        place: tabs stand in this order.
    """

    tab: str
    heading: str
    fields: tuple[FormField, ...]
    choose: str = ""
    several: bool = False
    beside: bool = False
    example: Mapping[str, str] = field(default_factory=dict)
    refused: str = ""
    shows: Literal["marks", "options", "fields"] = "fields"
    place: int = 100
