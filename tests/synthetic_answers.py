"""Answers as a writer model might give them: texts and exam items that differ from term to term and pass the checks."""

from __future__ import annotations

import hashlib
import json
import random

from chat_server import Plan, Reply, Request, chat_reply

SUBJECTS = [
    "問診",
    "視診",
    "聴診",
    "触診",
    "血圧測定",
    "採血",
    "画像検査",
    "内服",
    "点滴",
    "手術",
    "安静",
    "運動",
    "食事",
    "睡眠",
    "家族歴",
    "職業歴",
    "既往歴",
    "看護記録",
]
OBJECTS = [
    "発熱",
    "咳嗽",
    "腹痛",
    "胸痛",
    "浮腫",
    "倦怠感",
    "頭痛",
    "めまい",
    "動悸",
    "出血",
    "下痢",
    "便秘",
    "発疹",
    "しびれ",
    "脱水",
    "貧血",
    "黄疸",
    "呼吸困難",
]
ACTIONS = [
    "早く見つける",
    "丁寧に記録する",
    "和らげる",
    "見逃さない",
    "言葉で説明する",
    "数日おきに比べる",
    "家族と共有する",
    "評価し直す",
]
REASONS = [
    "再発を防ぎ",
    "負担を減らし",
    "治療を選び",
    "経過を読み",
    "不安を軽くし",
    "原因を絞り",
    "連携を深め",
    "安全を守り",
    "退院を支え",
]
PLACES = [
    "外来",
    "病棟",
    "救急室",
    "診療所",
    "在宅",
    "薬局",
    "検査室",
    "手術室",
    "健診会場",
    "訪問看護",
    "老人保健施設",
    "学校の保健室",
]
WHO = [
    "医師",
    "看護師",
    "薬剤師",
    "検査技師",
    "患者",
    "家族",
    "学生",
    "栄養士",
    "理学療法士",
    "保健師",
    "救急隊員",
    "ケアマネジャー",
]


def textbook(term: str, sentences: int = 8) -> str:
    """A text about a term that shares few long strings with that of another."""
    chance = random.Random(hashlib.sha256(term.encode()).digest())
    lines = [f"{term}について、{chance.choice(PLACES)}で{chance.choice(WHO)}が学ぶ要点を順に述べる。"]
    for _ in range(sentences):
        lines.append(
            f"{chance.choice(PLACES)}では{chance.choice(WHO)}が{chance.choice(SUBJECTS)}によって"
            f"{chance.choice(OBJECTS)}と{chance.choice(OBJECTS)}を{chance.choice(ACTIONS)}ことで"
            f"{chance.choice(REASONS)}、{chance.choice(WHO)}の{chance.choice(SUBJECTS)}につなげる。"
        )
    return "".join(lines)


def exam(term: str, right: int = 1, number: int = 0) -> str:
    """An exam item as JSON, as the schema asks for it."""
    chance = random.Random(hashlib.sha256(f"exam {term} {number}".encode()).digest())
    options = [f"{subject}で{chance.choice(OBJECTS)}をみる" for subject in chance.sample(SUBJECTS, 5)]
    wanted = "どれか。" if right == 1 else "どれか。2つ選べ。"
    question = f"{chance.choice(PLACES)}で{chance.choice(WHO)}が{term}の患者に行う対応として正しいのは{wanted}"
    letters = sorted(chance.sample("abcde", right))
    names = [options["abcde".index(letter)] for letter in letters]
    explanation = (
        f"{term}では{'と'.join(names)}ことが{chance.choice(REASONS)}、ほかの対応は{chance.choice(WHO)}の役に立たない。"
    )
    item = {"question": question, "options": options, "explanation": explanation, "answer": letters}
    return json.dumps(item, ensure_ascii=False)


def reply(request: Request) -> Reply:
    """What a good writer answers to a request of any kind."""
    schema = request.body.get("response_format", {}).get("json_schema", {})
    if schema.get("name") == "exam":
        right = schema["schema"]["properties"]["answer"]["minItems"]
        return chat_reply(exam(request.term, right, request.body["seed"]))
    return chat_reply(textbook(request.term))


def writer_with_faults(rates: dict[str, float], hang: float = 0.6) -> Plan:
    """A good writer whose attempts fail at the given rates, each by the request and the number of the attempt alone."""
    import time

    def plan(request: Request, times: int) -> Reply:
        text = f"{request.term} {request.body['seed']} {times}"
        number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") / 2**48
        for fault, rate in rates.items():
            number -= rate
            if number >= 0:
                continue
            if fault == "hang":
                time.sleep(hang)
                return chat_reply("遅すぎる答え")
            return FAULTS[fault]
        return reply(request)

    return plan


FAULTS: dict[str, Reply] = {
    "429": Reply(429, b"slow down", {"Retry-After": "2"}),
    "500": Reply(500, b"crash"),
    "503": Reply(503, b"loading"),
    "cut": Reply(200, b'{"choices": [{"mess', cut=True),
    "broken": Reply(200, b'{"choices": [{"message": {"content": "'),
    "empty": chat_reply(""),
}
