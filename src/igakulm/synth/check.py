"""Is an answer a usable Japanese text about its term? One reason code for each way in which it is not.

Does: tidy an answer (reasoning, code fences, mark-up) and name the first defect. Does not: judge medical truth.
The order of the checks is from what says most about the answer to what says least: a refusal is also too short and
misses the term, and a text that loops is also cut off.
"""

from __future__ import annotations

import functools
import re
import sys
import unicodedata
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from igakulm.synth.prompts import RULES, SYSTEM
from igakulm.text.broken import whole_characters
from igakulm.text.ngrams import Hashes, ngram_hashes

MIN_CHARACTERS = 100
MIN_CHARACTERS_OF_A_LANGUAGE = 20
MIN_JAPANESE_SHARE = 0.5
MIN_HIRAGANA_SHARE = 0.15
MAX_FOREIGN_KANJI = 3
MIN_DISTINCT_SHARE = 0.7
MAX_REPEATED_SENTENCES = 0.3
NGRAM = 10

REASONS = (
    "broken_characters",
    "chatter",
    "prompt_echo",
    "not_japanese",
    "too_short",
    "repetition",
    "cut_off",
    "term_missing",
)

_REASONING = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)
_FENCED = re.compile(r"\A```[^\n]*\n(.*?)\n?```\Z", re.DOTALL)
_MARK_UP = re.compile(r"^#{1,6}[ \t\u3000]+|\*\*|^-{3,}$|[ \t\u3000]+$", re.MULTILINE)
_HIRAGANA = ((0x3041, 0x3096),)
_OTHER_JAPANESE = ((0x30A1, 0x30FA), (0x30FC, 0x30FC), (0x3005, 0x3006), (0xF900, 0xFAFF), (0x20000, 0x3FFFF))
_KANJI = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF))
_BROKEN = re.compile("[\ufffd\ue000-\uf8ff\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_SENTENCE = re.compile(r"[^。！？\n]+")
_LOOP = re.compile(r"(.{2,60}?)\1{5,}", re.DOTALL)
_PERIOD = 60  # the longest piece of a loop
_ASKED = tuple(piece for piece in re.split(r"\{[a-z]+\}|[\n。・]", f"{SYSTEM}{RULES}") if len(piece) >= 15)
_CLOSED = tuple("。．.！？!?」』）)】〕］]…")

# Narrow on purpose: patients, nurses and teachers in a textbook may apologise, answer and offer help as well.
_CHATTER_START = re.compile(
    r"(はい[、,。！]|もちろん|承知|了解|かしこまり|わかりました|分かりました|申し訳|すみません|ありがとう|ご依頼|ご質問"
    r"|(以下|下記|次)(は|に|が|の).{0,40}(文章|本文|解説|説明|項目|一節|対話|教科書|まとめ).{0,20}(ます|です)[。：:]"
    r"|sure\b|certainly|of course|here('s| is| are)|i'm sorry|i am sorry|i cannot|i can't|okay|as an ai)",
    re.IGNORECASE,
)
_CHATTER_ANYWHERE = re.compile(
    r"(言語モデル(として|である|なので|ですので)|AI(アシスタント|モデル|として)|お答え(でき|することはでき|いたしかね)"
    r"|(ご要望|ご依頼|ご指示|リクエスト)に(応え|お応え|沿って|従って|基づいて)|お役に立てれば|参考になれば幸い"
    r"|さらに詳しい(情報|説明)が必要.{0,12}(お知らせ|教えて|お申し付け)|いかがでしょうか。?\Z|文字数[：:]"
    r"|as an ai|language model|</?think>|<\|[a-z_]+\|>|\[/?INST\]|</s>|\A(assistant|user)[：:])",
    re.IGNORECASE,
)


def clean_answer(text: str) -> str:
    """The text of an answer without reasoning, code fence and Markdown; line ends unified, blank lines single.

    >>> clean_answer("<think>考える</think>\\n```markdown\\n## 概要\\n**脳梗塞**は病気である。\\n```\\n")
    '概要\\n脳梗塞は病気である。'
    """
    return re.sub(r"\n{3,}", "\n\n", _MARK_UP.sub("", tidy_answer(text))).strip()


def tidy_answer(text: str) -> str:
    """The text of an answer without reasoning and a code fence around it; its mark-up stays.

    >>> tidy_answer("```json\\n{}\\n```")
    '{}'
    """
    # A server's JSON may hold halves of surrogate pairs, which no file can.
    text = unicodedata.normalize("NFC", whole_characters(text).replace("\r\n", "\n").replace("\r", "\n"))
    text = _REASONING.sub("", text).strip()
    fenced = _FENCED.match(text)
    return (fenced[1] if fenced else text).strip()


def check_text(text: str, term: str, finish_reason: str = "stop") -> str | None:
    """The first defect of a cleaned text as a code of `REASONS`, or None when it may be kept.

    >>> check_text("申し訳ありませんが、お答えできません。", "糖尿病")
    'chatter'
    >>> check_text("糖尿病是一种慢性疾病，患者的血糖水平长期升高。" * 6, "糖尿病")
    'not_japanese'
    """
    checks: dict[str, Callable[[], bool]] = {
        "broken_characters": lambda: is_broken(text),
        "chatter": lambda: is_chatter(text),
        "prompt_echo": lambda: is_echo(text),
        # A few characters do not tell their language: the name of a disease alone has no hiragana.
        "not_japanese": lambda: len(text) >= MIN_CHARACTERS_OF_A_LANGUAGE and not is_japanese(text),
        "too_short": lambda: len("".join(text.split())) < MIN_CHARACTERS,
        "repetition": lambda: is_repetitive(text, term),
        "cut_off": lambda: is_cut_off(text, finish_reason),
        "term_missing": lambda: not holds_term(text, term),
    }
    return next((reason for reason in REASONS if checks[reason]()), None)


def is_broken(text: str) -> bool:
    """True for control characters, halves of characters, private use and the replacement character."""
    return _BROKEN.search(text) is not None


def holds_term(text: str, term: str) -> bool:
    """Whether the term stands in the text, whatever its width, case, spaces and hyphens.

    >>> holds_term("ＡＤＨＤの診断", "adhd")
    True
    """
    return _bare(term) in _bare(text)


def is_chatter(text: str) -> bool:
    """True for refusals, greetings, remarks of an assistant, and control tokens of chat formats.

    >>> is_chatter("はい、承知しました。"), is_chatter("はいがん患者は咳を訴える。")
    (True, False)
    """
    return _CHATTER_START.match(text) is not None or _CHATTER_ANYWHERE.search(text) is not None


def is_echo(text: str) -> bool:
    """True when the text repeats a sentence of what was asked, as models without instruction tuning do.

    >>> is_echo("・見出し記号や強調記号などの書式記号、前置き、挨拶、執筆者としての断り書きは書かない。")
    True
    """
    return any(piece in text for piece in _ASKED)


def is_japanese(text: str) -> bool:
    """True when kana and kanji dominate, hiragana stands among them, and (almost) all kanji are in JIS X 0213.

    The last rule finds the simplified Chinese into which multilingual models slip in the middle of a text.

    >>> is_japanese("発熱と咳が続く。"), is_japanese("Fever and cough."), is_japanese("患者的血糖水平长期升高")
    (True, False, False)
    """
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    _, hiragana, others, foreign = np.bincount(_letter_classes()[codes], minlength=4).tolist()
    japanese = hiragana + others + foreign
    if japanese < MIN_JAPANESE_SHARE * len("".join(text.split())):
        return False
    return bool(hiragana >= MIN_HIRAGANA_SHARE * japanese and foreign <= MAX_FOREIGN_KANJI)


@functools.cache
def _letter_classes() -> NDArray[np.uint8]:
    """Of each code point: 1 for hiragana, 2 for katakana and kanji, 3 for kanji that JIS X 0213 lacks, 0 for others."""
    classes = np.zeros(sys.maxunicode + 1, np.uint8)
    for number, ranges in ((1, _HIRAGANA), (2, (*_OTHER_JAPANESE, *_KANJI))):
        for first, last in ranges:
            classes[first : last + 1] = number
    for first, last in _KANJI:
        classes[[code for code in range(first, last + 1) if not _in_jis(chr(code))]] = 3
    return classes


def _in_jis(kanji: str) -> bool:
    try:
        kanji.encode("euc_jis_2004")
    except UnicodeEncodeError:
        return False
    return True


def is_repetitive(text: str, term: str = "") -> bool:
    """True for loops: a piece six times in a row, sentences said again, or few distinct character 10-grams.

    The term itself, which may be long and must occur, counts as one character.

    >>> is_repetitive("血圧が上がる。" * 20), is_repetitive("塩分は血圧を上げる。減塩は血圧を下げる。")
    (True, False)
    """
    text = text.replace(term, "\u25a0") if term else text
    grams = ngram_hashes(text, NGRAM)
    repeats = _count_repeats(grams)
    if repeats and _loops(text, grams):
        return True
    sentences = [sentence.strip() for sentence in _SENTENCE.findall(text) if len(sentence.strip()) >= NGRAM]
    total = sum(map(len, sentences))
    if total - sum(map(len, dict.fromkeys(sentences))) > MAX_REPEATED_SENTENCES * total:
        return True
    return grams.size - repeats < MIN_DISTINCT_SHARE * grams.size


def _count_repeats(grams: Hashes) -> int:
    """How many n-grams stand in the text before."""
    ordered = np.sort(grams)
    return int(np.count_nonzero(ordered[1:] == ordered[:-1]))


def _loops(text: str, grams: Hashes) -> bool:
    """Whether a piece that says something stands six times in a row.

    Every n-gram within a loop comes again after one piece, so that the slow expression need only look at the part of
    the text that holds such n-grams; few texts have any.
    """
    order = np.argsort(grams, kind="stable")
    again = grams[order[1:]] == grams[order[:-1]]
    near = again & (order[1:] - order[:-1] <= _PERIOD)
    if not near.any():
        return False
    part = text[int(order[:-1][near].min()) : int(order[1:][near].max()) + NGRAM]
    return any(not set(loop[1]) <= set(" \n-‐―─…・.。=＝_") for loop in _LOOP.finditer(part))


def is_cut_off(text: str, finish_reason: str = "stop") -> bool:
    """True when the server says so, or the last line is a sentence without an end; a short list item may lack one.

    >>> is_cut_off("水分を取る。", "length"), is_cut_off("水分を取る。"), is_cut_off("十分な水分を取り、")
    (True, False, True)
    """
    if finish_reason in ("length", "max_tokens"):
        return True
    last = text.rstrip().rpartition("\n")[2]
    if last.endswith(_CLOSED):
        return False
    return len(last) >= 20 or last.endswith(("、", ",", "，", "：", ":"))


def _bare(text: str) -> str:
    """For comparing names: width and case folded, white space and joining marks gone."""
    return re.sub(r"[\s・･\-‐‑–−]", "", unicodedata.normalize("NFKC", text)).casefold()
