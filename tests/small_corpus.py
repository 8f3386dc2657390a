"""Sources for tests of the corpus stage: several files, repeated ids, duplicates, lines that cannot be read."""

from __future__ import annotations

import json
import random
from pathlib import Path

from igakulm.recipe.schema import CorpusSection, Source

SUBJECTS = ["医師", "看護師", "薬剤師", "患者", "家族", "検査技師", "栄養士", "理学療法士"]
OBJECTS = ["血圧", "体温", "食事量", "睡眠時間", "処方箋", "検査結果", "歩行距離", "服薬状況"]
VERBS = ["を記録した", "を確認した", "を説明した", "を見直した", "を家族に伝えた", "を翌日も調べた"]


def prose(seed: int, sentences: int = 12) -> str:
    """Prose that the filters keep; each seed gives another one."""
    chooser = random.Random(seed)
    return "".join(
        f"{chooser.randrange(1, 29)}日、{chooser.choice(SUBJECTS)}は{chooser.choice(OBJECTS)}{chooser.choice(VERBS)}。"
        for _ in range(sentences)
    )


def write_sources(folder: Path, files: int = 6, documents: int = 30) -> CorpusSection:
    """Write JSON Lines and Parquet files and return a section that reads them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(parents=True)
    for place in range(files):
        lines = []
        for number in range(documents):
            seed = place * documents + number
            text = prose(7) if number % 10 == 3 else prose(1000 + seed)  # one text comes again and again
            text = "短い。" if number % 10 == 5 else text
            identifier = number if place < 2 else seed  # the ids of the second file repeat those of the first
            row = {"id": identifier, "text": text + "連絡はtaro@example.jpへ。", "url": f"https://a{place}.example.jp/"}
            lines.append(json.dumps(row, ensure_ascii=False).encode())
        lines.insert(4, b'{"id": "bad", "text": "\xff"}')
        (folder / f"web{place}.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    table = pa.table({"id": [str(n) for n in range(40)], "text": [prose(9000 + n) for n in range(40)]})
    pq.write_table(table, folder / "articles.parquet", row_group_size=10)
    web = Source(name="web", path=str(folder / "web*.jsonl"), licence="CC0")
    articles = Source(
        name="articles", path=str(folder / "articles.parquet"), format="parquet", licence="CC0", kind="medical"
    )
    return CorpusSection(sources=(web, articles), workers=1)
