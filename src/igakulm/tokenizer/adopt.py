"""The tokenizer stage for a model that brings its own tokenizer: a copy of it, with a chat format where it has none.

Does: copy tokenizer.json and its settings, add our three chat tokens and template to a model without a template, prove
that stock tools still give the ids of the source, measure it on the corpus. Does not: train, or encode for training.
The chat tokens take reserved entries of the vocabulary where it has them, else they are appended.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from igakulm.errors import InputError
from igakulm.files import atomic_path, read_json, sha256_file, write_json, write_text
from igakulm.progress import Progress
from igakulm.recipe.schema import TokenizerSection
from igakulm.synth.lexicon import read_terms
from igakulm.tokenizer.adopted import ADOPTED_FILE, ADOPTED_FILES, FORMAT
from igakulm.tokenizer.base_source import find_base, vocabulary_sha256
from igakulm.tokenizer.chat import chat_template
from igakulm.tokenizer.dictionary import clean_terms
from igakulm.tokenizer.encode import CHAT_TOKENS, ENCODER_FILE, TEMPLATE_FILE, TOKENIZER_FILE, TOKENIZER_FILES
from igakulm.tokenizer.folder_text import FolderText, named_ends
from igakulm.tokenizer.foreign import open_tokenizer
from igakulm.tokenizer.gguf_tokenizer import write_gguf_tokenizer
from igakulm.tokenizer.open import load_encoder
from igakulm.tokenizer.report import measure
from igakulm.tokenizer.sample_texts import SENTENCES
from igakulm.tokenizer.selection import Selection, select_documents

RESERVED = re.compile(r"reserved|unused", re.IGNORECASE)
"""Names of control tokens that publishers leave free, such as `<|reserved_special_token_0|>` or `<unused0>`."""
SAMPLE_MEBIBYTES = 64
CONFIG_FILE = "tokenizer_config.json"


def adopt_tokenizer(
    config: TokenizerSection,
    source: Path,
    corpus_dir: Path | None,
    lexicon_dir: Path,
    out_dir: Path,
    progress: Progress,
) -> dict[str, object]:
    """Write the folder of the adopted tokenizer, with report.json about it; the same source gives the same bytes.

    Args:
        config: how much text it is measured on; the keys that shape a new vocabulary are not read.
        source: a Hugging Face folder, a training stage's folder, a bundle or a GGUF file.
        corpus_dir: documents that it is measured on; None where the recipe has none.
        lexicon_dir: names that it is measured on.
        out_dir: where to.
        progress: where to show it.

    Returns:
        runtime, base_size, size, adopted ("template": with its own chat format; "reserved" or "appended": where our
        chat tokens stand; "own": a tokenizer of this project), compression.

    Raises:
        InputError: no tokenizer.json there, no end-of-text token, or a tokenizer that stock tools would read otherwise.
    """
    source = find_base(source)
    if (source / ENCODER_FILE).is_file():
        _copy(source, out_dir, TOKENIZER_FILES)
        how = "own"
    elif source.is_file():
        with tempfile.TemporaryDirectory() as name:
            write_gguf_tokenizer(source, Path(name))
            how = adopt(Path(name), out_dir, source)
    elif (source / ADOPTED_FILE).is_file():
        how = _copy_adopted(source, out_dir)
    else:
        how = adopt(source, out_dir)
    encoder = load_encoder(out_dir)
    progress.say(f"tokenizer: {encoder.size:,} entries adopted from {source} ({_HOW[how]})")
    terms = clean_terms(read_terms(lexicon_dir))
    selection = Selection(config.seed or 0)
    budget = min(SAMPLE_MEBIBYTES, config.max_corpus_mebibytes) * 2**20
    for _ in select_documents(corpus_dir, budget, selection, lambda *_: 1.0) if corpus_dir else ():
        pass
    vocabulary = {"runtime": encoder.runtime, "base_size": encoder.base_size, "size": encoder.size, "adopted": how}
    report = {"vocabulary": vocabulary, **measure(open_tokenizer(out_dir), selection.held, terms, None)}
    write_json(out_dir / "report.json", report)
    return {**vocabulary, "compression": report["compression"]}


_HOW = {
    "own": "a tokenizer of this project",
    "template": "with its own chat format",
    "reserved": "our chat tokens in reserved entries",
    "appended": "our chat tokens appended",
}


def adopt(source: Path, target: Path, base: Path | None = None) -> str:
    """Copy the tokenizer of a model's folder into `target`; return how its chat format came about.

    `base`: the GGUF file that the folder was made from; its hash then stands for the source.

    Raises:
        InputError: as `adopt_tokenizer`.
    """
    if not (source / TOKENIZER_FILE).is_file():
        hint = "load it with transformers and `save_pretrained`, which writes tokenizer.json"
        raise InputError("this folder has no tokenizer.json", where=str(source), hint=hint)
    original = FolderText(source)
    eos = original.stock.end if original.stock.end is not None else min(named_ends(source), default=None)
    if eos is None:
        hint = "give tokenizer_config.json of a copy an eos_token"
        raise InputError("this tokenizer has no end-of-text token", where=str(source), hint=hint)
    _copy(source, target, (TOKENIZER_FILE, CONFIG_FILE, "special_tokens_map.json"))
    _write_settings(target, original, [], {})
    if not _same_ids(original, FolderText(target)):
        # The stock class that config.json names reads the file its own way: write down that way.
        write_text(target / TOKENIZER_FILE, original.stock.written_out() + "\n")
    ids, how, names = ([], "template", {}) if original.chat else _add_chat_tokens(target / TOKENIZER_FILE, original)
    _write_settings(target, original, ids, names)
    write_text(target / TEMPLATE_FILE, original.stock.template or _template(original, eos))
    copied = FolderText(target)
    _refuse_other_ids(source, original, copied, ids)
    files = [name for name in ADOPTED_FILES if (target / name).is_file()]
    description = {
        "format": FORMAT,
        "chat": how,
        "begin": original.begin,
        "eos": eos,
        "stops": sorted(named_ends(source) | copied.ends() | {eos}),
        "chat_tokens": ids,
        "base_size": original.stock.entries,
        "size": copied.stock.entries,
        "source_sha256": vocabulary_sha256(base or source),
        "sha256": {name: sha256_file(target / name) for name in files},
    }
    write_json(target / ADOPTED_FILE, description)
    return how


def _copy(source: Path, target: Path, names: tuple[str, ...]) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for name in names:
        if (source / name).is_file():
            with atomic_path(target / name) as temporary:
                shutil.copyfile(source / name, temporary)


def _copy_adopted(source: Path, target: Path) -> str:
    """A folder of ours that holds an adopted tokenizer; a base model's lacks the template that its tokenizer had."""
    _copy(source, target, ADOPTED_FILES)
    description = read_json(target / ADOPTED_FILE)
    if not (target / TEMPLATE_FILE).is_file():
        write_text(target / TEMPLATE_FILE, _template(FolderText(source), int(description["eos"])))
    return str(description["chat"])


def _add_chat_tokens(path: Path, original: FolderText) -> tuple[list[int], str, dict[str, str]]:
    """Put our chat tokens into tokenizer.json: in reserved entries where there are three, else behind the last.

    Returns their ids, which of the two it was, and the new names of the reserved entries.
    """
    data = read_json(path)
    added: list[dict[str, Any]] = data.setdefault("added_tokens", [])
    if any(token["content"] in CHAT_TOKENS for token in added):
        raise InputError("this tokenizer has our chat tokens but no chat template", where=str(path.parent))
    free = sorted((t for t in added if t.get("special") and RESERVED.search(t["content"])), key=lambda t: int(t["id"]))
    if len(free) >= len(CHAT_TOKENS):
        names = dict(zip((token["content"] for token in free), CHAT_TOKENS, strict=False))
        data["added_tokens"] = _renamed(added, names)
        _rename_entries(data["model"].get("vocab"), names)
        ids, how = [int(token["id"]) for token in free[: len(CHAT_TOKENS)]], "reserved"
    else:
        names = {}
        ids, how = [original.stock.entries + place for place in range(len(CHAT_TOKENS))], "appended"
        flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
        added += [{"id": number, "content": name, **flags} for number, name in zip(ids, CHAT_TOKENS, strict=True)]
    write_text(path, json.dumps(data, ensure_ascii=False) + "\n")
    return ids, how, names


def _renamed(value: object, names: Mapping[str, str]) -> Any:
    """A JSON value with some texts replaced, wherever they stand as values."""
    if isinstance(value, dict):
        return {key: _renamed(inner, names) for key, inner in value.items()}
    if isinstance(value, list):
        return [_renamed(inner, names) for inner in value]
    return names.get(value, value) if isinstance(value, str) else value


def _rename_entries(vocabulary: object, names: Mapping[str, str]) -> None:
    """Rename entries of the model's own table, where the reserved tokens stand in it."""
    if isinstance(vocabulary, dict):
        for old in (name for name in names if name in vocabulary):
            vocabulary[names[old]] = vocabulary.pop(old)
    elif isinstance(vocabulary, list):
        for entry in vocabulary:
            entry[0] = names.get(entry[0], entry[0])


def _write_settings(target: Path, original: FolderText, ids: list[int], names: Mapping[str, str]) -> None:
    """Settings without their copy of the template, with the stock class by name and the new tokens."""
    path, others = target / CONFIG_FILE, target / "special_tokens_map.json"
    if others.is_file():
        write_json(others, _renamed(read_json(others), names))
    settings = _renamed(read_json(path), names) if path.is_file() else {}
    settings.pop("chat_template", None)
    settings.setdefault("tokenizer_class", original.stock.kind)
    known = settings.get("added_tokens_decoder")
    for number, name in zip(ids, CHAT_TOKENS, strict=False):
        if isinstance(known, dict):
            flags = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}
            known[str(number)] = {"content": name, **flags}
    write_json(path, settings)


def _template(original: FolderText, eos: int) -> str:
    begin, end = "".join(original.stock.written(original.begin)), original.stock.written([eos])[0]
    others = [name for name in original.stock.control if not RESERVED.search(name) and name not in CHAT_TOKENS]
    return chat_template(begin, end, [*others, *CHAT_TOKENS])


def _refuse_other_ids(source: Path, original: FolderText, copied: FolderText, ids: list[int]) -> None:
    """Stock tools must read texts in the copy as in the source, and each chat token as its one id."""
    same = copied.stock.entries == max([original.stock.entries - 1, *ids]) + 1 and _same_ids(original, copied)
    chat = [copied.stock.with_control(name) for name in CHAT_TOKENS[: len(ids)]]
    if not same or chat != [[number] for number in ids]:
        hint = "save it with a current transformers (`save_pretrained`) and use that folder"
        raise InputError("stock transformers read a copy of this tokenizer otherwise", where=str(source), hint=hint)


def _same_ids(one: FolderText, other: FolderText) -> bool:
    return one.texts(SENTENCES) == other.texts(SENTENCES) and one.plain_ids("x1 23") == other.plain_ids("x1 23")
