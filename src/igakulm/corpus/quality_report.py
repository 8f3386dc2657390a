"""The report on quality as Markdown, with the cost of both classifiers, so that a user can decide between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def as_markdown(report: Mapping[str, Any], cost: Mapping[str, object]) -> str:
    """The whole report; `cost` is what quality.json holds."""
    labels, repeat = report["labels"], report["repeat"]
    dropped = report["judged"] - report["kept"]
    lines = ["# Quality of the corpus", ""]
    lines += [f"**Warning:** {sentence}." for sentence in report["warnings"]] + [""] * bool(report["warnings"])
    lines += [
        f"{report['judged']:,} of {report['documents']:,} documents judged by the classifier {report['classifier']} "
        f"at {report['threshold']:.3f}: {report['kept']:,} kept, {dropped:,} dropped.",
        "",
        f"Labels: {labels['valid']:,} valid of {labels['documents']:,} ({labels['invalid']:,} invalid, "
        f"{labels['request_refused']:,} refused, {labels['no_answer']:,} without answer; {labels['asked_again']:,} "
        f"asked more than once), {labels['good']:,} good.",
        "",
        "| score | " + " | ".join(map(str, range(1, 6))) + " | same with the criteria reversed |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, counts in labels["scores"].items():
        same = repeat["same_score"].get(name)
        shown = "" if same is None else f"{100 * same:.0f} %"
        lines.append(f"| {name} | " + " | ".join(str(counts.get(str(n), 0)) for n in range(1, 6)) + f" | {shown} |")
    label = repeat["label"]
    if label["documents"]:
        lines += ["", f"Label good or bad, asked again ({label['documents']:,} documents): {_agreement(label)}."]
    return "\n".join([*lines, "", *_classifiers(report, cost), ""])


def _classifiers(report: Mapping[str, Any], cost: Mapping[str, object]) -> list[str]:
    chance = next(iter(report["classifiers"].values()))["precision_by_chance"]
    lines = [
        f"Cross-validated on the labels; precision by chance {chance:.3f}, AUC by chance 0.5:",
        "",
        "| classifier | precision | recall | AUC (95 % interval) | kept | seconds for 1,000 documents |",
        "|---|---|---|---|---|---|",
    ]
    for name, figures in report["classifiers"].items():
        low, high = figures["auc_interval_95"]
        lines.append(
            f"| {name} | {figures['precision']:.3f} ± {figures['precision_deviation']:.3f} "
            f"| {figures['recall']:.3f} ± {figures['recall_deviation']:.3f} "
            f"| {figures['auc']:.3f} ({low:.3f}-{high:.3f}) "
            f"| {100 * figures['kept_share']:.0f} % | {_seconds(name, cost)} |"
        )
    names = {"held_out": "held-out labelled documents", "all_documents": "all judged documents"}
    lines += [""] + [f"Both agree on {names[key]}: {_agreement(found)}." for key, found in report["agreement"].items()]
    return lines


def _agreement(found: Mapping[str, Any]) -> str:
    if found["same"] is None:
        return "nothing to compare"
    kappa = "without meaning" if found["kappa"] is None else f"{found['kappa']:.2f}"
    return f"{100 * found['same']:.1f} % of {found['documents']:,}, kappa {kappa}"


def _seconds(name: str, cost: Mapping[str, Any]) -> str:
    """Embedding and scoring, or scoring; what was found finished has no cost."""
    wanted = ("embed", "forest: score") if name == "forest" else ("ngram: score",)
    found = [cost["work"][work]["seconds_per_1000_documents"] for work in wanted if work in cost["work"]]
    return f"{sum(found):,.2f}" if len(found) == len(wanted) else "not measured in this run"
