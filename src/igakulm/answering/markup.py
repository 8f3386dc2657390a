"""A free answer without its markup: control tokens, answer tags, code fences, LaTeX, HTML, bullets, JSON around it.

Does: clean a text in the one way that the readers of options and numbers share. Does not: read anything in it.
"""

from __future__ import annotations

import re
import unicodedata

from igakulm.text.literals import MAX_CHARACTERS, json_or_literal

_TOKENS = re.compile(
    r"<\|[^|<>\n]{1,40}\|>|</?s>|<(?:end_of_turn|eos|eot|start_of_turn)>"
    r"|[(\[【](?:終了|終わり|終|以上|end|eos|完)[)\]】]\s*$",
    re.IGNORECASE,
)
_TAGGED = re.compile(r"<(answer|final|final_answer|回答|答え)>(.*?)(?:</\1>|$)", re.DOTALL | re.IGNORECASE)
_HTML = re.compile(r"<(b|i|u|em|strong|p|span|div)(?:\s[^<>]{0,40})?>(.*?)</\1>", re.DOTALL | re.IGNORECASE)
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_DIALOGUE = re.compile(r"^\s*Q\s*[:.][^\n]*\n\s*A\s*[:.]")
_FLOW = re.compile(r"```[a-zA-Z]*\n(?:[^`\n]*\n){0,20}?[^`\n]*[↓→↑⬇⇒][^`]*```")
"""A chart of steps in a code block: its lines are no answers."""
_FENCE = re.compile(r"```[a-zA-Z]*\n?|`+")
_LATEX = re.compile(r"\\(?:text|mathrm|textbf|mathbf|textit|rm|bf)\s*\{([^{}]*)\}")
_MATH = re.compile(r"\$+|\\[()\[\]]")
_BULLET = re.compile(
    r"^[ \t]*(?:[-*+>・•●◦▪■□◆◇※★☆→➡⇒▶👉]|#{1,6}(?= ))+[ \t]*",
    re.MULTILINE,
)
_MARKUP = re.compile("[\U0001f000-\U0001faff]|" + r"\*+|__+|✅️?|☑️?|(?<=\s)_|_(?=\s)")
_BOXED = re.compile(r"\\boxed\s*\{([^{}]*)\}")
_ANSWER_KEY = re.compile(
    r"^(?:final_?|correct_?|my_?|selected_?|best_?|chosen_?)*"
    r"(?:answer|choice|option|label|letter|selected|selection)$|答え?$|正解|選択"
)


def unwrapped(text: str) -> str:
    """The text in one width (NFKC), without control tokens, HTML and LaTeX fonts; of answer tags only the last content.

    >>> unwrapped("考えた。<answer>Ｃ</answer><|im_end|>")
    'C'
    """
    text = unicodedata.normalize("NFKC", text)
    if tags := _TAGGED.findall(text):
        text = tags[-1][1]
    text = _FLOW.sub("\n", text)
    text = _BREAK.sub("\n", _TOKENS.sub("\n", text)).strip()
    return _DIALOGUE.sub("答え:", _LATEX.sub(r"\1", _HTML.sub(r"\2", text)))


def plain(text: str) -> str:
    """An unwrapped text without fences, mathematics signs, bullets, emphasis and emoji.

    >>> plain("**C**"), plain("- C\\n- D")
    ('C', 'C\\nD')
    """
    text = _MATH.sub(" ", _FENCE.sub("", text))
    return _MARKUP.sub("", _BULLET.sub("", text)).strip()


def bulleted(text: str) -> list[list[str]]:
    """The lists of an unwrapped text, of two lines and more, each line as `plain` gives it.

    >>> bulleted("はい\\n- C\\n- D\\n以上")
    [['C', 'D']]
    """
    found: list[list[str]] = [[]]
    for line in text.split("\n"):
        if _BULLET.match(line):
            found[-1].append(plain(line))
        elif line.strip() and found[-1]:
            found.append([])
    return [lines for lines in found if len(lines) > 1]


def boxes(text: str) -> tuple[list[str], str]:
    r"""What stands in LaTeX boxes, and the text with the boxes opened.

    >>> boxes(r"よって \boxed{C}")
    (['C'], 'よって  C ')
    """
    return [plain(box) for box in _BOXED.findall(text)], _BOXED.sub(r" \1 ", text)


def json_answer(text: str) -> list[str] | None:
    """What a JSON object or list gives as the answer ([] = none); None where the text holds neither.

    >>> json_answer('{"reason": "頻脈", "answer": "C"}'), json_answer("答えはC")
    (['C'], None)
    """
    text = _FENCE.sub("", text).strip()
    candidates = [text] if text[:1] in ("[", "{") else []
    if text.find("{") > 0 and text.count("{") == 1 and "\\boxed" not in text:
        candidates.append(text[text.find("{") : text.rfind("}") + 1])
    for candidate in candidates:
        value = json_or_literal(candidate) if len(candidate) <= MAX_CHARACTERS else None
        if not isinstance(value, (dict, list)):
            continue
        if isinstance(value, dict):
            known = {str(key).strip().lower(): entry for key, entry in value.items()}
            value = next((entry for key, entry in known.items() if _ANSWER_KEY.search(key)), None)
        entries = value if isinstance(value, list) else [value]
        return [str(entry) for entry in entries if isinstance(entry, (str, int, float)) and not isinstance(entry, bool)]
    return None
