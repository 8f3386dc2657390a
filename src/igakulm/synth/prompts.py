"""What the writer model is asked: textbook prompts for diseases and drugs, by audience and form (section 2.1.2).

Does: hold the wordings, and assign one to each term by the seed alone. Does not: ask anybody, read files, or word
examination questions (exams.py).
The paper publishes no wordings; these are our own. Every prompt forbids greetings, mark-up and invented numbers, which
the checks would otherwise reject most often.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

SYSTEM = (
    "あなたは日本の医学・薬学の教科書の執筆者です。"
    "正確で読みやすい日本語の本文だけを書き、確かでない数値や文献は書きません。"
)

AUDIENCES: dict[str, str] = {
    "medical-student": "医学部の学生が基礎から理解できるように、専門用語には短い説明を添えて",
    "resident": "初期研修医が当直で判断に使えるように、鑑別と対応の順序がわかる書き方で",
    "nurse": "看護師と看護学生に向けて、観察の要点と患者への関わり方に重点を置いて",
    "pharmacist": "薬剤師に向けて、薬物治療と安全管理に重点を置いて",
    "patient": "医療の知識がない患者とその家族に向けて、やさしい言葉と身近なたとえで",
    "coder": "診療録を読む診療情報管理士に向けて、用語の定義と似た用語との違いがわかるように",
}

ASPECTS: dict[str, dict[str, str]] = {
    "disease": {
        "definition": "定義",
        "cause": "原因",
        "epidemiology": "疫学",
        "symptoms": "症状",
        "examination": "検査",
        "diagnosis": "診断",
        "treatment": "治療",
        "prognosis": "予後",
        "nursing": "看護",
    },
    "drug": {
        "indication": "適応",
        "mechanism": "作用機序",
        "dosage": "用法・用量",
        "side-effects": "副作用",
        "interactions": "相互作用",
        "precautions": "使用上の注意",
    },
}
"""What a textbook says about a disease or a drug, and the word by which the forms below ask for it."""

DISEASE_FORMS: dict[str, str] = {
    "chapter": (
        "「{term}」を扱う教科書の一節を書いてください。"
        "定義、原因、疫学、症状、検査、診断、治療、予後、看護の順に、項目に分けず一続きの文章で述べてください。"
    ),
    "mechanism": (
        "「{term}」がどのように起こるのかを解説してください。"
        "正常な働きから始め、原因と病態、症状がどうつながるかを筋道立てて述べてください。"
    ),
    "epidemiology": (
        "「{term}」の疫学と予後について解説してください。"
        "どのような人に起こりやすいか、原因や危険因子は何か、どのような経過をたどり、何が予後を左右するかを述べてください。"
    ),
    "diagnosis": (
        "「{term}」を疑うきっかけから診断に至るまでの考え方を解説してください。"
        "問診、身体診察、検査、鑑別すべき病態を含めてください。"
    ),
    "examination": (
        "「{term}」で行われる検査について解説してください。"
        "それぞれの検査で何がわかるのか、結果をどう読むのか、診断と治療の評価にどう生かすのかを述べてください。"
    ),
    "treatment": (
        "「{term}」の治療と療養について解説してください。"
        "治療の目標、主な方法とその理由、経過をみるときの注意を述べ、予後にも触れてください。"
    ),
    "nursing": (
        "「{term}」の患者の看護について解説してください。"
        "観察すべき症状、苦痛を和らげる援助、治療や検査を受ける患者への支援、退院に向けた指導を述べてください。"
    ),
    "case": (
        "「{term}」の架空の患者を一人設定し、"
        "受診から診断、治療までの経過を述べたあと、その症例から学べることを解説してください。"
    ),
    "questions": (
        "「{term}」について学ぶ人が抱きやすい疑問を、原因、症状、治療、予後などから四つ選び、"
        "「問：」「答：」の形で順に説明してください。"
    ),
    "entry": (
        "医学事典の見出し語「{term}」の項目を書いてください。定義の一文に始まり、背景、特徴、臨床での意味を述べてください。"
    ),
    "comparison": (
        "「{term}」と紛らわしい病態を一つか二つ挙げ、"
        "定義、症状、検査の違いと、見分けることがなぜ大切かを解説してください。"
    ),
    "dialogue": (
        "指導者と学習者が「{term}」について話し合う対話を書いてください。"
        "話者名のあとに「：」を付け、学習者の誤解を正す場面を含めてください。"
    ),
}

DRUG_FORMS: dict[str, str] = {
    "chapter": (
        "「{term}」を扱う薬理学の教科書の一節を書いてください。"
        "適応、作用機序、用法・用量の考え方、副作用、相互作用、使用上の注意の順に、項目に分けず一続きの文章で述べてください。"
    ),
    "mechanism": (
        "「{term}」の作用機序を解説してください。"
        "どこに働き、どのような流れで効果が現れるか、体内でどのように動くかを筋道立てて述べてください。"
    ),
    "use": (
        "「{term}」の適応と使い方について解説してください。"
        "どのような病態のどの段階で選ばれるか、用法・用量を決めるときに何を考えるか、効果をどう確かめるかを述べてください。"
    ),
    "safety": (
        "「{term}」を安全に使うための解説を書いてください。"
        "使えない場合、慎重に使う場合、副作用の早い見つけ方など、使用上の注意を理由とともに述べてください。"
    ),
    "interactions": (
        "「{term}」の相互作用について解説してください。"
        "併用や飲食物に気をつけるものとその仕組み、起こりうる副作用、処方を確かめるときの着眼点を述べてください。"
    ),
    "nursing": (
        "「{term}」を投与されている患者の看護について解説してください。"
        "投与前の確認、観察すべき効果と副作用、使用上の注意の伝え方を述べてください。"
    ),
    "case": (
        "「{term}」が処方された架空の患者を一人設定し、"
        "処方の理由と経過を述べたあと、その症例から学べることを解説してください。"
    ),
    "questions": (
        "「{term}」について学ぶ人が抱きやすい疑問を、適応、副作用、相互作用などから四つ選び、"
        "「問：」「答：」の形で順に説明してください。"
    ),
    "entry": (
        "医薬品事典の見出し語「{term}」の項目を書いてください。"
        "どのような薬かを一文で定義し、適応と特徴、使用上の注意を述べてください。"
    ),
    "counselling": (
        "「{term}」を初めて使う人への説明を、場面の描写を交えて書いてください。"
        "目的、使い方の考え方、気をつける症状を含めてください。"
    ),
}

FORMS: dict[str, dict[str, str]] = {"disease": DISEASE_FORMS, "drug": DRUG_FORMS}

RULES = (
    "\n条件：\n・本文中に「{term}」という語をそのままの表記で必ず用いる。\n"
    "・長さは{length}字程度とし、最後の文まで書き終える。\n"
    "・見出し記号や強調記号などの書式記号、前置き、挨拶、執筆者としての断り書きは書かない。\n"
    "・用量や頻度などの数値は、広く知られていて確かなものだけを書く。"
)


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is asked: `name` is the wording's stable name in reports, `schema` the JSON schema of the answer, if any."""

    name: str
    messages: list[dict[str, str]]
    schema: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Wording:
    """One wording: `kind` is disease or drug, `audience` and `form` are keys of the tables above."""

    kind: str
    audience: str
    form: str

    @property
    def name(self) -> str:
        """A stable name for reports, such as `disease/nurse/case`."""
        return f"{self.kind}/{self.audience}/{self.form}"

    @property
    def aspects(self) -> tuple[str, ...]:
        """The aspects that the form asks for by name.

        >>> Wording("drug", "nurse", "mechanism").aspects
        ('mechanism',)
        """
        text = FORMS[self.kind][self.form]
        return tuple(aspect for aspect, word in ASPECTS[self.kind].items() if word in text)

    def messages(self, term: str, max_tokens: int) -> list[dict[str, str]]:
        """System and user message for a term.

        The length asked for is about six characters for ten tokens of the limit: tokenizers spend up to 1.3 tokens on a
        Japanese character, and a text that is cut off is lost.

        >>> print(Wording("drug", "nurse", "entry").messages("アスピリン", 700)[1]["content"][:42])
        看護師と看護学生に向けて、観察の要点と患者への関わり方に重点を置いて、医薬品事典の見
        """
        length = max(100, max_tokens * 6 // 1000 * 100)
        text = f"{AUDIENCES[self.audience]}、{FORMS[self.kind][self.form]}{RULES}"
        return conversation(SYSTEM, text.replace("{length}", str(length)).replace("{term}", term))


def conversation(system: str, user: str) -> list[dict[str, str]]:
    """A system and a user message."""
    return [{"role": "system", "content": system}, {"role": "user", "content": user}]


def draw(seed: int, *parts: str) -> int:
    """A 64-bit number that depends on nothing but the seed and the parts, on every machine.

    >>> draw(0, "糖尿病") == draw(0, "糖尿病") != draw(1, "糖尿病")
    True
    """
    text = "\x1f".join((str(seed), *parts))
    return int.from_bytes(hashlib.sha256(text.encode("utf-8")).digest()[:8], "big")


def assign_wording(term: str, kind: str, seed: int) -> Wording:
    """The wording for a term; adding terms to a list changes no other term's wording.

    >>> assign_wording("糖尿病", "disease", 0) == assign_wording("糖尿病", "disease", 0)
    True
    """
    audiences, forms = list(AUDIENCES), list(FORMS[kind])
    audience = audiences[draw(seed, "audience", kind, term) % len(audiences)]
    form = forms[draw(seed, "form", kind, term) % len(forms)]
    return Wording(kind, audience, form)


def textbook(term: str, kind: str, seed: int, max_tokens: int) -> Prompt:
    """The textbook prompt for a term of a kind (disease, drug), by the seed and the term alone."""
    wording = assign_wording(term, kind, seed)
    return Prompt(wording.name, wording.messages(term, max_tokens))
