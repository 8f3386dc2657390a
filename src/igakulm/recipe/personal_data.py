"""The one switch for personal data: what is found in a source of records or in rows, and what takes its place.

Does: name the kinds and layers, define the keys. Does not: find or replace anything (text/personal/).
"""

from __future__ import annotations

from typing import Annotated, Literal

from igakulm.recipe.keys import Section, Unhashed

Kind = Literal[
    "name",
    "birth_date",
    "age",
    "date",
    "address",
    "postal_code",
    "institution",
    "telephone",
    "mail",
    "url",
    "account",
    "tag",
    "patient_number",
    "insurance_number",
    "my_number",
    "vehicle_number",
    "device_number",
]
Layer = Literal["rules", "labels", "titles", "gazetteer", "context", "sentences", "tagger", "consistency"]
Style = Literal["kind", "numbered", "invented"]
Dates = Literal["keep", "replace", "shift"]


class Deidentification(Section):
    """How personal data is taken out; docs/personal-data.md."""

    kinds: tuple[Kind, ...] = ()  # empty = all; of dates see `dates`
    layers: tuple[Layer, ...] = ()  # empty = all
    style: Style = "kind"  # kind = [氏名]; numbered = [患者A], the same person the same letter; invented = other names
    dates: Dates = "keep"  # dates other than of birth: shift = by one number of days a patient, so that intervals stay
    min_confidence: float = 0.0  # spans below it stay
    patient: str | None = None  # field of a row that names the patient; None: every row is one of its own
    key: Annotated[str | None, Unhashed()] = None  # file that can undo it and holds the secret; never inside the run


PersonalData = Literal["replace", "kept"] | Deidentification
"""What a recipe says: `replace` = with all defaults, `kept` = the text stays as it is, or how it is replaced."""


def deidentification(value: PersonalData | None) -> Deidentification | None:
    """The settings that a recipe's value stands for; None = nothing is done.

    >>> deidentification("replace") == Deidentification(), deidentification("kept"), deidentification(None)
    (True, None, None)
    """
    if value == "replace":
        return Deidentification()
    return value if isinstance(value, Deidentification) else None
