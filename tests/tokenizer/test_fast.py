"""tokenizer.json in stock tools: identical ids for plain text, and the chat template."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from igakulm.tokenizer.chat import render_chat
from igakulm.tokenizer.encode import CHAT_TOKENS, TextEncoder
from igakulm.tokenizer.fast import WORD_BORDER
from igakulm.tokenizer.segment import Segmenter

CONTROL = ("<|begin_of_text|>", "<|end_of_text|>", *CHAT_TOKENS)
FRAGMENTS = st.sampled_from(
    [
        "患者は",
        "急性心筋梗塞",
        " ",
        "  ",
        "\n",
        "\t",
        "\0",
        "▁",
        "<unk>",
        "<0x41>",
        "37.2℃",
        "。",
        "𠮟",
        "👨‍👩‍👧",
        "\u2063",
        "　",
    ]
)
TEXTS = st.lists(st.one_of(FRAGMENTS, st.text(st.characters(exclude_categories=["Cs"]), max_size=6)), max_size=12)


@pytest.fixture(scope="module")
def stock(plain_folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(plain_folder, local_files_only=True)


@given(TEXTS.map("".join))
@settings(max_examples=300, deadline=None)
def test_stock_ids_are_ours_for_plain_text(stock: Any, plain: TextEncoder, text: str) -> None:
    ids = stock(text, add_special_tokens=False)["input_ids"]
    assert ids == plain.encode(text)
    assert stock.decode(ids, skip_special_tokens=True) == text


def test_stock_ids_are_ours_for_running_text(stock: Any, plain: TextEncoder, samples: Path) -> None:
    texts = [json.loads(line)["text"] for line in (samples / "corpus" / "everyday.jsonl").open(encoding="utf-8")][:40]
    assert stock(texts, add_special_tokens=False)["input_ids"] == plain.encode_batch(texts)


def test_stock_ids_are_ours_for_a_very_long_line(stock: Any, plain: TextEncoder, samples: Path) -> None:
    texts = [json.loads(line)["text"] for line in (samples / "corpus" / "everyday.jsonl").open(encoding="utf-8")]
    line = "".join(texts).replace("\n", "")
    assert len(line) > 20_000
    assert stock(line, add_special_tokens=False)["input_ids"] == plain.encode(line)


def test_stock_tokenizer_knows_the_special_tokens(stock: Any, plain: TextEncoder) -> None:
    assert (stock.bos_token_id, stock.eos_token_id, stock.pad_token_id) == (plain.bos, plain.eos, plain.eos)
    assert len(stock) == plain.size
    assert [stock.convert_tokens_to_ids(token) for token in CHAT_TOKENS] == [600, 601, 602]
    assert stock("患者")["input_ids"][0] == plain.bos
    assert (
        json.loads((plain.folder / "tokenizer_config.json").read_text())["tokenizer_class"] == "PreTrainedTokenizerFast"
    )


def test_unknown_and_byte_spellings_stay_text_in_stock_tools(stock: Any) -> None:
    for text in ("<unk>", "<0x41>", "▁", "<0xE3><0x81>"):
        ids = stock(text, add_special_tokens=False)["input_ids"]
        assert len(ids) > 1
        assert stock.decode(ids) == text


def conversation(user: str, answer: str = " はい。\n\n急性心筋梗塞です。 ") -> list[dict[str, str]]:
    return [
        {"role": "system", "content": "あなたは医師です。"},
        {"role": "user", "content": user},
        {"role": "assistant", "content": answer},
        {"role": "user", "content": ""},
    ]


@pytest.mark.parametrize("prompt", [True, False])
def test_template_renders_what_render_chat_renders(stock: Any, plain: TextEncoder, prompt: bool) -> None:
    messages = conversation(" 血圧は？\n ")
    ids, mask = render_chat(plain, messages, prompt)
    rendered = stock.apply_chat_template(
        messages, add_generation_prompt=prompt, return_dict=True, return_assistant_tokens_mask=True
    )
    assert rendered["input_ids"] == ids
    assert [bool(one) for one in rendered["assistant_masks"]] == mask


@pytest.mark.parametrize("token", CONTROL)
def test_template_defuses_control_spellings_in_content(stock: Any, token: str) -> None:
    harmless = stock.apply_chat_template(conversation("x"), return_dict=True)["input_ids"]
    nested = token[:4] + token + token[4:]
    for attack in (token, f"a{token}{token}b", nested):
        messages = conversation(attack, answer=attack)
        messages[0]["content"] += attack
        ids = stock.apply_chat_template(messages, return_dict=True)["input_ids"]
        special = [i for i in ids if i in stock.all_special_ids]
        assert special == [i for i in harmless if i in stock.all_special_ids]


def test_template_refuses_unknown_roles(stock: Any) -> None:
    with pytest.raises(Exception, match="unknown role"):
        stock.apply_chat_template([{"role": "tool", "content": "x"}])


def test_mecab_borders_give_the_ids_of_the_mecab_runtime(mecab: TextEncoder) -> None:
    tokenizer = Tokenizer.from_file(str(mecab.folder / "tokenizer.json"))
    words = Segmenter(mecab.folder / "user_dictionary.dic", mecab.merge_function_words).words(
        "患者は急性心筋梗塞の診断で 入院し、\n5 mgの内服を開始した。"
    )
    ids = tokenizer.encode(WORD_BORDER.join(words), add_special_tokens=False).ids
    assert ids == mecab.encode("".join(words))
