"""Characters that are none: halves of surrogate pairs, which no file and no tokenizer can hold.

Does: make whole what can be, mark the rest. Does not: look for other damage (cleaning.py does).
"""

from __future__ import annotations

REPLACEMENT = "\ufffd"


def whole_characters(text: str) -> str:
    """The text with both halves of a pair as their character, and a half that stands alone as U+FFFD.

    Halves come from escapes in JSON and Python literals, and from bytes that were decoded with `surrogateescape`.

    >>> whole_characters("a" + chr(0xD83D)) == "a" + REPLACEMENT, whole_characters(chr(0xD83D) + chr(0xDE00))
    (True, '😀')
    """
    try:
        text.encode()  # as quick as a copy, and most texts hold none
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
