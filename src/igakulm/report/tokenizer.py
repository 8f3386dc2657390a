"""The report's section on the tokenizer, and the page that compares tokenizers.

Does: arrange report.json of the tokenizer stage, and the result of `tokenizer.material`. Does not: measure or tokenise.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from igakulm.files import write_text
from igakulm.report.numbers import Language, count, decimal, percent, size
from igakulm.report.page import Part, page
from igakulm.report.record import RunRecord
from igakulm.report.render import render
from igakulm.report.words import words
from igakulm.stored import parse_stored
from igakulm.tokenizer.records import REPORT, TokenizerReport


def tokenizer_section(record: RunRecord, language: Language) -> Markup:
    """Vocabulary, characters per token, names, byte fallback, token borders."""
    return stored_figures(record.stored("tokenizer", REPORT, TokenizerReport), language)


def stored_figures(report: TokenizerReport | None, language: Language) -> Markup:
    """Everything that a tokenizer's report.json says."""
    if report is None:
        return render("tokenizer.html.j2", language, report=None)
    t = words(language)
    compression = [
        (t.named("kind", kind), decimal(e.characters_per_token, 2), decimal(e.bytes_per_token, 2), count(e.tokens))
        for kind, e in report.compression.items()
        if e
    ]
    names = [
        (
            t.named("term", kind),
            count(entry.names),
            percent(entry.one_token_share),
            decimal(entry.tokens_per_name, 2),
            percent(entry.one_mecab_word_share),
        )
        for kind, entry in report.names.items()
    ]
    pairs = _facts(report, language)
    return render("tokenizer.html.j2", language, report=report, pairs=pairs, compression=compression, names=names)


def _facts(report: TokenizerReport, language: Language) -> list[tuple[str, str]]:
    t, training, dictionary = words(language), report.training, report.user_dictionary
    vocabulary, fallback = report.vocabulary, report.byte_fallback
    found = {
        "vocabulary": (vocabulary.base_size, count(vocabulary.base_size)),
        "with_chat": (vocabulary.size, count(vocabulary.size)),
        "runtime": (vocabulary.runtime or None, t.named("runtime", vocabulary.runtime)),
        "text": (sum(training.bytes.values()) or None, size(sum(training.bytes.values()))),
        "word_types": (training.word_types, count(training.word_types)),
        "added_names": (training.names, count(training.names)),
        "dictionary_names": (training.user_dictionary_names, count(training.user_dictionary_names)),
        "one_word": (dictionary.one_word_share, percent(dictionary.one_word_share, 2)),
        "moved": (dictionary.moved_border_share, percent(dictionary.moved_border_share, 2)),
        "bytes": (fallback and fallback.token_share, percent(fallback.token_share if fallback else None, 3)),
        "same": (report.mecab_agreement.same_share, percent(report.mecab_agreement.same_share)),
    }
    return [(t(f"tokenizer.fact.{key}"), text) for key, (value, text) in found.items() if value is not None]


def write_tokenizer_page(result: Mapping[str, Any], path: Path, language: Language = "ja") -> None:
    """Write the comparison of tokenizers as a page; the same result gives the same bytes.

    Args:
        result: of `Material.measure`, and `llamacpp` where that was compared.
        path: the page.
        language: of its words.

    Raises:
        InputError: the place cannot be written.
    """
    t = words(language)
    report = parse_stored(result["report"], TokenizerReport, REPORT) if result["report"] else None
    shown = {"texts": True, "names": True, "samples": True, "llamacpp": bool(result.get("llamacpp"))}
    name = result["tokenizers"][0]["name"]
    bodies = {part: _compared(part, result, language) for part, there in shown.items() if there}
    bodies["stored"] = stored_figures(report, language) if report else Markup("")
    parts = [Part(anchor, t(f"tokenizers.{anchor}"), body) for anchor, body in bodies.items() if body.strip()]
    text = page(
        t("tokenizers.page", name=name),
        parts,
        language,
        kind=t("tokenizers.kind"),
        heading=name,
        header=_compared("head", result, language),
        footer=t("tokenizers.footer"),
    )
    write_text(path, text)


def _compared(part: str, result: Mapping[str, object], language: Language) -> Markup:
    return render(
        "tokenizers.html.j2",
        language,
        part=part,
        measured=result["tokenizers"],
        samples=result["samples"],
        llamacpp=result.get("llamacpp"),
    )
