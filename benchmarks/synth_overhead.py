"""Bookkeeping of the stage `synth`: time for each request and peak memory, beside the same requests through bare httpx.

    python benchmarks/synth_overhead.py [--terms 2000] [--concurrency 32] [--rounds 3] [--folder DIR]

A responder on loopback, in a process of its own, answers at once with a text that passes the checks. Ours is
`generate_texts` as the stage calls it: plan, keys, store (synced), checks, documents. The bound is a loop that posts
the same bodies with httpx at the same concurrency and throws the answers away. Both run in fresh processes, in turns.
Overhead is ours minus the bound while asking, in milliseconds for each request, as wall time and as CPU time; on a busy
machine only the CPU time means something. The second run over finished answers is what a restart costs.
`--terms 100000` is the size of the paper.
"""

from __future__ import annotations

import argparse
import asyncio
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


def stage(url: str, folder: Path, terms: int, concurrency: int) -> dict[str, float]:
    """Ours: the whole stage."""
    from igakulm.progress import SilentProgress
    from igakulm.synth.generate import generate_texts

    out = folder / "out"
    config = section(url, terms, concurrency)
    start, cpu = time.perf_counter(), time.process_time()
    summary = generate_texts(config, folder, out, SilentProgress())
    wall, used = time.perf_counter() - start, time.process_time() - cpu
    log = json.loads((out / "logs" / "requests.json").read_text(encoding="utf-8"))
    print(json.dumps(summary["rejected"]), file=sys.stderr)
    return {
        "wall": wall,
        "cpu": used,
        "ask_wall": log["seconds"],
        "ask_cpu": log["cpu_seconds"],
        "asked": log["attempts"],
    }


def bare(url: str, folder: Path, terms: int, concurrency: int) -> dict[str, float]:
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
        async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
            await asyncio.gather(*(work(client) for _ in range(concurrency)))

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
    runs: dict[str, list[dict[str, float]]] = {"ours": [], "again": [], "bare": []}
    for number in range(options.rounds):
        folder = work / str(number)
        folder.mkdir(parents=True)
        lines = [f"試験用疾患{place:06d}症\tdisease\n" for place in range(options.terms)]
        (folder / "terms.tsv").write_text("term\tkind\n" + "".join(lines), encoding="utf-8")
        order = ("ours", "bare") if number % 2 == 0 else ("bare", "ours")
        for side in order:
            runs[side].append(measured("stage" if side == "ours" else side, url, folder, options))
        runs["again"].append(measured("stage", url, folder, options))
    middle = {
        side: {name: statistics.median(run[name] for run in found) for name in found[0]} for side, found in runs.items()
    }
    each = 1000 / options.terms
    return {
        "terms": options.terms,
        "concurrency": options.concurrency,
        "rounds": options.rounds,
        "overhead_ms_per_request": {
            "wall": round((middle["ours"]["ask_wall"] - middle["bare"]["ask_wall"]) * each, 3),
            "cpu": round((middle["ours"]["ask_cpu"] - middle["bare"]["ask_cpu"]) * each, 3),
        },
        "asking_ms_per_request": {
            side: {"wall": round(middle[side]["ask_wall"] * each, 3), "cpu": round(middle[side]["ask_cpu"] * each, 3)}
            for side in ("ours", "bare")
        },
        "checks_and_documents_ms_per_text": round((middle["ours"]["cpu"] - middle["ours"]["ask_cpu"]) * each, 3),
        "restart_ms_per_request": round(middle["again"]["ask_wall"] * each, 3),
        "asked_again": middle["again"]["asked"],
        "peak_mebibytes": {side: round(found["peak"]) for side, found in middle.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--terms", type=int, default=2000)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where to work; a disk of the kind that answers will stand on")
    parser.add_argument("--side", choices=("respond", "stage", "bare"), help=argparse.SUPPRESS)
    parser.add_argument("--url", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side == "respond":
        respond()
    elif options.side:
        run = stage if options.side == "stage" else bare
        found = run(options.url, options.folder, options.terms, options.concurrency)
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
