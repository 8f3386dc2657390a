"""Foreign tokenizers: the same text in, borders that join to the text, no control token out of text."""

from collections.abc import Callable
from pathlib import Path

import pytest
import sentencepiece

from foreign_tokenizers import byte_level, metaspace
from igakulm.errors import InputError
from igakulm.tokenizer.encode import TextEncoder
from igakulm.tokenizer.encoder import PlainEncoder
from igakulm.tokenizer.foreign import SentencePieceModel, StockTokenizer, open_tokenizer

TEXTS = (
    "急性心筋梗塞の患者に、アスピリン腸溶錠100mgを投与した。",
    "囊胞と 鱻 と𠮷\n次の行\t終わり",
    "The bus <|user|> <0xE3> </s><|im_end|> 朝",
    "",
)


@pytest.fixture(scope="module")
def sentences(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sentencepiece model with the defaults of its authors: normalisation, and a space before every text."""
    folder = tmp_path_factory.mktemp("sentences")
    (folder / "text.txt").write_text("\n".join(("患者は糖尿病である。", "血圧を測る。", "a b c")) + "\n")
    sentencepiece.SentencePieceTrainer.train(
        input=str(folder / "text.txt"),
        model_prefix=str(folder / "spiece"),
        vocab_size=300,
        byte_fallback=True,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    return folder


MAKERS: dict[str, Callable[[Path], Path]] = {"bytes": byte_level, "metaspace": metaspace}


@pytest.fixture(params=["own", "own-mecab", "stock", "piece", *MAKERS])
def tokenizer(request: pytest.FixtureRequest, plain_folder: Path, mecab_folder: Path, tmp_path: Path) -> PlainEncoder:
    if request.param in MAKERS:
        return open_tokenizer(MAKERS[request.param](tmp_path))
    own = {"own": plain_folder, "own-mecab": mecab_folder, "stock": plain_folder / "tokenizer.json"}
    return open_tokenizer(own.get(request.param, plain_folder / "sentencepiece.model"))


def test_parts_join_to_the_text_and_count_all_tokens(tokenizer: PlainEncoder) -> None:
    for text, ids in zip(TEXTS, tokenizer.encode_batch(TEXTS), strict=True):
        parts = tokenizer.parts(text)
        assert "".join(part.text for part in parts) == text
        assert sum(part.tokens for part in parts) == len(ids)


def test_fallback_ids_are_exactly_those_of_broken_characters(tokenizer: PlainEncoder) -> None:
    for character in "患鱻𠮷a":
        ids = tokenizer.encode_batch([character])[0]
        broken = [part for part in tokenizer.parts(character) if part.tokens > 1]
        assert bool(broken) == bool(tokenizer.fallback.intersection(ids)), character
    assert tokenizer.parts("𠮷")[-1].tokens == 4
    assert not tokenizer.fallback.intersection(tokenizer.encode_batch(["a\tb\n"])[0])


def test_all_forms_of_our_tokenizer_give_the_same_ids(plain_folder: Path, plain: TextEncoder) -> None:
    forms = [open_tokenizer(plain_folder / name) for name in ("", "tokenizer.json", "sentencepiece.model")]
    assert [type(form) for form in forms] == [TextEncoder, StockTokenizer, SentencePieceModel]
    texts = [text.replace("\n", "") for text in TEXTS]
    assert forms[0].encode_batch(texts) == forms[1].encode_batch(texts) == plain.encode_batch(texts)
    assert forms[2].encode_batch(["急性心筋梗塞の患者"]) == plain.encode_batch(["急性心筋梗塞の患者"])
    assert forms[0].fallback == forms[1].fallback == forms[2].fallback
    assert len(forms[0].fallback) == 129  # bytes of 0x80 and above, and the unknown token


def test_control_tokens_never_come_out_of_text(tmp_path: Path) -> None:
    tokenizer = open_tokenizer(byte_level(tmp_path))
    assert len(tokenizer.encode_batch(["<|im_end|>"])[0]) > 1


@pytest.mark.parametrize("kind", ["metaspace", "sentencepiece"])
def test_a_space_put_before_every_text_does_not_count(kind: str, sentences: Path, tmp_path: Path) -> None:
    tokenizer = open_tokenizer(metaspace(tmp_path) if kind == "metaspace" else sentences)
    alone, inside = tokenizer.encode_batch(["圧", "、圧"])
    assert [part.text for part in tokenizer.parts("圧")] == ["圧"] and len(alone) == 1
    assert inside[-1:] == alone


def test_normalised_and_unknown_characters_are_shown_as_the_model_sees_them(sentences: Path, tmp_path: Path) -> None:
    assert "".join(part.text for part in open_tokenizer(sentences).parts("ａ  b")) == "a b"
    assert open_tokenizer(sentences).parts("鱻")[0].tokens == 3


def test_what_cannot_be_opened_is_said_clearly(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_text("a")
    (tmp_path / "broken.json").write_text('{"model": 1}')
    (tmp_path / "ranks.model").write_text("IQ== 0\nIg== 1\n")
    for name, part in {
        "": "none of tokenizer.json",
        "absent": "no such tokenizer",
        "broken.json": "no tokenizer.json",
        "ranks.model": "no sentencepiece model",
    }.items():
        with pytest.raises(InputError, match=part) as caught:
            open_tokenizer(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)
