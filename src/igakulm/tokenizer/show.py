"""A comparison of tokenizers on a screen or as plain text.

Does: tables, and samples with their token borders: alternating background colours on a terminal, `|` elsewhere.
Does not: measure, or write HTML (report/tokenizer.py does).
Text is shown as it is: no markup in it is obeyed, and control characters become U+FFFD.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

COLOURS = ("black on bright_cyan", "black on bright_yellow")
BROKEN = "white on red"
PLAIN_WIDTH = 160
MISSING = "–"
LEGEND = "‹ › = one character in several tokens"


def show(result: Mapping[str, Any], console: Console | None = None) -> None:
    """Print what `igakulm tokenizer report` found."""
    screen = console or Console()
    if not screen.is_terminal:
        screen.width = PLAIN_WIDTH
    if result["report"]:
        _show_stored(result["report"], screen)
    measured = result["tokenizers"]
    screen.print(_overview(measured))
    for title in measured[0]["texts"]:
        screen.print(_text_table(title, measured))
    if measured[0]["names"]:
        screen.print(_name_table(measured))
    for one in measured:
        for title, agreement in one.get("mecab_agreement", {}).items():
            _say(screen, _agreement(f"{one['name']} on {title}", agreement))
    if result.get("llamacpp"):
        _show_llamacpp(result["llamacpp"], screen)
    _show_samples(result["samples"], measured, screen)


def _say(screen: Console, line: str | Text) -> None:
    """One line, however long: a terminal wraps it, a file keeps it whole."""
    screen.print(Text(printable(line)) if isinstance(line, str) else line, soft_wrap=True)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=Text(title), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for place, column in enumerate(columns):
        table.add_column(Text(column), justify="right" if place else "left", overflow="fold")
    return table


def _add(table: Table, *cells: str) -> None:
    table.add_row(*(Text(printable(cell)) for cell in cells))


def _show_stored(report: Mapping[str, Any], screen: Console) -> None:
    """The tokenizer's own report.json: figures on documents that its training did not see."""
    table = _table("held-out documents of its own corpus", "text", "characters/token", "bytes/token", "tokens")
    for kind, entry in (report.get("compression") or {}).items():
        if entry:
            _add(table, kind, *_compression(entry), _count(entry["tokens"]))
    if table.rows:
        screen.print(table)
        fallback = report["byte_fallback"]
        worst = _characters(fallback["worst_characters"])
        _say(screen, f"byte fallback {_percent(fallback['token_share'], 3)} of tokens: {worst}")
    if (report.get("mecab_agreement") or {}).get("sentences"):
        _say(screen, _agreement("held-out documents", report["mecab_agreement"]))
    names = _table("names of its own lexicon", "kind", "names", "one token", "tokens/name", "one word of MeCab")
    for kind, entry in (report.get("names") or {}).items():
        if entry["names"]:
            _add(names, kind, *_name_cells(entry), _percent(entry["one_mecab_word_share"]))
    if names.rows:
        screen.print(names)
    if dictionary := report.get("user_dictionary"):
        whole, moved = _percent(dictionary["one_word_share"], 2), _percent(dictionary["moved_border_share"], 2)
        _say(screen, f"user dictionary: {whole} of names one word in a sentence, {moved} of general sentences moved")


def _agreement(title: str, entry: Mapping[str, Any]) -> str:
    return (
        f"plain = MeCab at run time in {_percent(entry['same_share'])} of {_count(entry['sentences'])} sentences "
        f"({_count(entry['tokens_plain'])} and {_count(entry['tokens_mecab'])} tokens): {title}"
    )


def _overview(measured: Sequence[Mapping[str, Any]]) -> Table:
    table = _table("tokenizers", "name", "vocabulary", "runtime", "tokens of the samples")
    for one in measured:
        tokens = sum(number for parts in one["samples"] for _, number in parts)
        _add(table, one["name"], _count(one["size"]), one.get("runtime", MISSING), _count(tokens))
    return table


def _text_table(title: str, measured: Sequence[Mapping[str, Any]]) -> Table:
    first = measured[0]["texts"][title]
    heading = f"{title}: {_count(first['characters'])} characters in {_count(first['documents'])} documents"
    columns = ("tokenizer", "characters/token", "bytes/token", "byte fallback", "worst characters")
    table = _table(heading, *columns)
    table.columns[-1].justify = "left"
    for one in measured:
        entry = one["texts"][title]
        share = _percent(entry["fallback_share"], 3)
        worst = _characters(entry["worst_characters"][:8])
        _add(table, one["name"], *_compression(entry), share, worst)
    return table


def _name_table(measured: Sequence[Mapping[str, Any]]) -> Table:
    kinds = list(measured[0]["names"])
    columns = [f"{kind}: {what}" for kind in kinds for what in ("names", "one token", "tokens/name")]
    table = _table("names", "tokenizer", *columns)
    for one in measured:
        _add(table, one["name"], *(cell for kind in kinds for cell in _name_cells(one["names"][kind])))
    return table


def _show_llamacpp(found: Mapping[str, Any], screen: Console) -> None:
    share, lines = _percent(found["equal_share"], 2), _count(found["lines"])
    unknown, refused, crashed = (_count(found[key]) for key in ("with_unknown", "refused", "crashed"))
    _say(screen, f"llama.cpp ({found['file']}): the same ids in {share} of {lines} lines")
    _say(screen, f"  {unknown} with characters unknown to it, {refused} refused, {crashed} ended its process")
    for difference in found["differences"]:
        for name, pieces in (("ours     ", difference["ours"]), ("llama.cpp", difference["llamacpp"])):
            _say(screen, _sample([(piece, 1) for piece in pieces], screen, f"  {name}  "))


def _show_samples(samples: Sequence[str], measured: Sequence[Mapping[str, Any]], screen: Console) -> None:
    screen.print()
    _say(screen, f"samples ({LEGEND})")
    longest = max(len(one["name"]) for one in measured)
    for place, sample in enumerate(samples):
        _say(screen, Text(printable(sample), style="bold"))
        for one in measured:
            parts = one["samples"][place]
            tokens = sum(number for _, number in parts)
            _say(screen, _sample(parts, screen, f"  {one['name']:{longest}s} {tokens:4d}  "))


def _sample(parts: Iterable[Sequence[Any]], screen: Console, before: str) -> Text:
    """One line: borders as colours where there are any, else as `|` (a `|` of the text is written `\\|`)."""
    line = Text(printable(before))
    if not screen.is_terminal or screen.no_color:
        return line.append(marked(parts))
    for (text, tokens), colour in zip(parts, itertools.cycle(COLOURS), strict=False):
        line.append(printable(text), style=BROKEN if tokens > 1 else colour)
    return line


def marked(parts: Iterable[Sequence[Any]]) -> str:
    r"""Token borders as plain text.

    >>> marked([("糖尿病", 1), ("囊", 3), ("a|b", 1)])
    '糖尿病|‹囊›|a\\|b'
    """
    shown = ((printable(text).replace("|", "\\|"), tokens) for text, tokens in parts)
    return "|".join(f"‹{text}›" if tokens > 1 else text for text, tokens in shown)


def printable(text: str) -> str:
    r"""Text that cannot steer a terminal: a newline is shown as a sign, control characters as U+FFFD.

    >>> printable("a\n\x1b[31mb\u202e")
    'a⏎�[31mb�'
    """
    return "".join(c if c.isprintable() or c == "\u3000" else "⏎" if c == "\n" else "�" for c in text)


def _compression(entry: Mapping[str, Any]) -> tuple[str, str]:
    return _decimal(entry["characters_per_token"], 3), _decimal(entry["bytes_per_token"], 2)


def _name_cells(entry: Mapping[str, Any]) -> tuple[str, str, str]:
    return _count(entry["names"]), _percent(entry["one_token_share"]), _decimal(entry["tokens_per_name"], 2)


def _characters(worst: Iterable[Mapping[str, Any]]) -> str:
    return " ".join(f"{entry['character']}×{_count(entry['count'])}" for entry in worst) or MISSING


def _count(value: int | None) -> str:
    return MISSING if value is None else f"{value:,}"


def _decimal(value: float | None, digits: int) -> str:
    return MISSING if value is None else f"{value:.{digits}f}"


def _percent(share: float | None, digits: int = 1) -> str:
    return MISSING if share is None else f"{100 * share:.{digits}f} %"
