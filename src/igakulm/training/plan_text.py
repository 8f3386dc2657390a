"""The plan as text for a terminal. Does: lay out. Does not: reckon (plan.py)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from igakulm.training.tuning_plan import TuningPlan

INDENT = " " * 18


def render_plan(estimate: dict[str, Any]) -> str:
    """The estimate as text; every figure has its formula below it."""
    formulas, train, tune = estimate["formulas"], estimate["pretrain"], estimate["finetune"]
    lines = [
        estimate["name"],
        *_figure("parameters", short(estimate["parameters"]), formulas["parameters"]),
        *_figure(
            "pretraining",
            f"{short(estimate['tokens'])} tokens in {estimate['steps']:,} steps of {train['tokens_per_step']:,}",
            formulas["tokens"],
        ),
        *_figure(
            "arithmetic",
            f"{estimate['flops_per_token'] / 1e9:.3g} GFLOP a token, {train['flops']:.2e} FLOP in all",
            formulas["flops_per_token"],
        ),
        *_figure("ratio", f"{estimate['tokens_per_parameter']} tokens a parameter", formulas["tokens_per_parameter"]),
        *_figure("epochs", _epochs(estimate), formulas["epochs"]),
        *_figure(
            "tuning",
            f"{tune['rows']:,} rows in {tune['steps']:,} steps, at most {short(tune['tokens_at_most'])} tokens",
            tune["formula"],
        ),
        *_tuning(tune["cpu"]),
        *_memory(estimate),
        *_devices(estimate),
    ]
    lines += [f"  warning: {warning}" for warning in estimate["warnings"]]
    return "\n".join(lines)


def _epochs(estimate: dict[str, Any]) -> str:
    unique = estimate["unique_tokens"]
    if unique is None:
        return "unknown: give --unique-tokens, set plan.unique_tokens in the recipe, or run `igakulm pack`"
    return f"{estimate['epochs']} over {short(unique)} unique tokens ({estimate['unique_tokens_from']})"


def _tuning(cpu: TuningPlan) -> Iterable[str]:
    yield INDENT + tuning_sentence(cpu)
    for name, formula in cpu["formulas"].items():
        yield from _wrapped(f"{name} = {formula}")


def tuning_sentence(cpu: TuningPlan) -> str:
    """What tuning takes on the cores of this machine."""
    bound = "at most " if cpu["at_most"] else ""
    return (
        f"{cpu['method']}: {short(cpu['trained_parameters'])} parameters are trained; on {cpu['cores']} cores "
        f"{bound}{duration(cpu['hours'])} and {bound}{cpu['memory_gib']} GiB"
    )


def _figure(name: str, value: str, formula: str) -> Iterable[str]:
    yield f"  {name:16s}{value}"
    yield from _wrapped(f"= {formula}")


def _wrapped(text: str, width: int = 118) -> Iterable[str]:
    line = INDENT
    for word in text.split():
        if len(line) + len(word) > width:
            yield line.rstrip()
            line = INDENT + "  "
        line += word + " "
    yield line.rstrip()


def _memory(estimate: dict[str, Any]) -> Iterable[str]:
    memory, reference = estimate["memory"], estimate["reference"]
    yield (
        f"  {'memory':16s}{memory['total_gib']} GiB on each of {reference['gpus']} {reference['device']} "
        f"({reference['strategy']}, micro-batch {reference['micro_batch']}): {memory['states_gib']} states, "
        f"{memory['activations_gib']} activations,"
    )
    yield f"{INDENT}{memory['buffers_gib']} buffers; a checkpoint takes {memory['checkpoint_gib']} GiB"
    for name, formula in memory["formulas"].items():
        yield from _wrapped(f"{name} = {formula}")
    table = memory["table"]
    batches = list(dict.fromkeys(row["micro_batch"] for row in table))
    yield f"{INDENT}GiB by micro-batch {'':8s}" + "".join(f"{batch:>8}" for batch in batches)
    for strategy in dict.fromkeys(row["strategy"] for row in table):
        rows = [row for row in table if row["strategy"] == strategy]
        name = f"{strategy} on {rows[0]['gpus']} GPU{'s' if rows[0]['gpus'] > 1 else ''}"
        yield f"{INDENT}{name:27s}" + "".join(f"{row['total_gib']:>8.1f}" for row in rows)


def _devices(estimate: dict[str, Any]) -> Iterable[str]:
    yield "  pretraining takes about"
    for row in estimate["devices"]:
        fitting = ", ".join(f"{name} {batch}" for name, batch in row["largest_micro_batch"].items() if batch)
        where = f"{row['gpus']} x {row['device']}"
        yield (
            f"    {where:26s}{duration(row['hours']):>10s}  {row['kwh']:>8,.0f} kWh {row['yen']:>11,} yen   "
            f"{row['tokens_per_second']:>7,} tokens/s each, {row['utilisation']:.1%} of peak ({row['basis']})"
        )
        yield f"{INDENT}largest micro-batch that fits: {fitting or 'none'}"
    cpu = estimate["cpu"]
    yield f"    {cpu['cores']:>2} cores of this machine  {duration(cpu['hours']):>10s}  (no GPU)"
    yield from _wrapped(f"hours = {estimate['formulas']['hours']}")
    yield from _wrapped(f"kWh = {estimate['formulas']['kwh']}; yen = {estimate['formulas']['yen']}")


def short(number: float) -> str:
    """Three figures and a unit.

    >>> [short(number) for number in (1_191_282_688, 50_331_648_000, 3_070_000, 4096)]
    ['1.19 B', '50.3 B', '3.07 M', '4,096']
    """
    for size, unit in ((1e9, "B"), (1e6, "M")):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:,.0f}"


def duration(hours: float) -> str:
    """Hours as the unit that reads best.

    >>> [duration(hours) for hours in (0.02, 5.25, 337.0, 60_000)]
    ['1 min', '5.2 h', '14.0 days', '6.8 years']
    """
    if hours < 1:
        return f"{max(1, round(hours * 60))} min"
    if hours < 48:
        return f"{hours:.1f} h"
    return f"{hours / 24:.1f} days" if hours < 24 * 730 else f"{hours / 8766:.1f} years"
