"""The tokenizer of a GGUF file as a stock Hugging Face folder.

Does: let transformers read it, and write down the chat format that the file brings. Does not: read weights, or adopt
the folder (adopt.py does).
"""

from __future__ import annotations

from pathlib import Path

from igakulm.errors import InputError
from igakulm.files import write_json
from igakulm.pretrained import load_tokenizer
from igakulm.tokenizer.gguf_header import read_values


def write_gguf_tokenizer(gguf: Path, folder: Path) -> None:
    """Write tokenizer.json, tokenizer_config.json and the ends of text that the file names.

    Raises:
        InputError: a kind of vocabulary that transformers cannot read from GGUF.
    """
    values = read_values(gguf)
    try:
        stock = load_tokenizer(gguf.parent, gguf.name)
    except InputError as error:
        hint = "give the tokenizer's own Hugging Face folder: tokenizer.from_folder"
        raise InputError(error.what, where=str(gguf), hint=hint) from error
    if values.get("tokenizer.chat_template"):
        stock.chat_template = str(values["tokenizer.chat_template"])
    folder.mkdir(parents=True, exist_ok=True)
    stock.save_pretrained(folder)
    keys = [f"tokenizer.ggml.{name}_token_id" for name in ("eos", "eot", "eom")]
    ends = sorted({int(values[key]) for key in keys if key in values})
    write_json(folder / "generation_config.json", {"eos_token_id": ends})
