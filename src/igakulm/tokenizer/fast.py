"""A trained sentencepiece model as a stock Hugging Face tokenizer (tokenizer.json), and the encoder's description.

Does: write what `transformers.AutoTokenizer`, vLLM and `TextEncoder` load, with identical ids for plain text.
Does not: train, or encode.
Three things differ from a plain conversion. Control, unknown and byte pieces get a score so low that text spelling one
(`<0x41>`) never becomes it. Pieces hold real spaces, so that a literal U+2581 stays itself. `<unk>` is no special
token: with byte pieces nothing is unknown.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import sentencepiece
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

from igakulm.files import sha256_file, write_json, write_text
from igakulm.tokenizer.chat import BEGIN, END, chat_template
from igakulm.tokenizer.encode import (
    CHAT_TOKENS,
    DICTIONARY_FILE,
    ENCODER_FILE,
    FORMAT,
    MODEL_FILE,
    TOKENIZER_FILE,
)
from igakulm.tokenizer.spelling import METASPACE

NEVER = -1.0e4
"""Log-probability of pieces that text must never become: any spelling by single characters is likelier."""
WORD_BORDER = "\u2063"
"""Where MeCab split the text, for stock tools with the runtime `mecab`; removed before encoding."""


def write_tokenizer_files(folder: Path, runtime: Literal["plain", "mecab"], merge_function_words: bool = False) -> None:
    """Write tokenizer.json, tokenizer_config.json, chat_template.jinja and encoder.json beside sentencepiece.model.

    `merge_function_words`: how text is segmented with the runtime "mecab" (chains.py).
    """
    tokenizer = convert(folder / MODEL_FILE, runtime)
    write_text(folder / TOKENIZER_FILE, tokenizer.to_str(pretty=False) + "\n")
    write_json(folder / "tokenizer_config.json", _config())
    write_text(folder / "chat_template.jinja", chat_template())
    names = [TOKENIZER_FILE, MODEL_FILE, *([DICTIONARY_FILE] if (folder / DICTIONARY_FILE).exists() else [])]
    description = {
        "format": FORMAT,
        "runtime": runtime,
        "merge_function_words": merge_function_words,
        "ids": _special_ids(tokenizer),
        "base_size": tokenizer.get_vocab_size(with_added_tokens=False),
        "size": tokenizer.get_vocab_size(with_added_tokens=True),
        "sha256": {name: sha256_file(folder / name) for name in names},
    }
    write_json(folder / ENCODER_FILE, description)


def convert(model_file: Path, runtime: Literal["plain", "mecab"]) -> Tokenizer:
    """The Unigram model of a sentencepiece file as a `tokenizers.Tokenizer` with the chat tokens appended."""
    model = sentencepiece.SentencePieceProcessor(model_file=str(model_file))
    vocabulary = []
    for index in range(model.vocab_size()):
        special = model.is_control(index) or model.is_byte(index) or model.is_unknown(index)
        score = NEVER if special else model.get_score(index)
        vocabulary.append((model.id_to_piece(index).replace(METASPACE, " "), score))
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=model.unk_id(), byte_fallback=True))
    if runtime == "mecab":
        tokenizer.pre_tokenizer = pre_tokenizers.Split(WORD_BORDER, "removed")
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    special_tokens = [AddedToken(token, special=True, normalized=False) for token in (BEGIN, END, *CHAT_TOKENS)]
    tokenizer.add_special_tokens(special_tokens)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BEGIN} $A", pair=f"{BEGIN} $A $B", special_tokens=[(BEGIN, model.bos_id())]
    )
    return tokenizer


def _special_ids(tokenizer: Tokenizer) -> dict[str, int]:
    names = {"unk": "<unk>", "bos": BEGIN, "eos": END, "newline": "\n"}
    names |= {token.strip("<|>"): token for token in CHAT_TOKENS}
    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    return {name: vocabulary[token] for name, token in names.items()}


def _config() -> dict[str, object]:
    return {
        # LlamaTokenizer would load too and give other ids.
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": BEGIN,
        "eos_token": END,
        "pad_token": END,
        "additional_special_tokens": list(CHAT_TOKENS),
        "clean_up_tokenization_spaces": False,
        "padding_side": "right",
    }
