"""Short formulas of Wikipedia as plain text, and numbers in templates: what a sentence would lose with them.

Does: write what one line can say (10^5, 1/2, 1.2×10^-5mol/L). Does not: typeset, or find formulas in an article.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

LOST = "\ue0ff"
"""Stands where a number was lost to markup that nobody here can read, until its sentence is left out."""
LONGEST_FORMULA = 120
_WORDS = re.compile(r"\\(?:mathrm|mathit|mathbf|mathsf|text|textrm|rm|mbox|operatorname|ce)\s*\{([^{}]*)\}")
_FRACTION = re.compile(r"\\[dt]?frac\s*(?:\{([^{}]*)\}\s*\{([^{}]*)\}|([0-9])\s*([0-9]))")
_SCRIPT = re.compile(r"([\^_])\s*\{([^{}]*)\}")
_SIGNS = {
    "times": "×", "cdot": "・", "pm": "±", "mp": "∓", "div": "÷", "le": "≤", "leq": "≤", "leqq": "≤", "ge": "≥",
    "geq": "≥", "geqq": "≥", "ll": "<<", "gg": ">>", "ne": "≠", "neq": "≠", "approx": "≒", "fallingdotseq": "≒",
    "simeq": "≒", "sim": "〜", "to": "→", "rightarrow": "→", "leftarrow": "←", "rightleftharpoons": "⇌",
    "infty": "∞", "circ": "°", "%": "%", ",": " ", ";": " ", " ": " ", "!": "", "quad": " ", "ldots": "…", "cdots": "…",
    "left": "", "right": "", "displaystyle": "", "textstyle": "", "alpha": "α", "beta": "β", "gamma": "γ",
    "delta": "δ", "Delta": "Δ", "epsilon": "ε", "theta": "θ", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν",
    "pi": "π", "rho": "ρ", "sigma": "σ", "Sigma": "Σ", "tau": "τ", "phi": "φ", "chi": "χ", "omega": "ω",
    "Omega": "Ω", "ln": "ln", "log": "log", "exp": "exp", "min": "min", "max": "max",
}  # fmt: skip
_MACRO = re.compile(r"\\([A-Za-z]+|[%,; !])")
_SILENT = re.compile(
    r"(?:sfn|efn|refn|refnest|harv|cite|citation|isbn|issn|doi|pmid|r$|rp$|ref|要|出典|独自研究|疑問|誰|いつ|どこ|注|脚注"
    r"|reflist|anchor|coord|flag|main|see|infobox|navbox|clear|画像|右|左|wikt|commons|portal|dl2|en icon|ja icon|link)"
)
"""Templates of notes, links and boxes: they show no number of the sentence."""


def formula_text(tex: str) -> str:
    """A formula as one line; LOST where it has more than one line can say, and a digit.

    >>> formula_text("10^5"), formula_text("4 \\\\times 10^{-3}"), formula_text("\\\\frac{1}{2}")
    ('10^5', '4 × 10^-3', '1/2')
    >>> formula_text("\\\\int_0^1 x"), formula_text("\\\\vec{v}")
    ('\\ue0ff', '')
    """
    text = _WORDS.sub(r"\1", tex.strip())
    text = _SCRIPT.sub(lambda found: found[2] if found[1] == "_" else f"^{found[2]}", text)
    text = _FRACTION.sub(lambda found: f"{_part(found[1] or found[3])}/{_part(found[2] or found[4])}", text)
    text = re.sub(r"\^\s*\\circ", "°", text)
    text = _MACRO.sub(lambda found: _SIGNS.get(found[1], "\\"), text)
    text = re.sub(r"_([0-9A-Za-z])(?![0-9])", r"\1", text)
    text = " ".join(text.split())
    if re.search(r"[\\{}&_\n]", text) or len(text) > LONGEST_FORMULA:
        return LOST if re.search("[0-9]", tex) else ""
    return text


def _part(text: str) -> str:
    return text if re.fullmatch(r"\s*[0-9A-Za-z.]+\s*", text) else f"({text})"


def number_template(name: str, values: Mapping[str, str]) -> str | None:
    """What a template of numbers shows; None for any other template. `values`: its arguments, by number or key.

    >>> number_template("val", {"1": "1.2", "e": "-5", "u": "mol/L"}), number_template("frac", {"1": "1", "2": "2"})
    ('1.2×10^-5mol/L', '1/2')
    >>> number_template("frac", {"1": "3", "2": "1", "3": "2"}), number_template("gaps", {"1": "12", "2": "345"})
    ('3 1/2', '12345')
    """
    given = [values[str(place)] for place in range(1, len(values) + 1) if values.get(str(place))]
    if name in ("frac", "sfrac", "分数", "fraction"):
        return _fraction(given)
    if name in ("gaps", "gapnum"):
        return "".join(given) + _unit(values)
    if name == "val":
        return _value(given, values)
    return None


def _fraction(given: list[str]) -> str:
    if len(given) == 1:
        return f"1/{given[0]}"
    return f"{given[0]}/{given[1]}" if len(given) == 2 else f"{given[0]} {given[1]}/{given[2]}" if given else ""


def _value(given: list[str], values: Mapping[str, str]) -> str:
    number = given[0] if given else ""
    if len(given) == 2:
        number += f"±{given[1]}"
    elif len(given) == 3:
        number += f"(+{given[1]} -{given[2].lstrip('-−')})"
    power = f"×10^{values['e']}" if values.get("e") and number else f"10^{values['e']}" if values.get("e") else ""
    return f"{values.get('p', '')}{number}{power}{_unit(values)}{values.get('s', '')}"


def _unit(values: Mapping[str, str]) -> str:
    unit = values.get("u") or values.get("ul") or ""
    per = values.get("up") or values.get("upl") or ""
    return f"{unit}/{per}" if per else unit


def lost_with(name: str, values: Mapping[str, str]) -> str:
    """LOST for an unknown template that shows a number of its sentence, as far as one can see; else nothing."""
    shown = any(key.isdecimal() and re.search(f"[0-9０-９{LOST}]", value) for key, value in values.items())
    return LOST if shown and not _SILENT.match(name) else ""


def without_lost(line: str) -> tuple[str, int]:
    """A line without the sentences that lost a number, and how many they were.

    >>> without_lost("効く。量は\\ue0ffである。続く。"), without_lost("\\ue0ff")
    (('効く。続く。', 1), ('', 0))
    """
    if LOST not in line:
        return line, 0
    sentences = re.findall(r"[^。]*。[」』）)]*|[^。]+", line)
    lost = [sentence for sentence in sentences if LOST in sentence]
    kept = "".join(sentence for sentence in sentences if LOST not in sentence)
    return kept, sum(bool(sentence.replace(LOST, "").strip(" 。")) for sentence in lost)
