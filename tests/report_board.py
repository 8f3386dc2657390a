"""An invented board of an evaluation: eight tasks, several models, every key of the format, and the answers."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from igakulm.files import write_json, write_jsonl

Row = dict[str, Any]
CHOICE = {"quiz": 4, "effects": 4, "stage": 8, "posts": 2, "similar": 6}
ENTITIES = ("disease", "medicine", "nursing")
MODELS = {"base": 0.3, "tuned": 0.62, "org/Large-Japanese-Medical-Instruct-8B-v0.3": 0.7, "small-2b-it": 0.45}
BASELINES = {"chance": 0.25, "majority": 0.3, "ngram": 0.5}
SYMPTOMS = ("発熱", "咳嗽", "呼吸困難", "腹痛", "悪心", "浮腫", "頭痛", "下痢")
FILLER = ("を認めたため入院となった。", "は軽快した。", "が続き、", "のため経過観察とした。", "を訴えて受診した。")


def choice_rows(task: str, n: int, options: int, skill: float, chance: random.Random, mode: str) -> list[Row]:
    rows = []
    for number in range(n):
        gold = "ABCDEFGH"[number % options]
        right = chance.random() < skill
        said: list[str] | None = [gold if right else chance.choice("ABCDEFGH"[:options])]
        answer = f"答えは{said[0] if said else ''}です。"
        if mode == "generate" and chance.random() < 0.1:
            said, answer = None, "わかりません。主治医に確認してください。" * 30
        prompt = f"{task} の問{number}：正しいものはどれか。\n" + "\n".join(
            f"{o}. 選択肢" for o in "ABCDEFGH"[:options]
        )
        rows.append(item_row(f"{task}-{number:03d}", task, "choice", prompt, answer, said, [gold], options, mode))
    return rows


def entity_rows(task: str, n: int, skill: float, chance: random.Random, mode: str) -> list[Row]:
    texts = random.Random(task)
    rows = []
    for number in range(n):
        gold = texts.sample(SYMPTOMS, 3)
        text = "".join(word + texts.choice(FILLER) for word in gold for _ in range(2))
        said: list[str] | None = [word for word in gold if chance.random() < skill]
        if said is not None and chance.random() > skill:
            said.append(chance.choice(SYMPTOMS))
        answer = json.dumps(said, ensure_ascii=False)
        if chance.random() < 0.08:
            said, answer = None, "症状は次の通りです。" + "発熱、" * 200
        prompt = f"以下の文書に書かれた症状を挙げてください。\n「{text}」\n答え："
        rows.append(item_row(f"{task}-{number:03d}", task, "entities", prompt, answer, said, gold, 0, mode))
    return rows


def item_row(
    key: str,
    task: str,
    kind: str,
    prompt: str,
    answer: str,
    said: list[str] | None,
    gold: Sequence[str],
    n: int,
    mode: str,
) -> Row:
    hit = len(set(said or ()) & set(gold))
    score = float(said == list(gold)) if kind == "choice" else 2 * hit / (len(gold) + len(said or ()))
    return {
        "id": key, "task": task, "kind": kind, "tag": "", "group": "", "part": "", "prompt": prompt, "truncated": False,
        "answer": answer, "answer_mode": mode, "parsed": said, "upstream": said, "gold": list(gold), "also": [],
        "choices": n, "ordered": False, "wanted": 1, "points": 1, "forbidden": [], "documents": [f"{hash_of(key)}"],
        "shared": key[-1] in "012", "score": score,
    }  # fmt: skip


def hash_of(key: str) -> str:
    return f"{random.Random(key).getrandbits(64):016x}"


def figure(model: str, role: str, task: str, split: str, metric: str, value: float, mode: str, **more: Any) -> Row:
    style = "" if role == "baseline" else "base" if model == "base" else "chat" if model == "tuned" else "published"
    row = {
        "model": model, "role": role, "task": task, "split": split, "answer_mode": mode, "prompt_style": style,
        "wording": "own" if style == "published" else "", "precision": "" if role == "baseline" else "bf16",
        "kind": "entities" if task in ENTITIES else "choice", "metric": metric, "value": value, "low": value - 0.09,
        "high": value + 0.08, "n": 60, "documents": 50, "unparsed": 0.1 if mode == "generate" else 0.0, "truncated": 0,
        "prompt_sha256": "" if role == "baseline" else hash_of(model + task) * 4,
    }  # fmt: skip
    return {**row, **more}


def write_board(
    folder: Path,
    models: Mapping[str, float] = MODELS,
    n: int = 60,
    choice: Mapping[str, int] = CHOICE,
    entities: Sequence[str] = ENTITIES,
) -> Row:
    """Eight tasks on three splits, the examination, comparisons, leakage: every key of the format."""
    chance = random.Random(7)
    rows: list[Row] = []
    files: list[Row] = []
    splits = {"published": 0.0, "published-unshared": -0.06, "document-disjoint": -0.1}
    for task in (*choice, *entities):
        metrics = ("overlap_f1", "exact_f1", "partial_f1_upstream")
        if task not in entities:
            metrics = ("kappa", "accuracy", "kappa_upstream")
        for role, skills in (("baseline", BASELINES), ("model", models)):
            for model, skill in skills.items():
                modes = ["baseline"] if role == "baseline" else ["generate"] if task in entities else ["options-letter"]
                if task in choice and model == "tuned":
                    modes.append("generate")
                for mode in modes:
                    for split, loss in splits.items():
                        value = skill + loss + chance.uniform(-0.08, 0.08)
                        rows += [
                            figure(model, role, task, split, metric, value + 0.1 * place, mode, n=n)
                            for place, metric in enumerate(metrics)
                        ]
                    name = f"items/{hash_of(model)[:6]}/{task}.published.{mode}.jsonl"
                    where = {"model": model, "task": task, "split": "published", "answer_mode": mode, "file": name}
                    files.append(where)
                    if task in entities:
                        write_jsonl(folder / name, entity_rows(task, n, skill, chance, mode))
                    else:
                        write_jsonl(folder / name, choice_rows(task, n, choice[task], skill, chance, mode))
    rows += [
        figure(model, "model", "igakuqa", "text-only", "score_share", 0.2 + 0.5 * skill, "options-letter", n=1471)
        for model, skill in models.items()
    ]
    board = {
        "format": 2,
        "rows": rows,
        "items": files,
        "paired": comparisons(models, splits, chance, (*choice, *entities)),
        **examination(models, chance),
    }
    board |= {
        "published": [
            {"model": f"Outside-{k}B", "task": task, "kind": "choice", "metric": metric, "value": 0.1 * k,
             "split": "published", "source": "JMED-LLM leaderboard"}
            for task, metric in (("quiz", "kappa_upstream"), ("nursing", "partial_f1_upstream"))
            for k in (2, 5, 7)
        ],
        "leakage": [
            {"split": split, "task": task, "test": n, "test_shared": shared, "train": 700, "train_shared": 2 * shared}
            for split, shared in (("published", 18), ("document-disjoint", 0))
            for task in (*choice, *entities)
        ],
        "leaked_items": [
            {"task": task, "id": f"{task}-{k:03d}", "document": "七十歳男性。発熱を主訴に受診した。",
             "train_task": "effects",
             "train_id": f"effects-train-{k:05d}"}
            for task in ("quiz", "effects") for k in range(18)
        ],
        "bootstrap": {"samples": 2000, "seed": 0, "unit": "document"},
    }  # fmt: skip
    write_json(folder / "scoreboard.json", board)
    return board


def comparisons(
    models: Mapping[str, float], splits: Iterable[str], chance: random.Random, tasks: Sequence[str]
) -> list[Row]:
    names = list(models)
    found = []
    for task in tasks:
        mode = "generate" if task in ENTITIES else "options-letter"
        for split in splits:
            best = {"second": "ngram", "second_mode": "baseline"}
            for place, first in enumerate(names):
                gap = models[first] - BASELINES["ngram"]
                side = {"first": first, "first_mode": mode, "difference": gap, "p": 0.0005 if abs(gap) > 0.15 else 0.4}
                found.append({"task": task, "split": split, "metric": "kappa", "n": 60} | side | best)
                for second in names[place + 1 :]:
                    gap = models[first] - models[second] + chance.uniform(-0.1, 0.1)
                    p = max(0.0005, 0.6 - 2 * abs(gap))
                    found.append(
                        {"task": task, "split": split, "metric": "overlap_f1" if task in ENTITIES else "kappa",
                         "first": first, "first_mode": mode, "second": second, "second_mode": mode, "difference": gap,
                         "low": gap - 0.15, "high": gap + 0.15, "p": p, "n": 60, "documents": 50}
                    )  # fmt: skip
    return found


def examination(models: Mapping[str, float], chance: random.Random) -> Row:
    passing, groups = [], []
    for model, skill in models.items():
        for year in ("2018", "2019"):
            complete = model != "base"
            required, general = round(200 * skill), round(299 * skill)
            passing.append(
                {"model": model, "answer_mode": "options-letter", "year": year, "required": required,
                 "required_total": 200, "required_mark": 160, "general": general, "general_total": 299,
                 "general_mark": 208, "contraindicated": 2, "contraindicated_limit": 3,
                 "passed": (required >= 160 and general >= 208) if complete else None, "complete": complete}
            )  # fmt: skip
            for part in ("", *"ABCDEF"):
                total = 80 if part else 499
                points = round(total * skill * chance.uniform(0.9, 1.1))
                groups.append(
                    {"model": model, "answer_mode": "options-letter", "task": "igakuqa", "group": year, "part": part,
                     "points": points, "total": total, "right": points, "n": total}
                )  # fmt: skip
    return {"passing": passing, "groups": groups}
