"""Bookkeeping of the stage `synth`: time for each request and peak memory, beside the same requests through bare httpx.

    python benchmarks/synth_overhead.py [--terms 2000] [--concurrency 32] [--rounds 3] [--folder DIR] [--pool]

A responder on loopback, in a process of its own, answers at once with a text that passes the checks. Ours is
`generate_texts` as the stage calls it: plan, keys, store (synced), checks, documents. The bound is a loop that posts
the same bodies with httpx at the same concurrency, one connection for each request at once as ours, and throws the
answers away; `--pool` adds the usual single client with its pool. All run in fresh processes, in turns.
Overhead is ours minus the bound, in milliseconds for each request, as wall time and as CPU time: of the whole stage
from plan to documents, and of its asking alone. On a busy machine only the CPU time means something.
The parts of ours are CPU times: asking (HTTP included), of which keeping is the thread that writes the answers; then
reading them back, checking, and writing documents. The second run over finished answers is what a restart costs.
`--terms 100000` is the size of the paper.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import json
import os
import random
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SENTENCES = 60_000
_TERM = re.compile("「(.+?)」")


def respond() -> None:
    """Serve until standard input ends; the address is printed."""
    chance = random.Random(0)
    kana = "".join(chr(code) for code in range(0x3042, 0x3094))
    kanji = "症状治療診察検査経過観察薬剤予防原因機能障害血圧呼吸心臓肝臓腎臓発熱疼痛感染免疫"
    pieces = [
        "".join(chance.choice(kanji if place % 3 == 0 else kana) for place in range(40)) + "。"
        for _ in range(SENTENCES)
    ]

    def answer(body: dict[str, Any]) -> bytes:
        found = _TERM.search(body["messages"][-1]["content"])
        draw = random.Random(body["seed"])
        text = f"{found[1] if found else ''}について述べる。" + "".join(draw.choice(pieces) for _ in range(20))
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 300, "completion_tokens": 700}
        return json.dumps({"object": "chat.completion", "choices": [choice], "usage": usage}).encode()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, ConnectionError):
                break
            found = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
            body = await reader.readexactly(int(found[1]) if found else 0)
            data = answer(json.loads(body))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(data))
            writer.write(data)
            await writer.drain()
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
        await asyncio.to_thread(sys.stdin.read)
        os._exit(0)

    asyncio.run(main())


def section(url: str, terms: int, concurrency: int) -> Any:
    from igakulm.recipe.schema import SynthSection, Writer

    writers = tuple(
        Writer(name=name, endpoint=url, model=name, licence="CC0-1.0", concurrency=max(1, concurrency // 2))
        for name in ("one", "two")
    )
    return SynthSection(writers=writers, terms=terms, seed=1)


def timed(owner: Any, name: str, spent: dict[str, float], part: str) -> None:
    """Add the CPU time that the calling thread spends in a function to a part."""
    function: Callable[..., Any] = getattr(owner, name)
    spent.setdefault(part, 0.0)

    def timing(*values: Any, **named: Any) -> Any:
        start = time.thread_time()
        try:
            return function(*values, **named)
        finally:
            spent[part] += time.thread_time() - start

    setattr(owner, name, timing)


def stage(url: str, folder: Path, terms: int, concurrency: int) -> dict[str, float]:
    """Ours: the whole stage."""
    from igakulm.asking.store import ResponseStore
    from igakulm.progress import SilentProgress
    from igakulm.synth import answer_reader, documents
    from igakulm.synth.generate import generate_texts
    from igakulm.synth.set_checks import SetChecks

    spent: dict[str, float] = {}
    timed(ResponseStore, "put_many", spent, "keep")
    timed(documents, "make_job", spent, "read")
    timed(answer_reader.Reader, "answer", spent, "read")
    for owner, name in ((documents, "clean_answer"), (documents, "check_text"), (SetChecks, "check")):
        timed(owner, name, spent, "check")
    out = folder / "out"
    config = section(url, terms, concurrency)
    start, cpu = time.perf_counter(), time.process_time()
    summary = generate_texts(config, folder, out, SilentProgress())
    wall, used = time.perf_counter() - start, time.process_time() - cpu
    log = json.loads((out / "logs" / "requests.json").read_text(encoding="utf-8"))
    # Of a hundred thousand seeds of 31 bits two or three pairs are equal, and so are their texts.
    assert summary["terms"] == terms and summary["documents"] >= 0.999 * terms, summary
    return {
        "wall": wall,
        "cpu": used,
        "ask_wall": log["seconds"],
        "ask_cpu": log["cpu_seconds"],
        **{f"{part}_cpu": seconds for part, seconds in spent.items()},
        "write_cpu": used - log["cpu_seconds"] - spent["read"] - spent["check"],
        "asked": log["attempts"],
    }


def bare(url: str, folder: Path, terms: int, concurrency: int, *, pool: bool = False) -> dict[str, float]:
    """The bound: the same bodies through httpx, nothing kept."""
    import httpx

    from igakulm.synth.jobs import make_job, plan, read_terms
    from igakulm.synth.writers import checked_authors

    config = section(url, terms, concurrency)
    authors = checked_authors(config)
    bodies = [make_job(one, authors, 1).body for one in plan(config, authors, read_terms(folder / "terms.tsv"))]
    waiting = iter(bodies)

    async def work(client: httpx.AsyncClient) -> None:
        for body in waiting:
            (await client.post(f"{url}/chat/completions", json=body)).json()

    async def run() -> None:
        clients = [httpx.AsyncClient(timeout=60, trust_env=False) for _ in range(1 if pool else concurrency)]
        await asyncio.gather(*(work(clients[number % len(clients)]) for number in range(concurrency)))
        for client in clients:
            await client.aclose()

    start, cpu = time.perf_counter(), time.process_time()
    asyncio.run(run())
    wall, used = time.perf_counter() - start, time.process_time() - cpu
    return {"wall": wall, "cpu": used, "ask_wall": wall, "ask_cpu": used, "asked": len(bodies)}


def measured(side: str, url: str, folder: Path, options: argparse.Namespace) -> dict[str, float]:
    """One run in a fresh process, with its peak memory in MiB."""
    words = [sys.executable, __file__, "--side", side, "--url", url, "--folder", str(folder)]
    words += ["--terms", str(options.terms), "--concurrency", str(options.concurrency)]
    found: dict[str, float] = json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout)
    return found


def compare(url: str, options: argparse.Namespace, work: Path) -> dict[str, Any]:
    sides = ("stage", "bare", "pool") if options.pool else ("stage", "bare")
    runs: dict[str, list[dict[str, float]]] = {side: [] for side in (*sides, "again")}
    for number in range(options.rounds):
        folder = work / str(number)
        folder.mkdir(parents=True)
        lines = [f"試験用疾患{place:06d}症\tdisease\n" for place in range(options.terms)]
        (folder / "terms.tsv").write_text("term\tkind\n" + "".join(lines), encoding="utf-8")
        for side in sides if number % 2 == 0 else reversed(sides):
            runs[side].append(measured(side, url, folder, options))
        runs["again"].append(measured("stage", url, folder, options))
    middle = {
        side: {name: statistics.median(run[name] for run in found) for name in found[0]} for side, found in runs.items()
    }
    return report(middle, options)


def report(middle: dict[str, dict[str, float]], options: argparse.Namespace) -> dict[str, Any]:
    terms: int = options.terms

    def each(seconds: float) -> float:
        return round(seconds * 1000 / terms, 3)

    ours, bound, again = middle["stage"], middle["bare"], middle["again"]
    parts = ("ask", "keep", "read", "check", "write")
    return {
        "terms": options.terms,
        "concurrency": options.concurrency,
        "rounds": options.rounds,
        "overhead_ms_per_request": {
            "whole_stage": {clock: each(ours[clock] - bound[clock]) for clock in ("wall", "cpu")},
            "asking": {clock: each(ours[f"ask_{clock}"] - bound[f"ask_{clock}"]) for clock in ("wall", "cpu")},
        },
        "ms_per_request": {
            side: {clock: each(found[clock]) for clock in ("wall", "cpu")} for side, found in middle.items()
        },
        "parts_cpu_ms_per_request": {
            side: {part: each(middle[side][f"{part}_cpu"]) for part in parts} for side in ("stage", "again")
        },
        "asked_again": again["asked"],
        "peak_mebibytes": {side: round(found["peak"]) for side, found in middle.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--terms", type=int, default=2000)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where to work; a disk of the kind that answers will stand on")
    parser.add_argument("--pool", action="store_true", help="measure one client with a pool of connections as well")
    parser.add_argument("--side", choices=("respond", "stage", "bare", "pool"), help=argparse.SUPPRESS)
    parser.add_argument("--url", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side == "respond":
        respond()
    elif options.side:
        sides: dict[str, Callable[..., dict[str, float]]]
        sides = {"stage": stage, "bare": bare, "pool": functools.partial(bare, pool=True)}
        found = sides[options.side](options.url, options.folder, options.terms, options.concurrency)
        print(json.dumps({**found, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
    else:
        words = [sys.executable, __file__, "--side", "respond"]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as responder:
            assert responder.stdin is not None and responder.stdout is not None
            url = responder.stdout.readline().strip()
            with tempfile.TemporaryDirectory(dir=options.folder) as work:
                print(json.dumps(compare(url, options, Path(work)), indent=1))
            responder.stdin.close()


if __name__ == "__main__":
    main()
