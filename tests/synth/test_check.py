import pytest

from igakulm.synth.check import (
    REASONS,
    check_text,
    clean_answer,
    is_chatter,
    is_cut_off,
    is_japanese,
    is_repetitive,
    tidy_answer,
)
from igakulm.synth.prompts import SYSTEM

GOOD = (
    "気管支喘息は、空気の通り道である気道に慢性の炎症が続き、少しの刺激で狭くなる病気である。"
    "夜間や明け方に咳や息苦しさが現れ、胸からヒューヒューという音が聞こえることが多い。"
    "診断では症状の変動を確かめ、呼吸機能検査で気流の制限が元に戻るかどうかを調べる。"
    "治療の中心は吸入ステロイド薬であり、炎症を抑えて発作を防ぐことを目標とする。"
    "発作が起きたときは、気管支を広げる吸入薬を用い、改善しなければ早めに受診する。"
)
TERM = "気管支喘息"


def test_a_good_text_is_kept() -> None:
    assert check_text(GOOD, TERM) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "too_short"),
        (GOOD[:60] + "。", "too_short"),
        ("承知しました。" + GOOD, "chatter"),
        ("以下は気管支喘息についての解説です。\n" + GOOD, "chatter"),
        ("申し訳ありませんが、そのご依頼にはお答えできません。", "chatter"),
        (GOOD + "ご要望に応えて書きました。", "chatter"),
        (GOOD + "<|im_end|>", "chatter"),
        ("<think>喘息か。" + GOOD, "chatter"),
        ("Bronchial asthma is a chronic inflammatory disease of the airways. " * 3, "not_japanese"),
        ("支气管哮喘是一种慢性气道炎症性疾病，患者常有喘息、咳嗽。" * 5, "not_japanese"),
        (GOOD + "患者应长期规律用药，避免过敏原，并进行肺功能检查。", "not_japanese"),
        (GOOD * 2, "repetition"),
        (GOOD + "発作が続く。" * 8, "repetition"),
        (GOOD + "また、運動の前にあらかじめ薬を吸入しておくことで発作が", "cut_off"),
        (GOOD.replace(TERM, "この病気"), "term_missing"),
        (GOOD + "用量や頻度などの数値は、広く知られていて確かなものだけを書く。", "prompt_echo"),
        (SYSTEM + GOOD, "prompt_echo"),
        (GOOD + "\x00", "broken_characters"),
        (GOOD + "\ufffd", "broken_characters"),
    ],
)
def test_each_defect_has_its_reason(text: str, reason: str) -> None:
    assert reason in REASONS
    assert check_text(text, TERM) == reason


def test_the_server_says_that_it_was_cut_off() -> None:
    assert check_text(GOOD, TERM, "length") == "cut_off"


@pytest.mark.parametrize("term", ["ＡＤＨＤ", "adhd", "A D H D"])
def test_width_case_and_spaces_do_not_hide_the_term(term: str) -> None:
    assert check_text(GOOD.replace(TERM, "ADHD"), term) is None


@pytest.mark.parametrize(
    "text",
    [
        "はいがん患者の多くは咳を訴える。",
        "看護師は入浴のお手伝いをしながら皮膚を観察する。",
        "次の患者は六十歳の男性で、息切れを訴えて受診した。",
        "医師の指示に基づいて服用し、ご不明な点は薬剤師にお尋ねください。",
        "問：薬は続けますか。\n答：はい、続けます。",
        "人工知能を用いた画像診断の研究が進んでいる。",
    ],
)
def test_words_of_a_textbook_are_no_chatter(text: str) -> None:
    assert not is_chatter(text)


def test_rare_medical_kanji_are_japanese() -> None:
    assert is_japanese("囊胞や頰部の腫脹、鼠径ヘルニア、橈骨の骨折、疼痛、嗄声、瘙痒、痙攣、齲蝕を診る。")


def test_latin_names_and_numbers_within_japanese_are_allowed() -> None:
    assert is_japanese("HbA1cが7.0%以上で、eGFRが45 mL/minを下回る場合は、薬の量を見直す必要がある。")


def test_a_long_term_may_return_in_every_sentence() -> None:
    term = "遺伝性出血性末梢血管拡張症に伴う肺動静脈瘻"
    text = "".join(
        f"{term}{tail}" for tail in ("は珍しい。", "を疑う手がかりを述べる。", "の治療を選ぶ。", "を忘れない。")
    )
    assert not is_repetitive(text, term)
    assert not is_repetitive("表\n----------------\n血圧を毎日測り、手帳に書く。")


def test_a_last_list_item_needs_no_full_stop() -> None:
    assert not is_cut_off("注意する症状：\n・息切れ\n・胸の痛み")
    assert is_cut_off("注意する症状：")


def test_cleaning_keeps_the_text_and_drops_the_dress() -> None:
    answer = "<think>\n短く。\n</think>\n\n## 概要\r\n**喘息**は病気である。  \n\n\n\n---\n治療を行う。\n"
    assert clean_answer(answer) == "概要\n喘息は病気である。\n\n治療を行う。"


def test_lone_surrogates_become_a_reason_instead_of_a_crash() -> None:
    text = clean_answer(GOOD + "\ud83d")
    text.encode("utf-8")
    assert check_text(text, TERM) == "broken_characters"
    assert clean_answer("\ud83d\ude00") == "😀"


def test_tidying_leaves_what_stands_inside_a_fence() -> None:
    assert tidy_answer('<think>a</think>\n```json\n{"a": "**b**"}\n```') == '{"a": "**b**"}'
