"""What became of one document, step by step: `igakulm corpus explain`.

Does: find a document in a finished corpus by its id, among the kept and the dropped ones; read it again from its source
and repeat the steps on it, so that the text before and after each can be shown. Does not: build a corpus.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from igakulm.corpus.filter import drop_reasons
from igakulm.corpus.funnel import STEPS
from igakulm.corpus.personal_data import SourceCleaner
from igakulm.corpus.read import Row, read_source, source_files
from igakulm.corpus.shards import DROPPED_COLUMNS, read_column, read_rows
from igakulm.corpus.source_filters import filters_by_source
from igakulm.errors import InputError, did_you_mean
from igakulm.files import DOC_COLUMNS
from igakulm.recipe.schema import CorpusSection
from igakulm.text.cleaning import clean_texts

_LISTED = 10
_STEP_OF = {"unreadable": "read", "exact_duplicate": "exact", "near_duplicate": "near", "boilerplate": "boilerplate"}
_AGAIN = "#repeat-"


def explain(corpus_dir: Path, identifier: str, corpus: CorpusSection | None = None) -> dict[str, Any]:
    """What became of one document.

    Args:
        corpus_dir: a finished corpus folder.
        identifier: the document's id (`source:id`); its end is enough where no other id ends so.
        corpus: the sources and rules; with them the document is read again and its `steps` are told.

    Returns:
        `id`, `source`, `kept` and `text`; of a dropped document also `reason`, `detail`, and for duplicates the text of
        the `survivor`; `before`, the text as it was read, where it is known and differs; with `corpus` the `steps`.

    Raises:
        InputError: the corpus has no such document, or several (they are listed).
    """
    name, path, row = _find(corpus_dir, identifier)
    kept = path.parent.name == "documents"
    columns = DOC_COLUMNS if kept else DROPPED_COLUMNS
    values = next(read_rows(path, row, row + 1, columns))[0]
    found: dict[str, Any] = {"kept": kept, **dict(zip(columns, values, strict=True))}
    if found["id"] != name:
        raise RuntimeError(f"{path} changed while it was read")
    if not found.get("before"):
        found.pop("before", None)
    if found.get("reason") in ("exact_duplicate", "near_duplicate"):
        _, path, row = _find(corpus_dir, found["detail"])
        found["survivor"] = next(read_rows(path, row, row + 1, ("text",)))[0][0]
    return found if corpus is None else _with_steps(found, corpus)


def _shards(corpus_dir: Path) -> Iterator[Path]:
    for folder in ("documents", "dropped"):
        yield from sorted((corpus_dir / folder).glob("*.parquet"))


def _find(corpus_dir: Path, identifier: str) -> tuple[str, Path, int]:
    """The full id, the file and the row of a document."""
    similar: dict[str, tuple[Path, int]] = {}
    names: list[str] = []
    for path in _shards(corpus_dir):
        for row, name in enumerate(read_column(path, "id")):
            if name == identifier:
                return name, path, row
            if name.endswith(f":{identifier}") or name.startswith((f"{identifier}#", f"{identifier}:")):
                similar[name] = path, row
            elif len(names) < 10_000:
                names.append(name)
    if len(similar) == 1:
        name = next(iter(similar))
        return name, *similar[name]
    if similar:
        listed = ", ".join(sorted(similar)[:_LISTED]) + (" …" if len(similar) > _LISTED else "")
        raise InputError(f"{len(similar)} documents could be meant by {identifier!r}", hint=f"name one: {listed}")
    near = did_you_mean(identifier, names)
    raise InputError(
        f"the corpus has no document {identifier!r}",
        where=str(corpus_dir),
        hint=f"did you mean {near!r}?" if near else "ids are `source:id`, or `source:file:line` for rows without one",
    )


# ---- the steps


def _with_steps(found: dict[str, Any], corpus: CorpusSection) -> dict[str, object]:
    """The same with the text before and with what each step did."""
    row = _read_again(found, corpus)
    if row is None or row.error is not None:
        return found
    cleaned = clean_texts([row.text])[0]
    masked = SourceCleaner(corpus)([row.text], [found["source"]], [row.id], [row.meta])
    filters = filters_by_source(corpus).get(found["source"], corpus.filters)
    reason = drop_reasons(masked.texts, filters, [row.meta], [row.text])[0]
    told = [
        _step("read", row.text, "read from the source"),
        _step("clean", cleaned, "changed" if cleaned != row.text else "nothing to change"),
        _step("personal data", masked.texts[0], _deleted(masked.personal.get(found["source"], {}))),
        _step("filter", masked.texts[0], "passed" if reason is None else f"dropped: {': '.join(reason)}"),
    ]
    if reason is None:
        told += _later_steps(found, masked.texts[0], corpus)
    before = {"before": row.text} if row.text != found["text"] else {}
    return {**found, **before, "steps": told}


def _step(step: str, text: str, result: str) -> dict[str, Any]:
    return {"step": step, "characters": len(text), "result": result}


def _deleted(deleted: dict[str, int]) -> str:
    return "deleted: " + ", ".join(f"{kind} {count}" for kind, count in deleted.items()) if deleted else "none found"


def _later_steps(found: dict[str, Any], text: str, corpus: CorpusSection) -> Iterator[dict[str, object]]:
    """What was decided by comparing documents, as the finished corpus says it."""
    reason = found.get("reason", "")
    last = "" if found["kept"] else _STEP_OF.get(reason, "decontamination" if ":" in reason else reason)
    for step in STEPS[STEPS.index("exact") :]:
        if step == "quality" and not corpus.quality.enabled:
            continue
        if step == last:
            yield _step(step, found["text"], f"dropped: {reason}: {found['detail']}")
            return
        if step == "boilerplate" and found["text"] != text:
            yield _step(step, found["text"], "repeated lines or sentences were taken out")
            text = found["text"]
        else:
            yield _step(step, text, "passed")


def _read_again(found: dict[str, Any], corpus: CorpusSection) -> Row | None:
    """The document as it stands in its source; None if it is not there any more or comes from another stage.

    Of several with one id the one whose cleaned text is the document's is meant, or else the first.
    """
    source = next((one for one in corpus.sources if one.name == found["source"]), None)
    if source is None or found.get("reason") == "unreadable":
        return None
    wanted = found["id"].partition(_AGAIN)[0]
    first: Row | None = None
    clean = SourceCleaner(corpus)
    for file in source_files(source):
        for row in read_source(source.model_copy(update={"path": str(file)})):
            if row.id != wanted and not row.id.startswith(f"{wanted}#"):
                continue
            first = first or row
            if (
                row.id == found["id"]
                or clean([row.text], [source.name], [row.id], [row.meta]).texts[0] == found["text"]
            ):
                return row
    return first
