"""The tokenizer stage: corpus and lexicon in, a tokenizer's folder out (sections 2.2.2 and 2.2.3).

Does: call dictionary, word counts, training, conversion and report in turn. Does not: any of their work itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from igakulm.corpus.records import Kind, read_sources
from igakulm.errors import InputError
from igakulm.files import atomic_path, write_json
from igakulm.progress import Progress
from igakulm.recipe.schema import TokenizerSection
from igakulm.synth.lexicon import read_terms
from igakulm.tokenizer.adopt import adopt_tokenizer
from igakulm.tokenizer.counting import count_words, weighted_counts
from igakulm.tokenizer.dictionary import build_user_dictionary, clean_terms, dictionary_names, lexicon_names
from igakulm.tokenizer.dictionary_report import measure_user_dictionary
from igakulm.tokenizer.encode import DICTIONARY_FILE, MODEL_FILE, TextEncoder
from igakulm.tokenizer.fast import write_tokenizer_files
from igakulm.tokenizer.report import measure
from igakulm.tokenizer.segment import Segmenter
from igakulm.tokenizer.selection import Selection, select_documents
from igakulm.tokenizer.unigram import train_unigram


def build_tokenizer(
    config: TokenizerSection,
    corpus_dir: Path | None,
    lexicon_dir: Path,
    out_dir: Path,
    progress: Progress,
) -> dict[str, object]:
    """Build a tokenizer's folder from `corpus_dir/documents` and `lexicon_dir/terms.tsv`.

    Writes tokenizer.json, tokenizer_config.json, chat_template.jinja, sentencepiece.model, encoder.json, report.json
    and, with names and `user_dictionary`, user_dictionary.dic. The same inputs and seed give the same bytes.

    With `from_folder` that tokenizer is adopted instead (adopt.py); without a corpus it is measured on names alone.

    Raises:
        InputError: an empty corpus, a weight for an unknown source, or a vocabulary that the text does not allow.
    """
    if config.from_folder is not None:
        return adopt_tokenizer(config, Path(config.from_folder), corpus_dir, lexicon_dir, out_dir, progress)
    if corpus_dir is None:
        raise InputError("there is no text to make a vocabulary of", where="corpus.sources", hint="add sources")
    _check_source_weights(config, corpus_dir)
    terms = clean_terms(read_terms(lexicon_dir))
    names = lexicon_names(terms, drugs=config.drugs_in_dictionary)
    entries = dictionary_names(names, config.user_dictionary_min_characters) if config.user_dictionary else []
    dictionary = _write_dictionary(entries, config, out_dir, progress)

    budget = config.max_corpus_mebibytes * 2**20
    selection = Selection(config.seed or 0)
    documents = select_documents(corpus_dir, budget, selection, partial(_weight, config))
    make_segmenter = partial(Segmenter, dictionary, config.merge_function_words)
    expected_bytes = _expected_bytes(corpus_dir, budget)
    words = weighted_counts(
        count_words(documents, make_segmenter, config.workers, progress, expected_bytes),
        _trained_names(names, config, make_segmenter),
        config.name_pseudo_count,
    )
    model = train_unigram(words, config, progress)
    with atomic_path(out_dir / MODEL_FILE) as temporary:
        temporary.write_bytes(model)
    write_tokenizer_files(out_dir, config.runtime, config.merge_function_words)

    encoder = TextEncoder.load(out_dir)
    training = {
        "documents": dict(sorted(selection.documents.items())),
        "bytes": dict(sorted(selection.text_bytes.items())),
        "word_types": len(words),
        "names": len(names),
        "user_dictionary_names": len(entries),
    }
    vocabulary = {"runtime": encoder.runtime, "base_size": encoder.base_size, "size": encoder.size}
    report = {
        "vocabulary": vocabulary,
        "training": training,
        "user_dictionary": measure_user_dictionary(entries, selection.held["general"], dictionary),
        **measure(encoder, selection.held, terms, dictionary),
    }
    write_json(out_dir / "report.json", report)
    return {**vocabulary, "training": training, "compression": report["compression"]}


def _write_dictionary(
    entries: Sequence[str], config: TokenizerSection, out_dir: Path, progress: Progress
) -> Path | None:
    if not entries:
        progress.say(
            "tokenizer: no user dictionary" + (" (the lexicon has no names)" if config.user_dictionary else "")
        )
        return None
    path = out_dir / DICTIONARY_FILE
    build_user_dictionary(entries, config.user_dictionary_cost, path)
    return path


def _weight(config: TokenizerSection, source: str, kind: Kind) -> float:
    return config.source_weights.get(source, 1.0) * (config.medical_weight if kind == "medical" else 1.0)


def _check_source_weights(config: TokenizerSection, corpus_dir: Path) -> None:
    unknown = sorted(config.source_weights.keys() - read_sources(corpus_dir).keys())
    if unknown:
        what = f"the corpus has no source named {unknown[0]!r}"
        raise InputError(what, where="tokenizer.source_weights", hint="use the names under corpus.sources")


def _trained_names(
    names: Sequence[str], config: TokenizerSection, make_segmenter: Callable[[], Segmenter]
) -> list[str]:
    """Names as the encoder will meet them: whole, or in MeCab's words where MeCab also runs later."""
    if config.runtime == "plain":
        return list(names)
    segmenter = make_segmenter()
    return [word for name in names for word in segmenter.words(name)]


def _expected_bytes(corpus_dir: Path, budget: int) -> int:
    """An estimate for progress: Japanese takes three bytes a character."""
    return min(budget, 3 * sum(source.characters for source in read_sources(corpus_dir).values()))
