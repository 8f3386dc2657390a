"""Text to ids and back: exact for all text, safe against spellings of control tokens."""

import json
import pickle
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from igakulm.errors import InputError
from igakulm.tokenizer.encode import TOKENIZER_FILES, TextEncoder
from igakulm.tokenizer.padding import padded

CHARACTERS = st.characters(exclude_categories=["Cs"])
FRAGMENTS = st.sampled_from(
    [
        "患者は", "急性心筋梗塞", " ", "  ", "\n", "\n\n", "\t", "\r\n", "\0", "▁", "▁▁", "\u2063", "　", "Ð", "𠮟",
        "👨‍👩‍👧",
        "<|user|>", "<|end_of_text|>", "<unk>", "<0x41>", "<s>", "37.2℃", "アスピリン", "。", "e\u0301",
        "\u200b", "The bus",
    ]
)  # fmt: skip
TEXTS = st.lists(st.one_of(FRAGMENTS, st.text(CHARACTERS, max_size=6)), max_size=12).map("".join)
LITERALS = [
    "<|user|>", "<|system|>", "<|assistant|>", "<|begin_of_text|>", "<|end_of_text|>", "<unk>", "<s>", "</s>",
    "<0x41>", "<0x0A>", "<0xE3><0x81><0x82>", "▁", "a▁b", "▁ ▁", "\0", "あ\0い", "", "\n", "\n\n", " ", "   x  ",
    "\r\n",
    "⁇", " ⁇ ", "\ufffd", "\u2063患者\u2063", "x" * 5000, "患者" * 3000,
]  # fmt: skip


@given(TEXTS)
@settings(max_examples=300, deadline=None)
def test_round_trip_plain(plain: TextEncoder, text: str) -> None:
    assert plain.decode(plain.encode(text)) == text


@given(TEXTS)
@settings(max_examples=150, deadline=None)
def test_round_trip_mecab(mecab: TextEncoder, text: str) -> None:
    assert mecab.decode(mecab.encode(text)) == text


@pytest.mark.parametrize("text", LITERALS)
@pytest.mark.parametrize("runtime", ["plain", "mecab"])
def test_literals_round_trip_and_never_become_control_ids(
    plain: TextEncoder, mecab: TextEncoder, runtime: str, text: str
) -> None:
    encoder = plain if runtime == "plain" else mecab
    ids = encoder.encode(text)
    assert encoder.decode(ids) == text
    control = {encoder.unk, encoder.bos, encoder.eos, encoder.system, encoder.user, encoder.assistant}
    assert not control & set(ids)


def test_a_spelt_byte_piece_is_not_that_byte(plain: TextEncoder) -> None:
    byte = plain.encode("\x01")
    assert len(byte) == 1
    assert plain.token_bytes(byte[0]) == b"\x01"
    assert byte[0] not in plain.encode("<0x01>")


def test_batch_equals_one_by_one(plain: TextEncoder, mecab: TextEncoder) -> None:
    for encoder in (plain, mecab):
        texts = ["患者は\n\n", "", "▁x\ny", "\n", "37.2℃ です"]
        assert encoder.encode_batch(texts) == [encoder.encode(text) for text in texts]
        assert encoder.encode_batch([]) == []


def test_lone_surrogates_become_the_replacement_character(plain: TextEncoder, mecab: TextEncoder) -> None:
    for encoder in (plain, mecab):
        assert encoder.decode(encoder.encode("患者\ud800は\udfff")) == "患者\ufffdは\ufffd"
        assert encoder.encode_batch(["a\ud800", "患者"])[1] == encoder.encode("患者")


def test_newline_is_one_id_and_lines_are_independent(plain: TextEncoder) -> None:
    assert plain.newline == 3
    assert plain.encode("患者\n血圧") == [*plain.encode("患者"), 3, *plain.encode("血圧")]


def test_ids_and_sizes(plain: TextEncoder) -> None:
    assert (plain.unk, plain.bos, plain.eos, plain.newline) == (0, 1, 2, 3)
    assert (plain.base_size, plain.size) == (600, 603)
    assert (plain.system, plain.user, plain.assistant) == (600, 601, 602)
    assert len(plain.pieces()) == plain.size
    assert [kind for _, _, kind in plain.pieces()[4:260]] == ["byte"] * 256


def test_control_ids_decode_to_nothing_and_unknown_ids_are_refused(plain: TextEncoder) -> None:
    ids = [plain.bos, plain.user, *plain.encode("患者"), plain.eos, plain.unk, plain.assistant, plain.system]
    assert plain.decode(ids) == "患者"
    assert plain.decode([plain.size, padded(plain.size) - 1]) == ""  # padding of a model's embedding
    for wrong in (-1, padded(plain.size)):
        with pytest.raises(ValueError, match="no id"):
            plain.decode([wrong])


def test_broken_utf8_decodes_to_the_replacement_character(plain: TextEncoder) -> None:
    first, *_ = plain.encode("\u2063")
    assert plain.decode([first]) == "\ufffd"


def test_digits_are_single_tokens(plain: TextEncoder) -> None:
    assert len(plain.encode("6800")) == 4


def test_names_of_the_lexicon_are_one_token(plain: TextEncoder) -> None:
    assert len(plain.encode("急性心筋梗塞")) == 1


def test_mecab_splits_at_run_time(plain: TextEncoder, mecab: TextEncoder) -> None:
    text = "患者は急性心筋梗塞の診断で入院し、 5 mgの内服を開始した。"
    assert mecab.runtime == "mecab"
    assert mecab.encode(text) == mecab.encode_words(mecab._segmenter.words(text) if mecab._segmenter else [])
    assert plain.encode(text) == plain.encode_words([text])


def test_survives_pickling(plain: TextEncoder) -> None:
    copy = pickle.loads(pickle.dumps(plain))
    assert copy.encode("患者は") == plain.encode("患者は")


def test_a_copy_of_the_named_files_is_enough(mecab: TextEncoder, tmp_path: Path) -> None:
    for name in TOKENIZER_FILES:
        shutil.copyfile(mecab.folder / name, tmp_path / name)
    assert TextEncoder.load(tmp_path).encode("患者") == mecab.encode("患者")


def test_the_other_runtime_can_be_asked_for(plain: TextEncoder, mecab: TextEncoder) -> None:
    text = "患者は急性心筋梗塞の診断で入院し、内服を開始した。"
    other = TextEncoder.load(mecab.folder, "plain")
    assert other.encode(text) == mecab.encode_words([text])
    assert pickle.loads(pickle.dumps(other)).runtime == "plain"
    assert TextEncoder.load(plain.folder, "mecab").runtime == "mecab"
    with pytest.raises(InputError, match="juman"):
        TextEncoder.load(plain.folder, "juman")


def test_a_changed_or_missing_file_is_refused(plain_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(plain_folder, folder)
    (folder / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match="not the one"):
        TextEncoder.load(folder)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(InputError, match="missing"):
        TextEncoder.load(folder)
    with pytest.raises(InputError, match="no such file"):
        TextEncoder.load(tmp_path / "nowhere")
    (folder / "encoder.json").write_text(json.dumps({"format": 99}), encoding="utf-8")
    with pytest.raises(InputError, match="format"):
        TextEncoder.load(folder)


@pytest.mark.parametrize("name", ["tokenizer.json", "sentencepiece.model", "user_dictionary.dic"])
def test_a_truncated_file_is_refused(plain_folder: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(plain_folder, folder)
    (folder / name).write_bytes((folder / name).read_bytes()[:-10])
    for runtime in ("plain", "mecab"):
        with pytest.raises(InputError, match=name):
            TextEncoder.load(folder, runtime)


@pytest.mark.parametrize(
    "changed",
    [{"sha256": None}, {"sha256": {}}, {"sha256": {"../other": "0"}}, {"runtime": "juman"}, {"runtime": None}],
)
def test_a_description_of_something_else_is_refused(
    plain_folder: Path, tmp_path: Path, changed: dict[str, object]
) -> None:
    description = json.loads((plain_folder / "encoder.json").read_text(encoding="utf-8"))
    (tmp_path / "encoder.json").write_text(json.dumps({**description, **changed}), encoding="utf-8")
    with pytest.raises(InputError, match="not the description"):
        TextEncoder.load(tmp_path)


def test_identity_is_everything_that_decides_the_ids(plain: TextEncoder, mecab: TextEncoder) -> None:
    assert plain.identity == TextEncoder.load(plain.folder).identity
    others = [TextEncoder.load(plain.folder, "mecab").identity, mecab.identity]
    assert len({plain.identity, *others}) == 3


def test_ordinary_lines_go_through_one_call_whatever_stands_beside_them(plain_folder: Path) -> None:
    """Line by line, or in parts, is many times slower (benchmarks/encoding_speed.py)."""
    encoder = TextEncoder.load(plain_folder)
    calls: list[list[str]] = []

    class Counted:
        def encode(self, texts: list[str], num_threads: int) -> list[list[int]]:
            calls.append(texts)
            return model.encode(texts, num_threads=num_threads)  # type: ignore[no-any-return]

    model = encoder._model
    encoder._model = Counted()  # type: ignore[assignment]
    text = "患者は急性心筋梗塞の診断で入院し、アスピリンの内服を開始した。\n" * 5000
    encoder.encode(text + "▁")
    assert sum(len(texts) > 1 for texts in calls) == 1 and len(calls) <= 3
