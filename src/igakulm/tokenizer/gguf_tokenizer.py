"""The tokenizer of a GGUF file as a stock Hugging Face folder.

Does: let transformers read it, and write down the chat format that the file brings. Does not: read weights, or adopt
the folder (adopt.py does).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"

from igakulm.errors import InputError
from igakulm.files import write_json
from igakulm.tokenizer.gguf_header import read_values


def write_gguf_tokenizer(gguf: Path, folder: Path) -> None:
    """Write tokenizer.json, tokenizer_config.json and the ends of text that the file names.

    Raises:
        InputError: a kind of vocabulary that transformers cannot read from GGUF.
    """
    from transformers import AutoTokenizer

    values, loader = read_values(gguf), AutoTokenizer
    try:
        stock: Any = loader.from_pretrained(str(gguf.parent), gguf_file=gguf.name, local_files_only=True)
    # The conversion of a foreign vocabulary can fail in any way.
    except Exception as error:
        first = (str(error) or type(error).__name__).splitlines()[0]
        what = f"transformers cannot read the tokenizer of this file: {first}"
        hint = "give the tokenizer's own Hugging Face folder: tokenizer.from_folder"
        raise InputError(what, where=str(gguf), hint=hint) from error
    if values.get("tokenizer.chat_template"):
        stock.chat_template = str(values["tokenizer.chat_template"])
    folder.mkdir(parents=True, exist_ok=True)
    stock.save_pretrained(folder)
    keys = [f"tokenizer.ggml.{name}_token_id" for name in ("eos", "eot", "eom")]
    ends = sorted({int(values[key]) for key in keys if key in values})
    write_json(folder / "generation_config.json", {"eos_token_id": ends})
