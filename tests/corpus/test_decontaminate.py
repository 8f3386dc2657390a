from __future__ import annotations

import json
from pathlib import Path

from igakulm.corpus.decontaminate import Finder, Match, build_index, guarded_items
from igakulm.recipe.schema import BenchmarksSection, Decontamination, Igakuqa, Jmed, RowTask
from igakulm.tasks.items import Item
from igakulm.text.cleaning import clean_texts
from igakulm.text.ngrams import letters_of

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
    assert find([QUESTION[:30]], tasks, Decontamination(min_matches=50, short_items=False)) == [None]


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


def test_items_shorter_than_an_ngram_are_found_as_a_whole() -> None:
    short = "高尿酸血症をきたさないのはどれか。"
    tasks = {"exam": [item(1, QUESTION), item(2, short, choices=("利尿薬を開始する前に腎機能と電解質を確認しておく",))]}
    found = find([FILLER, FILLER + "高尿酸血症を、きたさないのは どれか?", short[:12] + FILLER], tasks)
    assert found == [None, Match("exam", "exam-2", 1, 1), None]
    assert find([short], tasks, Decontamination(short_items=False)) == [None]
    assert find([short[:-1], FILLER], tasks)[0] is not None  # at the very end of a document
    assert find([short[:8], short[8:]], tasks) == [None, None]  # not across two documents


def test_the_wording_of_many_short_items_is_not_looked_for() -> None:
    many = {"exam": [item(number, "睡眠について正しいのはどれか。") for number in range(25)]}
    assert find(["睡眠について正しいのはどれか。"], many) == [None]
    assert build_index(many, Decontamination()).unchecked == {"exam": 25}


def test_a_short_item_that_others_hold_is_a_wording() -> None:
    stems = [f"{name}について正しいのはどれか。2つ選べ。" for name in ("睡眠障害と過眠", "腎炎と腎症", "肺炎と結核")]
    tasks = {"exam": [item(number, text) for number, text in enumerate(["正しいのはどれか。2つ選べ。", *stems])]}
    found = find([FILLER + "正しいのはどれか。2つ選べ。", FILLER + stems[1]], tasks)
    assert found[0] is None and found[1] is not None and found[1].item == "exam-2"


def test_each_sentence_of_a_similarity_item_is_looked_for() -> None:
    pair = (CASE, "術後の経過は順調で、術後十七病日に独歩で自宅へ退院し、外来で経過をみている。")
    one = Item("s-1", "similar", "choice", "似ているか。", ("はい", "いいえ"), ("A",), document=CASE, sentences=pair)
    found = find([FILLER + pair[1], FILLER + pair[0], FILLER], {"similar": [one]})
    assert [match is not None for match in found] == [True, True, False]


def test_choices_of_a_question_that_is_its_own_document_count() -> None:
    choice = "利尿薬を開始する前に血清カリウム値と腎機能を確認する必要がある"
    tasks = {"exam": [item(1, "正しいのはどれか。", document="正しいのはどれか。", choices=("心不全", choice))]}
    assert find([FILLER + choice], tasks)[0] is not None


def test_every_item_of_the_real_benchmarks_is_found_or_counted(real_data: Path) -> None:
    benchmarks = BenchmarksSection(
        jmed=Jmed(path=str(real_data / "jmed-llm")), igakuqa=Igakuqa(path=str(real_data / "igakuqa" / "data"))
    )
    config = Decontamination()
    tasks = guarded_items(benchmarks, config)
    index = build_index(tasks, config)
    finder = Finder(index)
    for task, items in tasks.items():
        texts = [FILLER + part + FILLER for one in items for part in one.sentences or (one.document or one.question,)]
        missed = sum(match is None for match in finder.find(letters_of(clean_texts(texts))))
        assert missed <= index.unchecked.get(task, 0) + 0.02 * len(items), task
    assert sum(index.unchecked.values()) < 10


def test_rows_for_tuning_are_guarded_if_the_recipe_says_so(tmp_path: Path) -> None:
    for name, text in (("test", QUESTION), ("train", CASE)):
        row = {"id": name, "question": text, "choices": ["心不全", "肺炎"], "answer": ["A"]}
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(row, ensure_ascii=False) + "\n", "utf-8")
    own = RowTask(name="own", kind="exam", train=str(tmp_path / "train.jsonl"), test=str(tmp_path / "test.jsonl"))
    benchmarks = BenchmarksSection(rows=(own,))
    assert list(guarded_items(benchmarks, Decontamination())) == ["own"]
    assert guarded_items(benchmarks, Decontamination(enabled=False)) == {}
    both = guarded_items(benchmarks, Decontamination(training_rows=True))
    assert list(both) == ["own", "own:train"]
    (found,) = find([FILLER + CASE], both)
    assert found is not None and (found.task, found.item) == ("own:train", "train")
