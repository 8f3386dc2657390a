"""What a comparison of tokenizers is made on, from the options of a command.

Does: open the tokenizers, texts and names that were asked for, give each its name. Does not: measure (compare.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from igakulm.errors import InputError
from igakulm.files import read_json
from igakulm.synth.lexicon import TERMS_FILE, read_terms
from igakulm.synth.term_lists import Term
from igakulm.text.broken import whole_characters
from igakulm.text.cleaning import clean_texts
from igakulm.tokenizer.compare import compare
from igakulm.tokenizer.dictionary import clean_terms
from igakulm.tokenizer.encode import TOKENIZER_FILE
from igakulm.tokenizer.encoder import Encoder, PlainEncoder
from igakulm.tokenizer.foreign import MODEL_FILES, open_tokenizer
from igakulm.tokenizer.open import load_encoder
from igakulm.tokenizer.sample_texts import SENTENCES, read_sample

T = TypeVar("T")
IGAKUQA = "IgakuQA"


@dataclass(frozen=True, slots=True)
class Asked:
    """The options.

    Attributes:
        beside, texts: `PATH` or `NAME=PATH`.
        samples: sentences.
        max_bytes: so much UTF-8 is taken of each text.
        clean: spell texts as the corpus stage does.
    """

    tokenizer: Path
    beside: Sequence[str] = ()
    texts: Sequence[str] = ()
    igakuqa: Path | None = None
    lexicon: Path | None = None
    samples: Sequence[str] = ()
    max_bytes: int = 4 * 2**20
    clean: bool = False


@dataclass(frozen=True, slots=True)
class Material:
    """Everything opened: tokenizers (ours first) and texts by name, and the stored report of ours, where it has one.

    `folder`: ours, built or adopted.
    """

    folder: Path
    tokenizers: dict[str, PlainEncoder]
    texts: dict[str, list[str]]
    terms: list[Term]
    samples: list[str]
    report: dict[str, Any] | None

    @property
    def encoder(self) -> Encoder:
        """Our tokenizer."""
        return load_encoder(self.folder)

    def lines(self) -> list[str]:
        """All lines of the texts that are not blank; without texts, the samples."""
        documents = [text for texts in self.texts.values() for text in texts] or self.samples
        return [line for document in documents for line in document.split("\n") if line.strip()]

    def measure(self) -> dict[str, Any]:
        """`report`: our stored figures; `samples`; `tokenizers`: see `compare`."""
        measured = compare(self.tokenizers, self.texts, self.terms, self.samples)
        return {"report": self.report, "samples": self.samples, "tokenizers": measured}


def gather(asked: Asked) -> Material:
    """Open what was asked for.

    Raises:
        InputError: a file that is missing or not of its kind, or two things of one name.
    """
    folder = asked.tokenizer.parent if asked.tokenizer.name == TOKENIZER_FILE else asked.tokenizer
    if folder.is_file():
        raise InputError("a tokenizer of ours is a folder", where=str(folder), hint="compare other files with --beside")
    tokenizers: dict[str, PlainEncoder] = {_name(folder): open_own(folder)}
    stored = folder / "report.json"
    tokenizers = _named(asked.beside, open_tokenizer, "--beside", tokenizers)
    texts = {} if asked.igakuqa is None else {IGAKUQA: igakuqa_texts(asked.igakuqa)}
    texts = _named(asked.texts, lambda path: read_sample(path, asked.max_bytes), "--text", texts)
    if asked.clean:
        texts = {name: clean_texts(documents) for name, documents in texts.items()}
    samples = [_characters(sample) for sample in asked.samples] or list(SENTENCES)
    report = read_json(stored) if stored.is_file() else None
    return Material(folder, tokenizers, texts, _terms(asked.lexicon), samples, report)


def open_own(folder: Path) -> PlainEncoder:
    """A tokenizer that was built or adopted here, as it is measured: an adopted one as any other file.

    Raises:
        InputError: neither lies there, or a file is missing or changed.
    """
    load_encoder(folder)
    return open_tokenizer(folder)


def igakuqa_texts(folder: Path) -> list[str]:
    """Question and choices of every examination question, a line each.

    Raises:
        InputError: as `load_questions`.
    """
    from igakulm.recipe.schema import Igakuqa
    from igakulm.tasks.benchmarks.igakuqa import load_questions

    items = load_questions(Igakuqa(path=str(folder), text_only=False))
    return ["\n".join((item.question, *item.choices)) for item in items]


def _terms(path: Path | None) -> list[Term]:
    if path is None:
        return []
    if path.is_file() and path.name != TERMS_FILE:
        raise InputError(f"names are read from a file {TERMS_FILE}", where=str(path), hint="build a lexicon first")
    return clean_terms(read_terms(path.parent if path.is_file() else path))


def _named(options: Sequence[str], read: Callable[[Path], T], option: str, found: dict[str, T]) -> dict[str, T]:
    for value in options:
        path = Path(value)
        name, equals, rest = value.partition("=")
        if equals and rest and not path.exists():
            path = Path(rest)
        else:
            name = _name(path)
        if not name or name in found:
            what = f"two things have the name {name!r}" if name else "the name is empty"
            raise InputError(what, where=f"{option} {value}", hint=f"write {option} NAME=PATH")
        found[name] = read(path)
    return found


def _name(path: Path) -> str:
    """A folder's name, for a file that stands for its folder too; else the file's name without endings.

    >>> _name(Path("models/gemma/tokenizer.json")), _name(Path("texts/notes.jsonl.zst")), _name(Path("models/v1.2"))
    ('gemma', 'notes', 'v1.2')
    """
    path = path.absolute()
    if path.name in (TOKENIZER_FILE, *MODEL_FILES):
        path = path.parent
    files = (".json", ".jsonl", ".ndjson", ".txt", ".md", ".model", ".zst", ".gz")
    name = path.name
    while name.endswith(files):
        name = name.rpartition(".")[0]
    return name or path.name


def _characters(text: str) -> str:
    """Bytes of a command line that are no UTF-8 arrive as lone surrogates."""
    return whole_characters(text)
