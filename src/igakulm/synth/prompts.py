"""What the writer model is asked: textbook prompts for diseases and drugs, by audience and form (section 2.1.2).

Does: hold the wordings, and assign one to each term by the seed alone. Does not: ask anybody or read files.
The paper publishes no wordings; these are our own. Every prompt forbids greetings, mark-up and invented numbers, which
the checks would otherwise reject most often.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

SYSTEM = (
    "あなたは日本の医学・薬学の教科書を執筆する編集者です。"
    "正確で読みやすい日本語の本文だけを書き、確かでない数値や文献は書きません。"
)

AUDIENCES: dict[str, str] = {
    "medical-student": "医学部の学生が基礎から理解できるように、専門用語には短い説明を添えて",
    "resident": "初期研修医が当直で判断に使えるように、鑑別と対応の順序がわかる書き方で",
    "nurse": "看護師と看護学生に向けて、観察の要点と患者への関わり方に重みを置いて",
    "pharmacist": "薬剤師に向けて、薬物治療と安全管理に重みを置いて",
    "patient": "医療の知識がない患者とその家族に向けて、やさしい言葉と身近なたとえで",
    "coder": "診療録を読む診療情報管理士に向けて、用語の定義と似た用語との違いがわかるように",
}

DISEASE_FORMS: dict[str, str] = {
    "chapter": (
        "「{term}」を扱う教科書の一節を書いてください。概念、原因、症状、診断、治療、経過の順に、続いた文章で述べます。"
    ),
    "mechanism": (
        "「{term}」がどのように起こるのかを解説してください。"
        "正常な働きから始め、病態と症状がどうつながるかを筋道立てて述べます。"
    ),
    "diagnosis": (
        "「{term}」を疑うきっかけから診断に至るまでの考え方を解説してください。"
        "問診、診察、検査、見分けるべき病態を含めます。"
    ),
    "treatment": (
        "「{term}」の治療と療養について解説してください。"
        "治療の目標、主な方法とその理由、経過をみるときの注意を述べます。"
    ),
    "case": (
        "「{term}」の架空の患者を一人設定し、"
        "受診から治療までの経過を述べたあと、その症例から学べることを解説してください。"
    ),
    "questions": "「{term}」について学ぶ人が抱きやすい疑問を四つ選び、「問：」「答：」の形で順に説明してください。",
    "entry": (
        "医学事典の見出し語「{term}」の項目を書いてください。定義の一文に始まり、背景、特徴、臨床での意味を述べます。"
    ),
    "dialogue": (
        "指導者と学習者が「{term}」について話し合う対話を書いてください。"
        "話者名のあとに「：」を付け、学習者の誤解を正す場面を含めます。"
    ),
}

DRUG_FORMS: dict[str, str] = {
    "chapter": (
        "「{term}」を扱う薬理学の教科書の一節を書いてください。"
        "分類、作用の仕組み、用いられる病態、副作用、注意点の順に述べます。"
    ),
    "mechanism": (
        "「{term}」が体の中でどのように働くかを解説してください。"
        "作用点、効果が現れるまでの流れ、体内での動きを筋道立てて述べます。"
    ),
    "safety": (
        "「{term}」を安全に使うための解説を書いてください。"
        "使えない場合、慎重に使う場合、飲み合わせ、副作用の早い見つけ方を含めます。"
    ),
    "case": (
        "「{term}」が処方された架空の患者を一人設定し、"
        "処方の理由と経過を述べたあと、その症例から学べることを解説してください。"
    ),
    "questions": "「{term}」について学ぶ人が抱きやすい疑問を四つ選び、「問：」「答：」の形で順に説明してください。",
    "entry": (
        "医薬品事典の見出し語「{term}」の項目を書いてください。"
        "どのような薬かを一文で定義し、使われ方と特徴、注意点を述べます。"
    ),
    "counselling": (
        "「{term}」を初めて使う人への説明を、場面の描写を交えて書いてください。"
        "目的、使い方の考え方、気をつける症状を含めます。"
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
    """One wording: `kind` is disease or drug, `audience` and `form` are keys of the tables above."""

    kind: str
    audience: str
    form: str

    @property
    def name(self) -> str:
        """A stable name for reports, such as `disease/nurse/case`."""
        return f"{self.kind}/{self.audience}/{self.form}"

    def messages(self, term: str, max_tokens: int) -> list[dict[str, str]]:
        """System and user message for a term.

        The length asked for is about six characters for ten tokens of the limit: tokenizers spend up to 1.3 tokens on a
        Japanese character, and a text that is cut off is lost.

        >>> print(Prompt("drug", "nurse", "entry").messages("アスピリン", 700)[1]["content"][:42])
        看護師と看護学生に向けて、観察の要点と患者への関わり方に重みを置いて、医薬品事典の見
        """
        length = max(100, max_tokens * 6 // 1000 * 100)
        text = f"{AUDIENCES[self.audience]}、{FORMS[self.kind][self.form]}{RULES}"
        return [
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": text.replace("{length}", str(length)).replace("{term}", term)},
        ]


def draw(seed: int, *parts: str) -> int:
    """A 64-bit number that depends on nothing but the seed and the parts, on every machine.

    >>> draw(0, "糖尿病") == draw(0, "糖尿病") != draw(1, "糖尿病")
    True
    """
    text = "\x1f".join((str(seed), *parts))
    return int.from_bytes(hashlib.sha256(text.encode("utf-8")).digest()[:8], "big")


def assign_prompt(term: str, kind: str, seed: int) -> Prompt:
    """The wording for a term; adding terms to a list changes no other term's wording.

    >>> assign_prompt("糖尿病", "disease", 0) == assign_prompt("糖尿病", "disease", 0)
    True
    """
    audiences, forms = list(AUDIENCES), list(FORMS[kind])
    audience = audiences[draw(seed, "audience", kind, term) % len(audiences)]
    form = forms[draw(seed, "form", kind, term) % len(forms)]
    return Prompt(kind, audience, form)
