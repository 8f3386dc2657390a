import json

import pytest

from igakulm.corpus.rubric import CRITERIA, excerpt, parse_scores, question, response_format

SCORES = {"education": 3, "coherence": 4, "harm": 1}


@pytest.mark.parametrize(
    "answer",
    [
        json.dumps(SCORES),
        '{ "harm": 1,\n "coherence": 4, "education": 3 }',
        "```json\n" + json.dumps(SCORES) + "\n```",
        "採点結果は次のとおりです。" + json.dumps(SCORES) + "以上です。",
        '<think>{"education": 1} かもしれない</think>' + json.dumps(SCORES),
    ],
)
def test_valid_answers(answer: str) -> None:
    assert parse_scores(answer) == SCORES


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "良い文章です。",
        "{}",
        "[3, 4, 1]",
        '{"education": 3, "coherence": 4}',
        '{"education": 3, "coherence": 4, "harm": 1, "style": 2}',
        '{"education": 3, "coherence": 4, "harm": 1, "harm": 5}',
        '{"education": "3", "coherence": 4, "harm": 1}',
        '{"education": 3.0, "coherence": 4, "harm": 1}',
        '{"education": true, "coherence": 4, "harm": 1}',
        '{"education": 0, "coherence": 4, "harm": 1}',
        '{"education": 3, "coherence": 6, "harm": 1}',
        '{"education": 3, "coherence": 4, "harm": null}',
        '{"education": 3, "coherence": 4, "harm": 1',
        json.dumps(SCORES) + json.dumps(SCORES),
    ],
)
def test_invalid_answers(answer: str) -> None:
    assert parse_scores(answer) is None


def test_the_reverse_question_asks_the_same_in_another_order() -> None:
    plain, reverse = question("本文。"), question("本文。", reverse=True)
    assert plain != reverse
    assert sorted(plain) == sorted(reverse)
    assert [plain.index(f"・{name}") for name in CRITERIA] == sorted(plain.index(f"・{name}") for name in CRITERIA)
    assert list(response_format(reverse=True)["json_schema"]["schema"]["properties"]) == list(CRITERIA)[::-1]


def test_questions_share_their_beginning() -> None:
    """Servers keep it in their cache."""
    first, second = question("甲"), question("乙")
    assert first[: first.index("甲")] == second[: second.index("乙")]


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("短い。", 10, "短い。"),
        ("一文目。二文目です。三", 10, "一文目。二文目です。"),
        ("一。" + "あ" * 20, 10, "一。" + "あ" * 8),  # the only end stands in the first half
        ("彼は「はい。」と言った", 8, "彼は「はい。」"),
        ("  前後の空白  ", 20, "前後の空白"),
        ("孤立\ud800代理", 20, "孤立\ufffd代理"),
    ],
)
def test_excerpt(text: str, limit: int, expected: str) -> None:
    assert excerpt(text, limit) == expected
    excerpt(text, limit).encode("utf-8")
