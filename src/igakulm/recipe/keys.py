"""What the sections of a recipe are made of: the base class, marks and bounds of keys.

Does: define kinds of keys. Does not: define a key (text_sections.py, schema.py).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class DataPath:
    """Marks a string key as a path or glob whose *content* enters fingerprints instead of its name."""


class Unhashed:
    """Marks a key that cannot change a result (speed, disk use); it stays out of fingerprints."""


Data = Annotated[str, DataPath()]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
SplitName = Annotated[str, Field(pattern=r"^(published|document-disjoint|fold-[0-9]{1,2}-of-[0-9]{1,2})$")]
Form = Literal["cleaned", "width", "raw"]
"""How a model's text is prepared. `cleaned`: section 2.2.1 without the deletion of personal data. `width`: only its
width and compatibility forms. `raw`: as it is."""
Workers = Annotated[int, Field(ge=0), Unhashed()]  # processes; 0 = all cores


class Section(BaseModel):
    """Base of all sections: unknown keys are errors, values never change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())
