"""Loss-free word segmentation with MeCab (section 2.2.2).

Does: split text into words so that joining them gives the text back, with an optional user dictionary, and with
chains of function words as one word if wanted. Does not: build dictionaries (dictionary.py), count words or know
tokens. MeCab swallows white space; here it is glued to the word after it, and a newline is a word of its own.
vibrato gives the same words 1.4 times as fast, but has to be fed the IPA dictionary turned back into 60 MB of text,
which takes a minute; counting is not what training waits for, so there is MeCab alone.
"""

from __future__ import annotations

import re
import shlex
import struct
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from itertools import chain, repeat
from pathlib import Path

import fugashi
import ipadic

from igakulm.errors import InputError
from igakulm.tokenizer.chains import WORD_FORMAT, is_function_word, join_chains

_SENTENCE = re.compile(r"[^\n。]{1,2000}。?|。|\n")
"""A piece for MeCab: up to 。 and never longer than 2,000 characters, so that its lattice stays small."""
_MAGIC, _VERSION, _USER_DICTIONARY = 0xEF718F77, 102, 1


class Segmenter:
    """One MeCab tagger (IPA dictionary). Not thread-safe; one a process.

    Args:
        user_dictionary: a compiled MeCab user dictionary, or None.
        merge_function_words: runs of particles, auxiliaries and light verbs are one word (chains.py).

    Raises:
        InputError: the user dictionary is missing, truncated, or was built for another system dictionary.
    """

    def __init__(self, user_dictionary: Path | None = None, merge_function_words: bool = False) -> None:
        self._merge = merge_function_words
        output = f"-F'{WORD_FORMAT}'" if merge_function_words else "-Owakati"
        arguments = f"{ipadic.MECAB_ARGS} {output}"
        if user_dictionary is not None:
            check_user_dictionary(user_dictionary)
            arguments += f" {_user_dictionary_argument(user_dictionary)}"
        self._tagger = fugashi.GenericTagger(arguments)

    def words(self, text: str) -> list[str]:
        r"""Split text; `"".join(words(text)) == text` for every text without lone surrogates.

        >>> Segmenter().words("糖尿病の 患者。\n次")
        ['糖尿', '病', 'の', ' 患者', '。', '\n', '次']
        """
        words: list[str] = []
        for sentence in _SENTENCE.findall(text):
            if sentence == "\n":
                words.append(sentence)
            else:
                self._add_words(sentence, words)
        return words

    def _add_words(self, sentence: str, words: list[str]) -> None:
        # MeCab reads a C string, so a NUL would end it; a space is dropped and found again by the alignment.
        readable = sentence.replace("\0", " ") if "\0" in sentence else sentence
        output = self._tagger.parse(readable)
        if not self._merge:
            words += _aligned(sentence, output.split(" "))
            return
        # The tagger strips its output, so that the first surface may be empty.
        rows = [row for line in output.split("\n") if (row := line.rpartition("\t"))[0]]
        kinds = chain((is_function_word(features) for _, _, features in rows), repeat(False))
        words += join_chains(zip(_aligned(sentence, [surface for surface, _, _ in rows]), kinds, strict=False))


def _aligned(sentence: str, surfaces: list[str]) -> Iterator[str]:
    """The surfaces with what MeCab dropped before each; joined they are the sentence."""
    start = 0
    for word in surfaces:
        if not word:
            continue
        end = sentence.find(word, start) + len(word)
        if end < start + len(word):  # MeCab returned something that is not in the text: keep the rest whole
            break
        yield sentence[start:end]
        start = end
    if start < len(sentence):
        yield sentence[start:]


def check_user_dictionary(path: Path) -> None:
    """Make sure that MeCab can open a user dictionary.

    MeCab checks little and may abort the whole process on a broken file: its header is read here, then the file is
    opened once in a child process.

    Raises:
        InputError: missing, truncated or foreign file.
    """
    hint = "build the tokenizer again, or copy the whole folder again"
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError("the user dictionary cannot be read", where=str(path), hint=hint) from error
    if len(data) < 72:
        raise InputError("this is not a MeCab dictionary", where=str(path), hint=hint)
    magic, version, kind, _, left, right, *sections = struct.unpack_from("<9I", data)
    if version != _VERSION or kind != _USER_DICTIONARY or not data[40:72].startswith(b"utf"):
        raise InputError("this is not a MeCab user dictionary", where=str(path), hint=hint)
    if magic ^ _MAGIC != len(data) or 72 + sum(sections) != len(data):
        raise InputError("the user dictionary is truncated or damaged", where=str(path), hint=hint)
    if (left, right) != _system_context_sizes():
        raise InputError("the user dictionary was built for another system dictionary", where=str(path), hint=hint)
    stamp = path.stat()
    if not _opens(str(path), stamp.st_mtime_ns, stamp.st_size):
        raise InputError("MeCab cannot open the user dictionary", where=str(path), hint=hint)


@cache
def _opens(path: str, _modified: int, _size: int) -> bool:
    """Whether a child process can parse a sentence with the dictionary; remembered until the file changes."""
    script = "import sys, fugashi; fugashi.GenericTagger(sys.argv[1]).parse('患者の血圧')"
    arguments = f"{ipadic.MECAB_ARGS} {_user_dictionary_argument(Path(path))}"
    done = subprocess.run([sys.executable, "-c", script, arguments], capture_output=True, check=False)
    return done.returncode == 0


@cache
def _system_context_sizes() -> tuple[int, int]:
    with (Path(ipadic.DICDIR) / "sys.dic").open("rb") as file:
        left, right = struct.unpack_from("<2I", file.read(72), 16)
    return left, right


def _user_dictionary_argument(path: Path) -> str:
    """`-u FILE`: MeCab reads the value as a line of CSV, so that commas need the inner quotes."""
    escaped = str(path.resolve()).replace('"', '""')
    return "-u " + shlex.quote(f'"{escaped}"')
