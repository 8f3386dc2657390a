import random
from collections import Counter
from pathlib import Path

import pytest

from igakulm.files import write_jsonl
from igakulm.recipe.schema import BenchmarksSection, Igakuqa, RowTask
from igakulm.synth.set_checks import NearDuplicates, Overlap, SetChecks, position_bias
from igakulm.tasks.items import Item

KANJI = [chr(code) for code in range(0x4E00, 0x5E00)]


def passage(seed: int, length: int = 400) -> str:
    return "".join(random.Random(seed).choices(KANJI, k=length))


def edited(text: str, share: float, seed: int = 0) -> str:
    draw = random.Random(seed)
    return "".join(draw.choice(KANJI) if draw.random() < share else character for character in text)


def test_equal_texts_and_texts_with_another_dress_are_near() -> None:
    checks = SetChecks(None)
    text = (
        "糖尿病は、血糖値が高い状態が続く病気である。放置すると網膜や腎臓に障害が起こるため、早めの治療が大切である。"
    )
    assert checks.check(text) is None
    assert checks.check(text) == "near_duplicate"
    assert checks.check(text.replace("、", " ").replace("。", "\n")) == "near_duplicate"
    assert checks.check("高血圧症は、血圧が高い状態が続く病気である。" + passage(1)) is None


def test_small_changes_are_found_and_other_texts_are_not() -> None:
    near = NearDuplicates()
    assert all(near.add(passage(seed)) for seed in range(1500)), "more than the first block of signatures"
    found = sum(not near.add(edited(passage(seed), 0.02, seed)) for seed in range(200))
    assert found >= 180
    assert sum(near.add(edited(passage(seed), 0.3, seed)) for seed in range(200, 300)) == 100


def test_a_rejected_text_is_not_remembered() -> None:
    near = NearDuplicates()
    first, second = passage(1), edited(passage(1), 0.03)
    assert near.add(first) and not near.add(second)
    assert not near.add(first)
    assert near.add(edited(second, 0.3, 5)), "near to the rejected one only"


@pytest.mark.parametrize("text", ["", "咳", "咳。"])
def test_texts_without_ngrams_are_no_error(text: str) -> None:
    checks = SetChecks(None)
    assert checks.check(text) is None
    assert checks.check(passage(1)) is None


def item(number: int, question: str, document: str = "", choices: tuple[str, ...] = ("甲", "乙")) -> Item:
    return Item(str(number), "t", "choice", question, choices, ("A",), document or question)


def test_a_test_item_within_a_text_is_found() -> None:
    question = "52歳の男性。三日前からの発熱と右季肋部の痛みを訴えて来院した。考えられる疾患はどれか。"
    overlap = Overlap({"t": [item(1, question)]})
    checks = [passage(1), passage(1) + "52歳の男性三日前からの発熱と右季肋部の痛みを訴えて来院した" + passage(2)]
    assert [overlap.holds_item(text) for text in checks] == [False, True]


def test_short_items_count_as_a_whole_and_wordings_do_not() -> None:
    wording = "正しいのはどれか2つ選べ"
    questions = [
        "高アンモニア血症をきたすのはどれか。",
        *[f"{passage(number, 30)}{wording}。" for number in range(3)],
        f"{wording}。",
    ]
    overlap = Overlap({"t": [item(number, question) for number, question in enumerate(questions)]})
    assert overlap.holds_item("高アンモニア血症をきたすのはどれかという問い")
    assert not overlap.holds_item("高アンモニア血症をきたす病気はどれか")
    assert not overlap.holds_item(passage(9) + wording)


def test_phrases_of_many_items_do_not_count() -> None:
    phrase = "次の文章を読んで以下の問いに答えなさい選択肢は五つある"
    overlap = Overlap({"t": [item(number, passage(number, 60) + phrase) for number in range(30)]})
    assert not overlap.holds_item(passage(99) + phrase)
    assert overlap.holds_item(passage(99) + passage(3, 60))


def test_documents_sentences_and_long_options_are_looked_for() -> None:
    similar = Item("1", "s", "choice", "似ているか。", ("甲",), ("A",), "", sentences=(passage(1, 50), passage(2, 50)))
    option = Item("2", "e", "choice", "正しいのはどれか。", (passage(3, 50), "乙"), ("A",), "正しいのはどれか。")
    report = Item("3", "d", "choice", "どこか。", ("甲",), ("A",), passage(4, 300))
    overlap = Overlap({"all": [similar, option, report]})
    found = [overlap.holds_item(passage(8) + passage(seed, length)) for seed, length in ((1, 50), (2, 50), (3, 50))]
    assert found == [True, True, True]
    assert overlap.holds_item(passage(8) + passage(4, 300)[100:200])
    assert not overlap.holds_item(passage(8) + passage(4, 300)[100:130]), "30 of 300 characters are too few"


def test_overlap_comes_first_and_is_not_remembered(tmp_path: Path) -> None:
    question = passage(5, 60)
    row = {"id": "1", "question": question, "choices": ["甲", "乙"], "answer": ["a"]}
    write_jsonl(tmp_path / "test.jsonl", [row])
    rows = (RowTask(name="own", kind="exam", test=str(tmp_path / "test.jsonl")),)
    checks = SetChecks(BenchmarksSection(rows=rows))
    assert checks.check(passage(6) + question) == "benchmark_overlap"
    assert checks.check(passage(6)) is None
    assert checks.check(passage(6)) == "near_duplicate"


def test_the_same_texts_give_the_same_decisions() -> None:
    texts = [edited(passage(seed % 40), 0.005, seed) for seed in range(120)]
    first, second = SetChecks(None), SetChecks(None)
    decisions = [first.check(text) for text in texts]
    assert decisions == [second.check(text) for text in texts]
    assert 40 <= decisions.count(None) < 60


def test_items_of_the_licensing_examinations_are_found(real_data: Path) -> None:
    config = BenchmarksSection(igakuqa=Igakuqa(path=str(real_data / "igakuqa" / "data"), years=(2018,)))
    from igakulm.tasks.load import load_test_items

    items = load_test_items(config)["igakuqa"]
    overlap = SetChecks(config)
    texts = ["\n".join([item.question, *item.choices]) for item in items[:200]]
    found = sum(overlap.check(text) == "benchmark_overlap" for text in texts)
    assert found >= 0.9 * len(texts)


def test_chi_square_of_the_places() -> None:
    even = position_bias(Counter("ABCDE" * 20))
    assert (even["chi_square"], even["p_value"], even["items"]) == (0.0, 1.0, 100)
    skewed = position_bias(Counter({"A": 30, "B": 20, "C": 20, "D": 20, "E": 10}))
    assert skewed["chi_square"] == 10.0
    assert skewed["p_value"] == pytest.approx(0.0404, abs=1e-4)  # chi-square with 4 degrees of freedom, tables
    assert position_bias(Counter({"C": 1000}))["p_value"] == 0.0
    assert position_bias(Counter())["p_value"] is None
