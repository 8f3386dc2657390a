"""What the server adds to the engine, and how it bears a crowd.

    python benchmarks/serving_load.py --bundle DIR [--rounds 5] [--requests 20] [--tokens 64]
                                      [--clients 64] [--seconds 60] [--queue 128] [--json]

Overhead: the same prompts through `igakulm serve` and through the same kind of engine in this process, one after the
other, alternating rounds, drawn with the same seeds, answers compared. A request's overhead is the difference of the
medians; throughput is tokens by wall time with all lanes busy. Crowd: clients that ask again as soon as they have an
answer, some of them streaming, some leaving in the middle; statuses are counted, memory of the front and the llama.cpp
child is sampled.
Latency: one token on a connection that is kept, as clients do it, from `igakulm serve` and from llama.cpp's own server
with the same file and threads, in turns: plain HTTP, the official client (package openai) whole and streaming.
Both sides keep a model in memory; each has its turn while the other rests, so that cores are not shared.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from served import memory, served

TEXTS = (
    "糖尿病の治療に用いる薬を一つ挙げてください。",
    "胸痛を訴える患者にまず行う検査は何ですか。",
    "38.5℃の発熱と咳が三日続いています。考えられる病気は？",
    "貧血の原因を調べる検査を説明してください。",
)
TEMPERATURE = 2.0
"""Answers as long as may be: a tuned model would end them after a word."""


def post(address: str, body: dict[str, Any], leave_after: float | None = None) -> tuple[int, str]:
    """Status and body; with `leave_after` the client closes after so many seconds of a stream."""
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=120)
    try:
        connection.request("POST", "/v1/completions", json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        if leave_after is not None and answer.status == 200:
            answer.read(1)
            time.sleep(leave_after)
            return answer.status, ""
        return answer.status, answer.read().decode()
    finally:
        connection.close()


class Sides:
    """The two ways to the same model."""

    def __init__(self, bundle: Path, address: str, tokens: int) -> None:
        from igakulm.inference.open import open_model

        self.opened, self.address, self.tokens = open_model(bundle, "llamacpp"), address, tokens
        encoder = self.opened.encoder
        self.prompts = [[*encoder.begin, *encoder.encode(text)] for text in TEXTS]
        self.lanes = self.opened.engine.lanes

    def direct(self, number: int) -> tuple[str, int]:
        from igakulm.inference.engine import Sampling
        from igakulm.serving.text import TextStream

        encoder = self.opened.encoder
        text = TextStream(encoder)
        prompt = self.prompts[number % len(self.prompts)]
        how = Sampling(temperature=TEMPERATURE, seed=number)
        steps = [step.token for step in self.opened.engine.stream(prompt, self.tokens, encoder.stops, how)]
        parts = [text.feed(token) for token in steps]
        return "".join(parts) + text.finish(), len(steps)

    def front(self, number: int) -> tuple[str, int]:
        body = {"prompt": self.prompts[number % len(self.prompts)], "max_tokens": self.tokens}
        body |= {"temperature": TEMPERATURE, "seed": number}
        status, text = post(self.address, body)
        if status != 200:
            raise SystemExit(f"the server answered {status}: {text[:200]}")
        answer = json.loads(text)
        return answer["choices"][0]["text"], answer["usage"]["completion_tokens"]


def one_by_one(side: Callable[[int], tuple[str, int]], requests: int) -> tuple[list[float], list[str]]:
    """Seconds of each request, and the answers."""
    times, texts = [], []
    for number in range(requests):
        start = time.perf_counter()
        text, _ = side(number)
        times.append(time.perf_counter() - start)
        texts.append(text)
    return times, texts


def at_once(side: Callable[[int], tuple[str, int]], requests: int, lanes: int) -> float:
    """Tokens a second with all lanes busy."""
    start = time.perf_counter()
    with ThreadPoolExecutor(lanes) as pool:
        made = sum(tokens for _, tokens in pool.map(side, range(requests)))
    return made / (time.perf_counter() - start)


def overhead(sides: Sides, rounds: int, requests: int) -> dict[str, Any]:
    names = {"direct": sides.direct, "front": sides.front}
    times: dict[str, list[float]] = {name: [] for name in names}
    rates: dict[str, list[float]] = {name: [] for name in names}
    answers: dict[str, list[str]] = {}
    for side in names.values():
        one_by_one(side, len(TEXTS))  # warm, both with the prompts in their caches
    for number in range(rounds):
        for name in sorted(names, reverse=bool(number % 2)):
            found, answers[name] = one_by_one(names[name], requests)
            times[name] += found
            rates[name].append(at_once(names[name], requests, sides.lanes))
    middle = {name: statistics.median(found) for name, found in times.items()}
    rate = {name: statistics.median(found) for name, found in rates.items()}
    return {
        "lanes": sides.lanes,
        "same answers": answers["direct"] == answers["front"],
        "ms a request, direct": round(1000 * middle["direct"], 2),
        "ms a request, front": round(1000 * middle["front"], 2),
        "overhead, ms a request (wanted: below 5)": round(1000 * (middle["front"] - middle["direct"]), 2),
        "tokens a second, direct": round(rate["direct"], 1),
        "tokens a second, front": round(rate["front"], 1),
        "throughput lost, % (wanted: below 2)": round(100 * (1 - rate["front"] / rate["direct"]), 2),
    }


def latency(addresses: dict[str, str], rounds: int, requests: int) -> dict[str, Any]:
    """Milliseconds at the median of a request for one token on a kept connection."""
    ways = {"plain HTTP": _kept, "openai client": _official, "openai client, first token of a stream": _first}
    times: dict[str, list[float]] = {}
    for number in range(rounds + 1):
        for name, address in sorted(addresses.items(), reverse=bool(number % 2)):
            for way, measure in ways.items():
                found = measure(address, requests)
                if number:  # the first round warms both
                    times.setdefault(f"{way}: {name}", []).extend(found)
    middle = {name: round(1000 * statistics.median(found), 2) for name, found in sorted(times.items())}
    more = {
        f"{way}: ms above llama.cpp (wanted: at most 5)": round(
            middle[f"{way}: front"] - middle[f"{way}: llama.cpp"], 2
        )
        for way in ways
    }
    return {**middle, **more}


def _kept(address: str, requests: int) -> list[float]:
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=120)
    times = []
    for number in range(requests):
        body = json.dumps({"prompt": TEXTS[number % len(TEXTS)], "max_tokens": 1, "temperature": 0})
        start = time.perf_counter()
        connection.request("POST", "/v1/completions", body, {"Content-Type": "application/json"})
        connection.getresponse().read()
        times.append(time.perf_counter() - start)
    connection.close()
    return times


def _official(address: str, requests: int, stream: bool = False) -> list[float]:
    from openai import OpenAI

    times = []
    with OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0) as client:
        name = client.models.list().data[0].id
        for number in range(requests):
            prompt = TEXTS[number % len(TEXTS)]
            start = time.perf_counter()
            if stream:
                with client.completions.create(model=name, prompt=prompt, max_tokens=4, stream=True) as events:
                    next(iter(events))
                    times.append(time.perf_counter() - start)
                    list(events)
            else:
                client.completions.create(model=name, prompt=prompt, max_tokens=1, temperature=0)
                times.append(time.perf_counter() - start)
    return times


def _first(address: str, requests: int) -> list[float]:
    return _official(address, requests, stream=True)


def crowd(address: str, pid: int, clients: int, seconds: float, tokens: int) -> dict[str, Any]:
    statuses, lock, end = Counter[str](), threading.Lock(), time.monotonic() + seconds
    samples: list[dict[str, float]] = []

    def client(number: int) -> None:
        turn = 0
        while time.monotonic() < end:
            turn += 1
            kind = (number + turn) % 4
            body = {"prompt": TEXTS[turn % len(TEXTS)], "max_tokens": tokens, "stream": kind > 1, "seed": turn}
            body["temperature"] = TEMPERATURE
            try:
                status = str(post(address, body, 0.02 if kind == 3 else None)[0])
            except (OSError, http.client.HTTPException) as error:
                status = type(error).__name__
            with lock:
                statuses[status] += 1
            if status == "429":
                time.sleep(0.05)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        samples.append(memory(pid))
        time.sleep(max(0.2, seconds / 60))
    for thread in threads:
        thread.join()
    time.sleep(0.5)
    return {
        "clients": clients,
        "seconds": seconds,
        "statuses (wanted: 200 and 429 only)": dict(sorted(statuses.items())),
        "memory, MB (after a quarter, at the end, highest)": _memory(samples),
        "queue afterwards": _queue(address),
    }


def _memory(samples: Sequence[dict[str, float]]) -> dict[str, list[float]]:
    quarter = samples[len(samples) // 4]
    return {
        name: [round(quarter[name]), round(samples[-1].get(name, 0)), round(max(s.get(name, 0) for s in samples))]
        for name in quarter
    }


def _queue(address: str) -> Any:
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=30)
    connection.request("GET", "/health")
    found = json.loads(connection.getresponse().read())["queue"]
    connection.close()
    return found


def latency_beside(bundle: Path, address: str, rounds: int, requests: int) -> dict[str, Any]:
    from igakulm.asking.llamacpp_server import serve_gguf
    from igakulm.inference.open import open_model

    opened = open_model(bundle, "llamacpp")
    context, file = opened.context_length, opened.weights[0]
    opened.close()
    with serve_gguf(file, context, threads=max(1, (os.cpu_count() or 2) - 1)) as other:
        return latency({"front": address, "llama.cpp": other.removesuffix("/v1")}, rounds, requests)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--bundle", type=Path, required=True)
    options.add_argument("--rounds", type=int, default=2)
    options.add_argument("--requests", type=int, default=8)
    options.add_argument("--tokens", type=int, default=16)
    options.add_argument("--clients", type=int, default=8)
    options.add_argument("--seconds", type=float, default=3.0)
    options.add_argument("--queue", type=int, default=8)
    options.add_argument("--json", action="store_true")
    chosen = options.parse_args()
    command = ("--engine", "llamacpp", "--queue", str(chosen.queue))
    with served(chosen.bundle, *command) as (address, pid):
        beside = latency_beside(chosen.bundle, address, chosen.rounds, chosen.requests)
        sides = Sides(chosen.bundle, address, chosen.tokens)
        try:
            found = {"latency": beside, "overhead": overhead(sides, chosen.rounds, chosen.requests)}
        finally:
            sides.opened.close()
        found["crowd"] = crowd(address, pid, chosen.clients, chosen.seconds, chosen.tokens)
    if chosen.json:
        print(json.dumps(found, ensure_ascii=False))
        return
    for part, values in found.items():
        print(part)
        print("\n".join(f"  {name}: {value}" for name, value in values.items()))


if __name__ == "__main__":
    main()
