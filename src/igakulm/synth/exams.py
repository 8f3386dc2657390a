"""What the writer model is asked for examination questions in the style of the licensing examinations (section 2.1.2).

Does: hold the wordings, and assign one to each question by its seed: style, aspect of the term, and form (knowledge,
the wrong one, two right ones, a case, a case with two). Does not: copy any published question, ask anybody, or judge
what comes back (exam_parsing.py, exam_checks.py, verify.py).
The answer is asked for as JSON, by schema where the server supports it; the explanation comes before the answer, so
that a model has reasoned before it commits itself, and names options by their words, so that they may be shuffled.
Before its own task the writer sees one worked example of the same style and form (exam_examples.py).
"""

from __future__ import annotations

from igakulm.synth.exam_examples import EXAMPLES
from igakulm.synth.exam_item import OPTIONS as OPTIONS
from igakulm.synth.exam_item import ExamItem as ExamItem
from igakulm.synth.exam_item import exam_row as exam_row
from igakulm.synth.exam_item import render_exam as render_exam
from igakulm.synth.exam_item import shuffle_options as shuffle_options
from igakulm.synth.exam_parsing import parse_exam as parse_exam
from igakulm.synth.prompts import Prompt, conversation, draw

SYSTEMS: dict[str, str] = {
    "physician": (
        "あなたは日本の医師国家試験の形式で練習問題を作る医学教育者です。"
        "既存の試験問題を写さず、正確な医学知識に基づく新しい問題だけを作ります。"
    ),
    "pharmacist": (
        "あなたは日本の薬剤師国家試験の形式で練習問題を作る薬学教育者です。"
        "既存の試験問題を写さず、正確な薬学・医学知識に基づく新しい問題だけを作ります。"
    ),
}
STYLES: tuple[str, ...] = tuple(SYSTEMS)

TOPICS: dict[str, dict[str, tuple[str, ...]]] = {
    "physician": {
        "disease": (
            "病態生理",
            "原因と危険因子",
            "疫学と予防",
            "特徴的な症状と身体所見",
            "検査所見",
            "診断と鑑別",
            "治療",
            "救急対応",
            "合併症と予後",
            "患者への説明と療養",
        ),
        "drug": ("適応となる病態", "作用機序", "副作用", "禁忌と使用上の注意", "相互作用", "治療の中での位置づけ"),
    },
    "pharmacist": {
        "disease": (
            "病態と症状",
            "検査値の読み方",
            "治療薬の選択",
            "治療薬の作用機序",
            "治療薬の副作用と対策",
            "予防と公衆衛生",
            "服薬指導と薬学的管理",
        ),
        "drug": (
            "作用機序",
            "適応",
            "体内動態",
            "用法・用量の考え方",
            "副作用と初期症状",
            "相互作用",
            "使用上の注意と禁忌",
            "服薬指導と薬学的管理",
        ),
    },
}

FORMS: dict[str, str] = {
    "knowledge": "知識を問う短い問題を一題作ってください。問題文は「……はどれか。」で終え、正解は一つです。",
    "wrong-one": (
        "誤りを見つける問題を一題作ってください。"
        "問題文は「……について誤っているのはどれか。」のように書き、内容の誤った選択肢を一つだけ入れ、それを正解とします。"
    ),
    "two": "正しいものを二つ選ぶ問題を一題作ってください。問題文は「……はどれか。2つ選べ。」で終え、正解は二つです。",
    "case": (
        "架空の患者の症例問題を一題作ってください。"
        "年齢、性別、主訴、現病歴、診察や検査の所見を述べてから問い、問題文は「……はどれか。」で終え、正解は一つです。"
    ),
    "case-two": (
        "架空の患者の症例問題を一題作ってください。"
        "年齢、性別、経過、所見、処方や検査値を述べてから問い、問題文は「……はどれか。2つ選べ。」で終え、正解は二つです。"
    ),
}
WEIGHTS: dict[str, int] = {"knowledge": 4, "wrong-one": 2, "two": 2, "case": 3, "case-two": 1}
"""Out of so many questions, how many have each form."""

RULES = (
    "\n条件：\n"
    "・問題文か選択肢か解説に「{term}」という語をそのままの表記で用いる。\n"
    "・選択肢は五つとし、互いに異なる内容を、同じ程度の長さと同じ文体で書く。"
    "「上記のすべて」や「a と b」のような選択肢は作らない。\n"
    "・正解かどうかが医学的にはっきり決まる選択肢だけにする。\n"
    "・解説では、正解が正しい理由とほかの選択肢が当てはまらない理由を、記号や番号を使わず選択肢の言葉で述べる。\n"
    "・question（問題文）、options（選択肢の配列）、explanation（解説）、answer（正解の記号の配列）をこの順にキーとする"
    "一つのJSONだけを書き、前置きや書式記号は書かない。選択肢の文頭に記号を付けない。\n"
    "・answer には正解の選択肢の記号（一つ目が a、五つ目が e）を{right}つ入れる。"
)


def exam_prompt(term: str, kind: str, style: str, seed: int) -> Prompt:
    """The request for one item about a term of a kind (disease, drug) in a style of `STYLES`, after a worked example.

    `seed` is the item's own: another one may give another topic and form.

    >>> exam_prompt("糖尿病", "disease", "physician", 0) == exam_prompt("糖尿病", "disease", "physician", 0)
    True
    """
    topics = TOPICS[style][kind]
    topic = topics[draw(seed, "topic", style, kind, term) % len(topics)]
    form = _choose_form(draw(seed, "exam-form", style, kind, term))
    shown = EXAMPLES[style][form]
    messages = [
        *conversation(SYSTEMS[style], _task(shown.term, shown.topic, form)),
        {"role": "assistant", "content": shown.answer()},
        {"role": "user", "content": _task(term, topic, form)},
    ]
    return Prompt(f"exam/{style}/{kind}/{form}", messages, exam_schema(answers_wanted(form)))


def _task(term: str, topic: str, form: str) -> str:
    text = f"「{{term}}」について、{topic}に関する{FORMS[form]}{RULES}"
    return text.replace("{right}", "一二"[answers_wanted(form) - 1]).replace("{term}", term)


def _choose_form(number: int) -> str:
    ladder = [form for form, weight in WEIGHTS.items() for _ in range(weight)]
    return ladder[number % len(ladder)]


def answers_wanted(form: str) -> int:
    """How many right options the form has."""
    return 2 if form in ("two", "case-two") else 1


def exam_schema(right: int) -> dict[str, object]:
    """JSON schema of an item with `right` right options.

    Strings have no bounds: strict servers refuse schemas with `maxLength`. `max_tokens` ends what a model does not.
    """
    text = {"type": "string"}
    letter = {"type": "string", "enum": list("abcde")}
    properties = {
        "question": text,
        "options": {"type": "array", "items": text, "minItems": OPTIONS, "maxItems": OPTIONS},
        "explanation": text,
        "answer": {"type": "array", "items": letter, "minItems": right, "maxItems": right},
    }
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
