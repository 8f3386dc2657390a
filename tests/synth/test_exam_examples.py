import json
from collections import Counter
from dataclasses import replace

import pytest

from igakulm.recipe.schema import BenchmarksSection
from igakulm.synth.exam_checks import check_item
from igakulm.synth.exam_examples import EXAMPLES, Example, repeats_example
from igakulm.synth.exam_item import ExamItem, has_fixed_order, render_exam
from igakulm.synth.exams import FORMS, STYLES, TOPICS, answers_wanted, exam_prompt, parse_exam
from igakulm.synth.set_checks import SetChecks

ALL = [(style, form, example) for style, forms in EXAMPLES.items() for form, example in forms.items()]


def test_each_style_and_form_has_one() -> None:
    assert set(EXAMPLES) == set(STYLES)
    assert all(set(forms) == set(FORMS) for forms in EXAMPLES.values())


@pytest.mark.parametrize(("style", "form", "example"), ALL)
def test_an_example_is_what_it_asks_for(
    style: str, form: str, example: Example, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = parse_exam(example.answer())
    assert item == example.item
    assert example.topic in TOPICS[style][example.kind]
    assert len(example.item.answer) == answers_wanted(form)
    assert not has_fixed_order(example.item), "the explanation speaks of options by their words"
    assert check_item(example.item, example.term) == "prompt_echo", "its own words given back"
    monkeypatch.setattr("igakulm.synth.exam_checks.repeats_example", lambda item: False)
    assert check_item(example.item, example.term) is None


def test_the_right_options_of_the_examples_prefer_no_place() -> None:
    places = Counter(letter for *_, example in ALL for letter in example.item.answer)
    assert set(places) == set("ABCDE") and max(places.values()) <= 4


def test_no_example_stands_in_a_benchmark(real_data: object) -> None:
    folder = f"{real_data}"
    config = BenchmarksSection.model_validate(
        {"jmed": {"path": f"{folder}/jmed-llm"}, "igakuqa": {"path": f"{folder}/igakuqa/data", "text_only": False}}
    )
    checks = SetChecks(config)
    assert [checks.check(render_exam(example.item)) for *_, example in ALL] == [None] * len(ALL)


def test_the_example_stands_before_the_task_as_a_finished_exchange() -> None:
    prompt = exam_prompt("肺炎", "disease", "pharmacist", 3)
    roles = [message["role"] for message in prompt.messages]
    assert roles == ["system", "user", "assistant", "user"]
    _, style, _, form = prompt.name.split("/")
    shown = EXAMPLES[style][form]
    assert f"「{shown.term}」" in prompt.messages[1]["content"]
    assert json.loads(prompt.messages[2]["content"])["question"] == shown.item.question
    assert "「肺炎」" in prompt.messages[3]["content"] and shown.term not in prompt.messages[3]["content"]


def test_copies_are_found_and_other_items_on_the_same_matter_are_not() -> None:
    shown = EXAMPLES["physician"]["case"].item
    other = ExamItem(
        "尿管結石の患者への説明として適切なのはどれか。",
        ("水分を多くとる", "塩分を増やす", "運動を避ける", "肉を増やす", "入浴を控える"),
        ("A",),
        "尿管結石の再発を防ぐには尿を薄めることが大切であり、水分を多くとるよう勧める。ほかの助言は再発を防がない。",
    )
    assert not repeats_example(other)
    assert repeats_example(replace(other, options=(*shown.options[:4], "胆石症")))
    assert not repeats_example(replace(other, options=(*shown.options[:3], "胆石症", "胃潰瘍")))
    assert repeats_example(replace(other, explanation=shown.explanation.replace("尿管結石", "肺炎")))
    assert check_item(replace(other, options=shown.options), "尿管結石") == "prompt_echo"
