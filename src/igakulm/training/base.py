"""The stage `pretrain` of a recipe that pretrains nothing (`pretrain.steps: 0`): the base model as it is, in our form.

Does: load a base from wherever it lies, prove that it is trained here as its own code computes it, write the stock
folder with the adopted tokenizer, say what the base was. Does not: train.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from igakulm.errors import InputError
from igakulm.files import write_json
from igakulm.model.base import describe_base
from igakulm.model.folder import write_folder
from igakulm.progress import Progress
from igakulm.recipe.schema import ModelSection
from igakulm.tasks.layouts import TASKS_FILE
from igakulm.text.preparation import PREPARATION_FILE
from igakulm.tokenizer.base_source import find_base
from igakulm.tokenizer.open import load_encoder
from igakulm.training.pretrain import same_tokenizer, starting_model, starts_with_chat
from igakulm.training.world import current_world

BASE_FILE = "base.json"


def take_base(section: ModelSection, tokenizer_dir: Path, out_dir: Path, progress: Progress) -> dict[str, object]:
    """Write `model/` and `base.json`; the leading process alone does.

    Raises:
        InputError: no base is named or there; a class that would be trained wrongly; another tokenizer than its own.
    """
    if not current_world().leads:
        return {}
    if section.from_folder is None:
        raise InputError("there is no base model", where="model.from_folder", hint="name one, or pretrain")
    source, encoder = Path(section.from_folder), load_encoder(tokenizer_dir)
    record = describe_base(source)
    progress.say(record.sentence())
    if not same_tokenizer(source, encoder):
        raise InputError(
            "a base that is not trained on keeps its own tokenizer; this is another one",
            where="tokenizer.from_folder",
            hint="leave it out, or set pretrain.steps",
        )
    model, scale = starting_model(section, encoder, 1, 0, progress)
    write_folder(model, scale, encoder, tokenizer_dir, out_dir / "model", chat=starts_with_chat(section, encoder))
    for name in (PREPARATION_FILE, TASKS_FILE):  # a base that was made here says how it is asked
        if (said := find_base(source) / name).is_file():
            shutil.copyfile(said, out_dir / "model" / name)
    write_json(out_dir / BASE_FILE, record.json())
    parameters = sum(weight.numel() for weight in model.parameters())
    return {"parameters": parameters, "steps": 0, "tokens": 0, "base": record.json()}
