"""report.json of the tokenizer stage as a typed model.

Does: define and read it. Does not: measure (report.py), or write (build_tokenizer.py, adopt.py).
"""

from __future__ import annotations

from pydantic import Field

from igakulm.stored import Figure, Part, Stored

REPORT = "report.json"


class Vocabulary(Part):
    """`base_size` without, `size` with the tokens of conversations; `runtime`: "plain", or "mecab" if it is needed."""

    runtime: str = ""
    base_size: int | None = None
    size: int | None = None


class TrainedOn(Part):
    """What the vocabulary was trained on; `bytes` by kind of text."""

    bytes: dict[str, int] = Field(default_factory=dict)
    word_types: int | None = None
    names: int | None = None
    user_dictionary_names: int | None = None


class UserDictionary(Part):
    """What the user dictionary does to MeCab: names that are one word in a sentence, borders moved in other text."""

    one_word_share: Figure = None
    moved_border_share: Figure = None


class Compression(Part):
    """Characters and bytes a token on text that training did not see."""

    tokens: int | None = None
    characters_per_token: Figure = None
    bytes_per_token: Figure = None


class BrokenCharacter(Part):
    """A character without a token of its own."""

    character: str = ""
    code_point: str = ""
    count: int | None = None


class ByteFallback(Part):
    """Share of the tokens that are single bytes, and the characters that they come from, most frequent first."""

    token_share: Figure = None
    worst_characters: tuple[BrokenCharacter, ...] = ()


class Names(Part):
    """Names of one kind: share that is one token, that is one word of MeCab."""

    names: int | None = None
    one_token_share: Figure = None
    tokens_per_name: Figure = None
    one_mecab_word_share: Figure = None


class Agreement(Part):
    """Share of the sentences that MeCab at run time would split alike."""

    same_share: Figure = None


class TokenizerReport(Stored):
    """report.json; `samples` are sentences as pairs of text and number of tokens."""

    vocabulary: Vocabulary = Vocabulary()
    training: TrainedOn = TrainedOn()
    user_dictionary: UserDictionary = UserDictionary()
    compression: dict[str, Compression | None] = Field(default_factory=dict)
    byte_fallback: ByteFallback | None = None
    names: dict[str, Names] = Field(default_factory=dict)
    mecab_agreement: Agreement = Agreement()
    samples: tuple[tuple[tuple[str, int], ...], ...] = ()
