from collections import Counter

import pytest

from igakulm.synth.prompts import ASPECTS, AUDIENCES, FORMS, Wording, assign_wording, textbook

TERMS = [f"病名{number}" for number in range(600)]


@pytest.mark.parametrize("kind", FORMS)
def test_every_wording_names_the_term_the_rules_and_no_open_brace(kind: str) -> None:
    for audience in AUDIENCES:
        for form in FORMS[kind]:
            system, user = Wording(kind, audience, form).messages("アスピリン喘息", 700)
            assert (system["role"], user["role"]) == ("system", "user")
            assert user["content"].count("「アスピリン喘息」") == 2 and "400字" in user["content"]
            assert "{" not in user["content"]


@pytest.mark.parametrize("kind", FORMS)
def test_each_aspect_is_asked_for_by_name_in_several_forms(kind: str) -> None:
    asked = Counter(aspect for form in FORMS[kind] for aspect in Wording(kind, "nurse", form).aspects)
    assert set(asked) == set(ASPECTS[kind])
    assert min(asked.values()) >= 2, asked
    assert set(Wording(kind, "nurse", "chapter").aspects) == set(ASPECTS[kind])


def test_the_aspects_are_those_of_a_textbook() -> None:
    wanted = {"definition", "cause", "epidemiology", "symptoms", "examination", "diagnosis", "treatment", "prognosis"}
    assert set(ASPECTS["disease"]) == {*wanted, "nursing"}
    assert set(ASPECTS["drug"]) == {
        "indication",
        "mechanism",
        "dosage",
        "side-effects",
        "interactions",
        "precautions",
    }


def test_wordings_vary_and_follow_from_the_seed() -> None:
    names = [assign_wording(term, "disease", 0).name for term in TERMS]
    assert len(set(names)) == len(AUDIENCES) * len(FORMS["disease"])
    assert max(Counter(names).values()) < 30
    assert names == [assign_wording(term, "disease", 0).name for term in TERMS]
    assert names != [assign_wording(term, "disease", 1).name for term in TERMS]


def test_every_name_is_of_one_text() -> None:
    texts: dict[str, set[str]] = {}
    for term in TERMS:
        prompt = textbook(term, "drug", 3, 700)
        texts.setdefault(prompt.name, set()).add(prompt.messages[1]["content"].replace(term, "X"))
        assert prompt.schema is None
    assert {len(found) for found in texts.values()} == {1}


def test_the_length_asked_for_follows_the_limit() -> None:
    assert "1200字" in textbook("喘息", "disease", 0, 2000).messages[1]["content"]
    assert "100字" in textbook("喘息", "disease", 0, 50).messages[1]["content"]


def test_a_brace_in_a_term_stays_as_it_is() -> None:
    assert "「{length}症」" in textbook("{length}症", "disease", 0, 700).messages[1]["content"]
