from __future__ import annotations

from igakulm.benchmarks.items import Item
from igakulm.corpus.clean import clean_texts
from igakulm.corpus.decontaminate import Finder, Match, build_index
from igakulm.corpus.ngrams import letters_of
from igakulm.recipe.schema import Decontamination

QUESTION = "65歳の男性。2週間前からの労作時息切れを主訴に来院した。下腿に浮腫を認める。最も考えられるのはどれか。"
CASE = "７２歳女性。右季肋部痛と発熱のため救急搬送された。腹部超音波で胆嚢壁の肥厚と結石を認め、緊急で胆嚢を摘出した。"
FILLER = "心不全は、心臓のポンプ機能が低下して全身に必要な血液を送り出せなくなった状態の総称である。"


def item(number: int, question: str, *, task: str = "exam", document: str = "", choices: tuple[str, ...] = ()) -> Item:
    return Item(f"{task}-{number}", task, "choice", question, choices, ("A",), document)


def find(texts: list[str], tasks: dict[str, list[Item]], config: Decontamination | None = None) -> list[Match | None]:
    index = build_index(tasks, config or Decontamination())
    return Finder(index).find(letters_of(clean_texts(texts)))


def test_a_planted_question_is_found_whatever_its_width_and_punctuation() -> None:
    tasks = {"exam": [item(1, QUESTION)]}
    planted = FILLER + QUESTION.replace("。", "．").replace("6", "６") + FILLER
    found = find([FILLER, planted, QUESTION[:20]], tasks)
    assert found[0] is None and found[2] is None
    assert found[1] is not None and (found[1].task, found[1].item) == ("exam", "exam-1")
    assert found[1].shared == found[1].of


def test_the_document_counts_and_not_the_wording_around_it() -> None:
    wording = "以下の症例報告において、患者に実際に認められた症状を表す表現をすべて挙げてください。"
    tasks = {"entities": [item(1, f"{wording}\n「{CASE}」", task="entities", document=CASE)]}
    assert find([wording + FILLER], tasks) == [None]
    assert find([FILLER + CASE], tasks)[0] is not None


def test_boiler_plate_of_many_items_is_ignored_unless_they_share_one_document() -> None:
    phrase = "次の文章を読み、内容が正しいものを一つだけ選びなさい。なお解答は一つとは限らない。"
    many = {"exam": [item(number, f"{phrase}番号{number}についての設問である") for number in range(30)]}
    config = Decontamination(shared_documents=20, min_share=0.0)
    assert find([FILLER + phrase], many, config) == [None]
    few = {"exam": many["exam"][:5]}
    assert find([FILLER + phrase], few, config)[0] is not None
    same = {"entities": [item(number, "問", task="entities", document=CASE) for number in range(30)]}
    assert find([CASE], same, config)[0] is not None


def test_a_stock_phrase_is_not_enough_but_a_long_passage_is() -> None:
    case = CASE + "術後の経過は良好で、若干の文献的考察を加え報告する。" + FILLER * 2
    tasks = {"entities": [item(1, "問", document=case)]}
    assert find(
        ["本例は稀であり、術後の経過は良好で、若干の文献的考察を加え報告する。" + "別の話題である。"], tasks
    ) == [None]
    assert find(["別の話題である。" + CASE], tasks)[0] is not None


def test_min_matches() -> None:
    tasks = {"exam": [item(1, QUESTION[:30])]}
    assert find([QUESTION[:30]], tasks, Decontamination(min_matches=5))[0] is not None
    assert find([QUESTION[:30]], tasks, Decontamination(min_matches=50)) == [None]


def test_long_choices_are_looked_for_and_short_ones_are_not() -> None:
    choice = "利尿薬を開始する前に血清カリウム値と腎機能を確認する必要がある"
    tasks = {"exam": [item(1, "正しいのはどれか。", choices=("心不全", choice))]}
    assert find([FILLER + choice], tasks)[0] is not None
    assert find(["心不全" * 10], tasks) == [None]


def test_items_too_short_to_be_recognised_are_counted() -> None:
    tasks = {"exam": [item(1, QUESTION), item(2, "短い設問。")], "posts": [item(1, "かぜ", task="posts")]}
    assert build_index(tasks, Decontamination()).unchecked == {"exam": 1, "posts": 1}


def test_the_item_with_most_in_common_is_named() -> None:
    tasks = {"exam": [item(1, QUESTION[:30] + "別の終わり方をする設問である。"), item(2, QUESTION)]}
    (found,) = find([QUESTION], tasks)
    assert found is not None and found.item == "exam-2"


def test_switched_off_or_without_benchmarks_nothing_is_found() -> None:
    assert find([QUESTION], {"exam": [item(1, QUESTION)]}, Decontamination(enabled=False)) == [None]
    assert find([QUESTION, ""], {}) == [None, None]
    assert find([], {"exam": [item(1, QUESTION)]}) == []
