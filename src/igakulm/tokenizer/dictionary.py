"""A MeCab user dictionary from the lexicon's names (section 2.2.2: no Neologd, words from Manbyo instead).

Does: spell the names as a cleaned corpus does, choose them, compile them. Does not: segment text, or read lists.
Every name gets the context ids of a common noun of the IPA dictionary and one cost. Costs derived from each name
were measured worse: a fixed 5000 makes 99.9 % of the names one word and moves a border in 0.1 % of other sentences.
"""

from __future__ import annotations

import csv
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import fugashi
import ipadic

from igakulm.errors import InputError
from igakulm.files import atomic_path
from igakulm.synth.term_lists import Term
from igakulm.text.cleaning import clean_texts

_UNFIT = re.compile(r'[\s,"\x00-\x1f▁\u2063\ud800-\udfff]')
"""What cannot stand in a dictionary's CSV, or would be lost because MeCab splits on it."""
COMMON_NOUN = "患者"
FEATURES = ("名詞", "固有名詞", "一般", "*", "*", "*")


def clean_terms(terms: Sequence[Term]) -> list[Term]:
    """Terms spelt as in a cleaned corpus, which is the only spelling that MeCab and the trainer ever see."""
    names = clean_texts([name for term in terms for name in (term.term, term.standard_name)])
    pairs = zip(names[::2], names[1::2], strict=True)
    cleaned = [
        replace(term, term=name, standard_name=standard) for term, (name, standard) in zip(terms, pairs, strict=True)
    ]
    return [term for term in cleaned if term.term]


def lexicon_names(terms: Iterable[Term], *, drugs: bool) -> list[str]:
    """Names for the tokenizer, sorted, once each: terms and their standard names, of drugs only if wanted."""
    chosen = [term for term in terms if drugs or term.kind != "drug"]
    names = {term.term for term in chosen} | {term.standard_name for term in chosen}
    return sorted(names - {""})


def dictionary_names(names: Iterable[str], min_characters: int) -> list[str]:
    """The names that a user dictionary can hold: long enough, no spaces, commas, quotes or control characters.

    >>> dictionary_names(["肺炎", "急性肺炎", "Hodgkin リンパ腫", "1,000単位錠"], 3)
    ['急性肺炎']
    """
    return sorted({name for name in names if len(name) >= min_characters and not _UNFIT.search(name)})


def build_user_dictionary(names: Sequence[str], cost: int, path: Path) -> None:
    """Compile a MeCab user dictionary; the same names and cost give the same bytes.

    Args:
        names: surfaces, as `dictionary_names` returns them.
        cost: word cost of every name, -32768..32767; lower wins more often.
        path: the `.dic` file.

    Raises:
        InputError: no names, a cost out of range, or a build that failed.
    """
    if not names:
        raise InputError("no name of the lexicon fits into a user dictionary", hint="set user_dictionary to false")
    if not -32768 <= cost <= 32767:
        raise InputError(f"a cost of {cost} does not fit into a MeCab dictionary", hint="use -32768..32767")
    left, right = _common_noun_ids()
    with tempfile.TemporaryDirectory(prefix="igakulm-dictionary-") as name:
        folder = Path(name)
        with (folder / "names.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerows((name, left, right, cost, *FEATURES, name, "*", "*") for name in names)
        _compile(folder)
        data = (folder / "names.dic").read_bytes()
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


# fugashi joins its arguments with spaces before it parses them again, hence the second quoting of paths.
_BUILDER = "import sys; from fugashi.cli import build_dict; sys.argv[0] = 'fugashi-build-dict'; build_dict()"


def _compile(folder: Path) -> None:
    """Run the builder in a child process: on an error MeCab ends the process it runs in."""
    command = [sys.executable, "-c", _BUILDER, "-d", shlex.quote(ipadic.DICDIR), "-u", "names.dic", "names.csv"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != 0 or not (folder / "names.dic").is_file():
        reason = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()[-1]
        raise InputError(
            f"MeCab could not build the user dictionary: {reason}",
            hint="check the names in the lexicon's terms.tsv, or set tokenizer.user_dictionary to false",
        )


def _common_noun_ids() -> tuple[int, int]:
    """Left and right context id of a common noun (名詞,一般) in the installed IPA dictionary."""
    tagger = fugashi.GenericTagger(f"{ipadic.MECAB_ARGS} -F'%phl\\t%phr\\n'")
    left, right = tagger.parse(COMMON_NOUN).split("\n")[0].split("\t")
    return int(left), int(right)
