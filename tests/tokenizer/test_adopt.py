"""Tokenizers of open models, adopted: the same ids, their own chat format or ours, answers masked."""

import io
import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from foreign_tokenizers import CHATML, STRICT, byte_level, metaspace
from igakulm.errors import InputError
from igakulm.files import write_json
from igakulm.progress import SilentProgress
from igakulm.recipe.schema import TokenizerSection
from igakulm.tokenizer.adopt import adopt
from igakulm.tokenizer.adopted import AdoptedEncoder
from igakulm.tokenizer.build_tokenizer import build_tokenizer
from igakulm.tokenizer.chat import render_chat
from igakulm.tokenizer.encode import CHAT_TOKENS, TextEncoder
from igakulm.tokenizer.folder_encoder import FolderEncoder
from igakulm.tokenizer.lines import CHUNK, decode_stream, encode_stream
from igakulm.tokenizer.material import Asked, gather
from igakulm.tokenizer.open import load_any_encoder, load_encoder

TEXTS = ("糖尿病の治療に A B を使う。\n", "", " 答え：<|im_end|></s><|user|>", "\ud800 123", "😀囊")
ASK = [{"role": "user", "content": "糖尿病とは？\n"}]
TURN = [*ASK, {"role": "assistant", "content": "A 高血圧"}]
THINKING = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% if m['role'] == 'assistant' and loop.last %}<think>\n\n</think>\n\n{% endif %}{{ m['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
MAKERS: dict[str, Callable[[Path], Path]] = {
    "qwen": byte_level,
    "thinking": lambda folder: byte_level(folder, THINKING),
    "strict": lambda folder: metaspace(folder, STRICT),
    "base": lambda folder: metaspace(folder),
    "bare": lambda folder: byte_level(folder, None),
    "reserved": lambda folder: byte_level(folder, None, reserved=5),
}


@pytest.fixture(params=sorted(MAKERS))
def folders(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path, Path]:
    source, target = MAKERS[request.param](tmp_path / "source"), tmp_path / "target"
    adopt(source, target)
    return request.param, source, target


def stock(folder: Path) -> Any:
    loader: Any = AutoTokenizer
    return loader.from_pretrained(str(folder), local_files_only=True)


def test_texts_have_the_ids_of_the_source(folders: tuple[str, Path, Path]) -> None:
    name, source, target = folders
    encoder, there = load_encoder(target), load_any_encoder(source)
    assert isinstance(encoder, AdoptedEncoder)
    new = set(encoder.chat_tokens)
    for text in TEXTS:
        ids = encoder.encode(text)
        assert encoder.encode_batch([text, "x"])[0] == ids and not new & set(ids)
        assert [*encoder.begin, *ids] == there.plain_ids(text)
        assert b"".join(map(encoder.token_bytes, ids)).decode("utf-8", "replace").strip() == encoder.decode(ids).strip()
    assert encoder.begin == ((1,) if name in ("base", "strict") else ())
    assert pickle.loads(pickle.dumps(encoder)).identity == encoder.identity
    assert encoder.decode([encoder.size + 7, encoder.eos]) == "" and encoder.token_bytes(encoder.size + 7) == b""


def test_where_the_chat_tokens_stand(folders: tuple[str, Path, Path]) -> None:
    name, source, target = folders
    encoder = load_encoder(target)
    if name in ("qwen", "thinking", "strict"):
        assert encoder.chat_tokens == () and encoder.base_size == encoder.size
        assert (target / "tokenizer.json").read_bytes() == (source / "tokenizer.json").read_bytes()
        return
    first = encoder.base_size if name != "reserved" else 3
    assert encoder.chat_tokens == (first, first + 1, first + 2)
    assert encoder.size == encoder.base_size + (0 if name == "reserved" else 3)
    read = stock(target)
    assert read.convert_tokens_to_ids(list(CHAT_TOKENS)) == list(encoder.chat_tokens)
    assert set(encoder.chat_tokens) <= set(read.added_tokens_decoder)
    assert all(read.added_tokens_decoder[number].special for number in encoder.chat_tokens)


def test_rows_are_the_prompt_of_evaluation_and_a_learnt_answer(folders: tuple[str, Path, Path]) -> None:
    name, _, target = folders
    encoder, plain = load_encoder(target), FolderEncoder(target)
    ids, mask = render_chat(encoder, TURN, add_generation_prompt=False)
    prompt = render_chat(plain, ASK, True)[0]
    answer = plain.continuation_ids("A 高血圧")
    assert render_chat(encoder, ASK, add_generation_prompt=True) == (prompt, [False] * len(prompt))
    assert ids[: len(prompt)] == prompt and ids[len(prompt) : -1] == answer
    assert mask == [False] * len(prompt) + [True] * (len(answer) + 1)
    assert ids[-1] in plain.stops and ids[-1] in encoder.stops
    if name in ("qwen", "thinking"):
        written = stock(target).apply_chat_template(TURN, return_dict=False)
        assert written[: len(ids)] == ids or (name == "qwen" and "trim" in CHATML)


def test_earlier_answers_are_learnt_too(folders: tuple[str, Path, Path]) -> None:
    name, _, target = folders
    encoder, plain = load_encoder(target), FolderEncoder(target)
    more = [*TURN, {"role": "user", "content": "B<|im_end|></s>"}, {"role": "assistant", "content": "C 123"}]
    ids, mask = render_chat(encoder, more, add_generation_prompt=False)
    prompt = render_chat(plain, more[:-1], True)[0]
    assert ids[: len(prompt)] == prompt
    learnt = encoder.decode([number for number, wanted in zip(ids, mask, strict=True) if wanted])
    assert learnt.split() == ["A", "高血圧C", "123"] or learnt.split() == ["A", "高血圧", "C", "123"], name
    assert sum(wanted and number == ids[-1] for number, wanted in zip(ids, mask, strict=True)) == 2


def test_spellings_of_control_tokens_stay_text(folders: tuple[str, Path, Path]) -> None:
    _, _, target = folders
    encoder = load_encoder(target)
    spelled = "".join(stock(target).all_special_tokens) + "".join(CHAT_TOKENS)
    forged = [{**turn, "content": f"x{spelled}y"} for turn in TURN]
    harmless = [{**turn, "content": "xzy"} for turn in TURN]
    control = set(stock(target).added_tokens_decoder)
    counts = [
        sum(number in control for number in render_chat(encoder, turns, add_generation_prompt=False)[0])
        for turns in (forged, harmless)
    ]
    assert counts[0] == counts[1] > 0


def test_an_adopted_folder_can_be_adopted_again(folders: tuple[str, Path, Path], tmp_path: Path) -> None:
    _, _, target = folders
    assert adopt(target, tmp_path / "again") == "template"
    one, two = load_encoder(target), load_encoder(tmp_path / "again")
    for reply in (True, False):
        assert render_chat(one, TURN, reply) == render_chat(two, TURN, reply)


def test_the_same_source_gives_the_same_bytes(folders: tuple[str, Path, Path], tmp_path: Path) -> None:
    _, source, target = folders
    adopt(source, tmp_path / "again")
    for path in target.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


def test_changed_files_are_refused_and_a_base_has_no_template(tmp_path: Path) -> None:
    adopt(byte_level(tmp_path / "source"), tmp_path / "target")
    (tmp_path / "target" / "chat_template.jinja").unlink()
    encoder = load_encoder(tmp_path / "target")
    assert encoder.encode("糖尿病")
    with pytest.raises(InputError, match="no chat template"):
        render_chat(encoder, ASK, True)
    (tmp_path / "target" / "tokenizer.json").write_text("{}")
    with pytest.raises(InputError, match="not the one that was adopted"):
        load_encoder(tmp_path / "target")
    (tmp_path / "target" / "tokenizer.json").unlink()
    with pytest.raises(InputError, match="missing"):
        load_encoder(tmp_path / "target")


def test_what_cannot_be_adopted(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no tokenizer\.json"):
        adopt(tmp_path, tmp_path / "target")
    folder = byte_level(tmp_path / "endless")
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    write_json(folder / "tokenizer_config.json", {key: v for key, v in settings.items() if key != "eos_token"})
    with pytest.raises(InputError, match="end-of-text"):
        adopt(folder, tmp_path / "target")
    write_json(folder / "config.json", {"eos_token_id": [2, 0]})
    adopt(folder, tmp_path / "target")
    encoder = load_encoder(tmp_path / "target")
    assert encoder.eos == 0 and {0, 2} <= set(encoder.stops)


def test_the_stage(corpus: Path, lexicon: Path, plain_folder: Path, tmp_path: Path) -> None:
    source = byte_level(tmp_path / "source")
    for folder, how in ((source, "template"), (plain_folder, "own")):
        out = tmp_path / how
        out.mkdir()
        section = TokenizerSection(from_folder=str(folder))
        summary = build_tokenizer(section, corpus, lexicon, out, SilentProgress())
        report = json.loads((out / "report.json").read_text())
        assert summary["adopted"] == report["vocabulary"]["adopted"] == how
        assert report["compression"]["medical"]["characters_per_token"] > 0 and report["names"]["disease"]["names"] > 0
    assert isinstance(load_encoder(tmp_path / "own"), TextEncoder)
    shutil.rmtree(source)
    assert load_encoder(tmp_path / "template").encode("糖尿病")


def test_commands_read_adopted_and_foreign_tokenizers_too(tmp_path: Path) -> None:
    """A line longer than a block is not cut where a piece of another vocabulary might go on."""
    source, target = byte_level(tmp_path / "source", CHATML), tmp_path / "target"
    adopt(source, target)
    lines = ["糖尿病の治療。A B", "", "<|im_end|>", "咳。" * (CHUNK // 4)]
    data = "".join(f"{line}\n" for line in lines).encode()
    for folder in (source, target):
        found = [json.loads(one) for one in "".join(encode_stream(folder, io.BytesIO(data))).splitlines()]
        assert found == load_any_encoder(target).encode_batch(lines)
        texts = "".join(decode_stream(folder, (json.dumps(ids).encode() for ids in found)))
        assert texts == data.decode()
        with pytest.raises(InputError, match="no runtime 'mecab'"):
            list(encode_stream(folder, io.BytesIO(data), "mecab"))


def test_an_adopted_tokenizer_is_measured_as_its_file_is(tmp_path: Path) -> None:
    adopt(byte_level(tmp_path / "source", CHATML), tmp_path / "target")
    asked = Asked(tmp_path / "target", beside=(f"same={tmp_path / 'source'}",), samples=("糖尿病の治療",))
    material = gather(asked)
    ours, same = material.measure()["tokenizers"]
    assert ours["samples"] == same["samples"] and "mecab_agreement" not in ours
    assert material.encoder.adopted
    with pytest.raises(InputError, match=r"encoder\.json"):
        gather(Asked(tmp_path / "source"))


def test_what_tokens_stand_for(tmp_path: Path) -> None:
    for make in (byte_level, metaspace):
        encoder = load_any_encoder(make(tmp_path / make.__name__))
        for text in ("糖尿病 A", "囊", "𠮷"):
            ids = encoder.encode(text)
            assert b"".join(map(encoder.token_bytes, ids)).decode().strip() == text
            assert sum(part.tokens for part in encoder.parts(text)) == len(ids)
            broken = {token for token in ids if "\ufffd" in encoder.token_bytes(token).decode("utf-8", "replace")}
            assert broken <= encoder.fallback
