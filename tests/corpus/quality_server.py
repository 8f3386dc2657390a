"""A server on loopback that labels and embeds by plain rules, so that tests know every right answer."""

from __future__ import annotations

import json
import re

import numpy as np

from chat_server import Reply, Request, chat_reply

GOOD, BAD = "心臓は血液を全身に送り出す器官である。", "今だけ半額、買うなら今すぐクリック。"


def text_in(request: Request) -> str:
    found = re.search("<文章>\n(.*)\n</文章>", request.question, re.DOTALL)
    assert found is not None
    return found[1]


def label_reply(text: str) -> Reply:
    """Good documents get 5, 5, 1, the others 1, 3, 1."""
    scores = (5, 5, 1) if GOOD in text else (1, 3, 1)
    return chat_reply(json.dumps(dict(zip(("education", "coherence", "harm"), scores, strict=True))))


def vectors_reply(texts: list[str], dimensions: int = 6) -> Reply:
    """Noise around a point for good texts and another for bad ones; sent in reverse order, as a server may."""
    rows = []
    for index, text in enumerate(texts):
        noise = np.random.default_rng(len(text) + sum(map(ord, text))).normal(size=dimensions)
        noise += 4.0 if GOOD in text else -4.0
        rows.append({"index": index, "embedding": noise.tolist()})
    return Reply(body=json.dumps({"data": rows[::-1]}).encode())


def answer(request: Request, times: int = 1) -> Reply:
    if request.path.endswith("/embeddings"):
        return vectors_reply(request.body["input"])
    return label_reply(text_in(request))
