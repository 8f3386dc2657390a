"""Answers held to a constraint, token by token: which tokens may come next, over the bytes of a vocabulary.

Does: follow an answer, say whether a token is allowed and which ones are, see that an answer is complete or goes round.
Does not: run models or choose tokens. An engine that takes the likeliest allowed token at each step gives the same
answer as any other that computes the same probabilities.

Source: llguidance (https://github.com/guidance-ai/llguidance): a trie of all tokens' bytes is walked beside a lexer of
derivatives; a mask over 262,144 tokens takes about 0.1 ms. Substrings of a document are its `substring_chunks`, a
suffix automaton. Grammars are in its dialect of Lark.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from igakulm.errors import InputError
from igakulm.inference.constraint import Constraint, JsonSchema, ListOf, units
from igakulm.inference.json_grammar import lark_of
from igakulm.text.broken import whole_characters
from igakulm.text.lists import goes_round

if TYPE_CHECKING:
    from llguidance import LLMatcher

LOOK_EVERY = 16
"""Tokens between two looks whether a list goes round in circles."""
_OPTIONS = '%llguidance {"no_forcing": true}\n'
"""Else a stretch that has only one way to go on would be split into tokens by llguidance, not by the model."""
_LIST = 'start: "[" (ITEM ("," " "? ITEM)*)? "]"\n'
_ANY_ITEM = (
    r'ITEM: /"([^"\\\x00-\x1F\x7F]|\\(["\\\/bfnrt]|u([0-9a-cA-CefEF][0-9a-fA-F]{3}|[dD][0-7][0-9a-fA-F]{2})))*"/' "\n"
)
_SPECIAL = b"\xff"
"""Begins the stand-in for a token without text; no text in UTF-8 holds this byte."""


class Guide:
    """Masks over one vocabulary; building it takes 2 s for 262,144 tokens, a matcher of it some ms.

    Args:
        tokens: UTF-8 bytes that each token stands for, by id; b"" for control tokens, which are never allowed (those
            that end an answer apart).
    """

    def __init__(self, tokens: Sequence[bytes]) -> None:
        from llguidance import LLTokenizer, TokenizerWrapper

        self._tokens = tokens
        vocabulary = _Vocabulary(tokens)
        self._trie = LLTokenizer(
            TokenizerWrapper(vocabulary), n_vocab=len(vocabulary.tokens), slices=LLTokenizer.json_slices()
        )

    def matcher(self, constraint: Constraint, stop: Sequence[int] = ()) -> Matcher:
        """A matcher at the beginning of an answer; `stop`: ids that end an answer, allowed where it is complete.

        Raises:
            InputError: a schema that cannot be promised.
        """
        from llguidance import LLMatcher

        matcher = LLMatcher(self._trie, LLMatcher.grammar_from_lark(_OPTIONS + _grammar(constraint)), log_level=0)
        if matcher.is_error():
            raise InputError(f"answers cannot be held to this: {matcher.get_error()[:300]}")
        return Matcher(matcher, self._tokens, stop, watch=isinstance(constraint, ListOf))


class _Vocabulary:
    """What llguidance asks of a tokenizer. It never has to encode here: constraints are on bytes.

    One entry is added at the end, for the token that llguidance wants as the end of an answer.
    """

    bos_token_id = None

    def __init__(self, tokens: Sequence[bytes]) -> None:
        self.eos_token_id = len(tokens)
        self.special_token_ids = [*(number for number, data in enumerate(tokens) if not data), self.eos_token_id]
        self.tokens = [data or _SPECIAL + b"<%d>" % number for number, data in enumerate([*tokens, b""])]

    def __call__(self, text: str | bytes) -> list[int]:
        return []


class Matcher:
    """One answer on its way; see `Guide.matcher`.

    Attributes:
        ended: nothing can follow: the answer is complete, or goes round in circles, or no token continues it.
    """

    def __init__(self, matcher: LLMatcher, tokens: Sequence[bytes], stop: Sequence[int], *, watch: bool) -> None:
        self._matcher, self._tokens, self._stop = matcher, tokens, frozenset(stop)
        self._made = bytearray() if watch else None
        self._count = 0
        self.ended = False

    def allows(self, token: int) -> bool:
        """Whether the answer can go on with a token, or end with one that ends answers."""
        if self.ended:
            return False
        if token in self._stop or not self._text_of(token):
            return token in self._stop and self._matcher.is_accepting()
        return bool(self._matcher.validate_tokens([token]))

    def allowed(self) -> bytearray:
        """Which tokens can come next: a byte for each of the vocabulary, 0 where it cannot."""
        mask = bytearray(self._matcher.compute_logit_bias())[: len(self._tokens)]
        for token in self._stop:
            if token < len(mask):
                mask[token] = self._matcher.is_accepting()
        return mask

    def take(self, token: int) -> bool:
        """Go on with an allowed token; whether the answer has ended with it.

        Raises:
            ValueError: it is not allowed.
        """
        if self.ended or not self._matcher.consume_token(token):
            raise ValueError(f"token {token} is not allowed here")
        self._count += 1
        self.ended = self._matcher.is_stopped() or self._in_circles(token)
        return self.ended

    def _in_circles(self, token: int) -> bool:
        if self._made is None:
            return False
        self._made += self._tokens[token]
        return self._count % LOOK_EVERY == 0 and goes_round(self._made.decode("utf-8", "replace"))

    def _text_of(self, token: int) -> bytes:
        return self._tokens[token] if token < len(self._tokens) else b""


def _grammar(constraint: Constraint) -> str:
    if isinstance(constraint, JsonSchema):
        return lark_of(constraint.schema)
    if constraint.document is None:
        return _LIST + _ANY_ITEM
    return _LIST + _item_of(whole_characters(constraint.document))


def _item_of(document: str) -> str:
    """An item as runs of whole units of a document, written as JSON writes them; never empty."""
    chunks = [json.dumps(unit, ensure_ascii=False)[1:-1] for unit in units(document)]
    if not chunks:
        return "ITEM: /[^\\x00-\\U0010FFFF]/\n"  # nothing stands in an empty text
    runs = json.dumps({"substring_chunks": chunks}, ensure_ascii=False)
    return f'ITEM: "\\"" TEXT "\\""\nTEXT: RUN & /(.|\\n)+/\nRUN: %regex {runs}\n'
