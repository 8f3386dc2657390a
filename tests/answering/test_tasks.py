"""Tasks asked of a model: what it reads, where its items stand, exact probabilities of options."""

import itertools
import math
from typing import Any

import pytest

from igakulm.answering.options import answer_ids
from igakulm.answering.tasks import classify, compare, exam, extract
from igakulm.errors import InputError
from igakulm.inference.engine import EngineFailed
from igakulm.inference.model import Model
from igakulm.tasks.layouts import Task, default_tasks, exam_message, user_message
from igakulm.text.prepared import Form
from igakulm.tokenizer.chat import render_chat
from scripted_engine import ScriptedEngine
from tiny_bundle import encoder, write_model

TINY = encoder()
TASKS = {task.name: task for task in default_tasks()}
FINDING, SIMILARITY = TASKS["finding"], TASKS["similarity"]
POSTS = Task(
    "posts", "classify", "投稿", "Posts", "咳ですか。\n「", suffix="」", options=(("A", "はい"), ("B", "いいえ"))
)


def model_of(engine: Any, form: Form = "raw") -> Model:
    return Model(engine, TINY, "tiny", "test", preparation=form)


def prompt_ids(message: str) -> list[int]:
    return model_of(None).prompt([{"role": "user", "content": message}]).ids


def scripted(text: str, context_length: int = 2000) -> ScriptedEngine:
    return ScriptedEngine(TINY, text, context_length)


def test_the_model_reads_what_it_was_tuned_on() -> None:
    engine = scripted('["発熱"]')
    extract(model_of(engine), FINDING, "発熱あり")
    message = {"role": "user", "content": user_message(FINDING, "発熱あり")}
    assert engine.prompts == [render_chat(TINY, [message], add_generation_prompt=True)[0]]


def test_items_are_placed_and_what_the_text_lacks_is_reported() -> None:
    found = extract(model_of(scripted('["発熱", "頭痛", "咳"]')), FINDING, "咳と発熱。その後も発熱。")
    assert [(item.text, item.start, item.end, item.kind) for item in found.items] == [
        ("咳", 0, 1, "finding"),
        ("発熱", 2, 4, "finding"),
        ("発熱", 9, 11, "finding"),
    ]
    assert found.unplaced == ("頭痛",) and found.raw == '["発熱", "頭痛", "咳"]'
    assert not found.cut and not found.unreadable and found.completion_tokens > 0


def test_an_answer_that_is_no_list_is_shown_and_counted() -> None:
    found = extract(model_of(scripted("発熱です")), FINDING, "発熱あり")
    assert (found.items, found.unplaced, found.raw, found.unreadable) == ((), (), "発熱です", 1)


def test_a_long_text_is_asked_in_pieces_with_places_in_the_whole() -> None:
    sentences = [f"{n}日目は発熱があり、食事は少ない。" for n in range(30)]
    text, told = "".join(sentences), []
    engine = scripted('["発熱"]', context_length=400)
    found = extract(model_of(engine), FINDING, text, done=lambda finished, pieces: told.append((finished, pieces)))
    assert len(engine.prompts) > 1 and all(len(prompt) <= 400 - 400 // 3 for prompt in engine.prompts)
    assert [item.start for item in found.items] == [text.index("発熱", at) for at in _starts(sentences)]
    assert all(text[item.start : item.end] == item.text == "発熱" for item in found.items)
    assert told == [(n, len(engine.prompts)) for n in range(1, len(engine.prompts) + 1)]
    assert found.prompt_tokens == sum(map(len, engine.prompts)) and found.raw.count("\n") == len(engine.prompts) - 1


def _starts(sentences: list[str]) -> list[int]:
    return [0, *itertools.accumulate(map(len, sentences))][:-1]


def test_a_text_longer_than_all_tuning_rows_is_asked_in_pieces() -> None:
    short = Task("t", "extract", "", "", "所見は？\n「", suffix="」", kind_of_item="finding", longest=20)
    engine = scripted('["発熱"]')
    extract(model_of(engine), short, "発熱がある。" * 10)
    assert len(engine.prompts) == 4  # three sentences fit


def test_an_answer_that_goes_on_and_on_is_ended() -> None:
    said = "[" + ", ".join(f'"所見{n}"' for n in range(500))
    engine = scripted(said)
    found = extract(model_of(engine), FINDING, "発熱あり")
    assert found.cut and found.completion_tokens == len(engine.prompts[0]) + 64


def test_refusals() -> None:
    with pytest.raises(InputError, match="no text"):
        extract(model_of(scripted("[]")), FINDING, " \n")
    with pytest.raises(InputError, match="too few for this task"):
        extract(model_of(scripted("[]", context_length=20)), FINDING, "発熱")
    with pytest.raises(InputError, match="kind 'compare'"):
        extract(model_of(scripted("[]")), SIMILARITY, "発熱")
    with pytest.raises(InputError, match="kind 'extract'"):
        classify(model_of(scripted("")), FINDING, "発熱")
    engine = scripted('["発熱"]')
    engine.dies_after = 1
    with pytest.raises(EngineFailed):
        extract(model_of(engine), FINDING, "発熱")


def test_refused_questions() -> None:
    for question, choices, wanted in (
        ("", ["甲", "乙"], 1),
        ("どれか", ["甲"], 1),
        ("どれか", ["甲", " "], 1),
        ("どれか", ["甲", "乙"], 2),
        ("どれか", ["甲", "乙"], 0),
        ("どれか", list("甲乙丙丁戊己庚辛壬癸子"), 1),
    ):
        with pytest.raises(InputError):
            exam(model_of(scripted("")), question, choices, wanted)


def test_letters_are_the_tokens_of_the_training_rows() -> None:
    turns = [{"role": "user", "content": "咳は？"}, {"role": "assistant", "content": "A,C"}]
    whole, _ = render_chat(TINY, turns, add_generation_prompt=False)
    assert [*prompt_ids("咳は？"), *answer_ids(TINY, "A,C"), TINY.eos] == whole


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> object:
    from igakulm.inference.transformers import load_engine

    return load_engine(
        write_model(tmp_path_factory.mktemp("tasks") / "model", max_position_embeddings=512), device="cpu"
    )


def log_probability(engine: object, prompt: list[int], answer: list[int]) -> float:
    total = 0.0
    for place, token in enumerate(answer):
        total += engine.next_log_probabilities([*prompt, *answer[:place]])[token]  # type: ignore[attr-defined]
    return total


def test_probabilities_are_those_of_the_whole_vocabulary(engine: object) -> None:
    found = classify(model_of(engine), POSTS, "朝から咳")
    prompt = prompt_ids(user_message(POSTS, "朝から咳"))
    weights = [math.exp(log_probability(engine, prompt, answer_ids(TINY, letter))) for letter in "AB"]
    shares = [probability for _, _, probability in found.options]
    assert shares == pytest.approx([weight / sum(weights) for weight in weights], rel=1e-4)
    assert found.answer == "AB"[shares[1] > shares[0]] and found.prompt_tokens == len(prompt)
    assert [label for _, label, _ in found.options] == ["はい", "いいえ"]


def test_labels_can_be_weighed_whole_or_by_token(engine: object) -> None:
    prompt = prompt_ids(user_message(POSTS, "朝から咳"))
    labels = [answer_ids(TINY, label) for _, label in POSTS.options]
    sums = [log_probability(engine, prompt, label) for label in labels]
    for by, values in (
        ("labels", sums),
        ("labels-normalised", [value / len(label) for value, label in zip(sums, labels, strict=True)]),
    ):
        found = classify(model_of(engine), POSTS, "朝から咳", by=by)  # type: ignore[arg-type]
        odds = math.log(found.options[0][2] / found.options[1][2])
        assert odds == pytest.approx(values[0] - values[1], abs=1e-3)


def test_several_answers_are_weighed_as_sets(engine: object) -> None:
    choices = ["甲", "乙", "丙", "丁"]
    found = exam(model_of(engine), "二つ選べ。", choices, 2)
    prompt = prompt_ids(exam_message("二つ選べ。", choices))
    sets: dict[tuple[str, ...], float] = {
        pair: math.exp(log_probability(engine, prompt, answer_ids(TINY, ",".join(pair))))
        for pair in itertools.combinations("ABCD", 2)
    }
    total = sum(sets.values())
    for letter, _, probability in found.options:
        expected = sum(weight for pair, weight in sets.items() if letter in pair) / total
        assert probability == pytest.approx(expected, rel=1e-3)
    assert sum(probability for *_, probability in found.options) == pytest.approx(2)
    assert found.answer == ",".join(max(sets.items(), key=lambda entry: entry[1])[0])
    with pytest.raises(InputError, match="letters only"):
        exam(model_of(engine), "二つ選べ。", choices, 2, by="labels")


def test_two_sentences_are_compared(engine: object) -> None:
    found = compare(model_of(engine), SIMILARITY, "熱が出た。", "発熱した。")
    assert len(found.options) == 6 and sum(probability for *_, probability in found.options) == pytest.approx(1)
    with pytest.raises(InputError, match="no text"):
        compare(model_of(engine), SIMILARITY, "熱が出た。", "")
    with pytest.raises(InputError, match="the model reads 512"):
        compare(model_of(engine), SIMILARITY, "熱" * 600, "咳")


def test_a_message_is_as_the_user_wrote_it() -> None:
    assert user_message(POSTS, "ＣＲＰ") == "咳ですか。\n「ＣＲＰ」\nA. はい\nB. いいえ"
    assert user_message(FINDING, "ＣＲＰ").endswith("「ＣＲＰ」")
