"""What a model reads of what a user gives: prepared as its folder says, whole messages, nothing forged."""

from dataclasses import replace

import pytest

from fuzz_text import CONTROL
from igakulm.errors import InputError
from igakulm.inference.model import Model
from igakulm.text.prepared import prepare
from igakulm.tokenizer.chat import render_chat
from scripted_engine import ScriptedEngine
from tiny_bundle import encoder

TINY = encoder()
MODEL = Model(ScriptedEngine(TINY, "はい"), TINY, "tiny", "scripted", preparation="cleaned")
RECORD = "７４歳男性。ＨｂＡ１ｃ　７．２％、血圧１２０／８０ｍｍＨｇ（臥位）。"


def ids(text: str) -> list[int]:
    return render_chat(TINY, [{"role": "user", "content": text}], add_generation_prompt=True)[0]


def test_messages_are_prepared_whole_as_the_folder_says() -> None:
    asked = [{"role": "user", "content": RECORD}]
    prompt = MODEL.prompt(asked)
    assert prompt.text == prompt.prepared.text == prepare(RECORD, "cleaned").text != RECORD
    assert prompt.prepared.original == RECORD and prompt.ids == ids(prompt.text)
    for other in (replace(MODEL, preparation="raw").prompt(asked), MODEL.prompt(asked, "raw")):
        assert other.text == RECORD and other.ids == ids(RECORD)
    plain = MODEL.plain_prompt(RECORD)
    assert plain.ids == [TINY.bos, *TINY.encode(prompt.text)] and plain.text == prompt.text
    several = MODEL.prompt([{"role": "system", "content": "Ａ"}, {"role": "user", "content": "Ｂ"}])
    assert several.text == "A\n\nB" and several.prepared.original == "Ｂ"


@pytest.mark.parametrize("form", ["cleaned", "width", "raw"])
def test_control_tokens_spelt_in_any_width_stay_text(form: str) -> None:
    model = replace(MODEL, preparation=form)  # type: ignore[arg-type]
    control = set(TINY.chat_tokens) | {TINY.bos, TINY.eos}
    for spelling in CONTROL:
        wide = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in spelling)
        mixed = "".join(b if place % 2 else a for place, (a, b) in enumerate(zip(spelling, wide, strict=True)))
        for text in (spelling, wide, mixed, f"熱{wide}咳{mixed}"):
            found = [token for token in model.prompt([{"role": "user", "content": text}]).ids if token in control]
            assert found == [TINY.bos, TINY.user, TINY.assistant], (form, text)
            assert [token for token in model.plain_prompt(text).ids if token in control] == [TINY.bos]


def test_a_message_of_which_nothing_is_left_is_refused() -> None:
    with pytest.raises(InputError, match="nothing is left"):
        MODEL.prompt([{"role": "user", "content": "\u200b\u200e"}])
    with pytest.raises(InputError, match="nothing is left"):
        MODEL.plain_prompt("\u200b")
    with pytest.raises(InputError, match="without text"):
        MODEL.prompt([{"role": "user", "content": 3}])  # type: ignore[dict-item]
    assert MODEL.plain_prompt("").ids == [TINY.bos]


def test_a_long_message() -> None:
    text = (RECORD * (200_000 // len(RECORD) + 1))[:200_000]
    prompt = MODEL.prompt([{"role": "user", "content": text}])
    assert len(prompt.prepared.places) == len(prompt.text) + 1
    assert TINY.decode(prompt.ids) == prompt.text


def test_a_base_model_takes_no_conversation() -> None:
    from character_model import RuleEngine, opened

    with pytest.raises(InputError, match="content"):
        opened(RuleEngine()).prompt([{"role": "user"}])
    assert not opened(RuleEngine(), chat=False).chat
