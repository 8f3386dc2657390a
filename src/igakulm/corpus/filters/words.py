"""Documents full of the words of advertisements and adult pages.

Does: hold the two lists, find all their words in a batch of documents at once, judge. Does not: know meanings.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from igakulm.corpus.filters.filter import Document, Filter, Finding
from igakulm.recipe.schema import Filters
from igakulm.text.characters import Codes

ADVERTISEMENT_WORDS = (
    "送料無料", "送料込", "激安", "最安値", "格安", "お買い得", "大特価", "特別価格", "限定価格", "初回限定",
    "期間限定", "数量限定", "今だけ", "今すぐ申し込", "業界最安", "ポイント還元", "倍ポイント", "ポイント5倍",
    "ポイント10倍", "クーポン", "通販", "在庫あり", "在庫わずか", "残りわずか", "即日発送", "翌日配送", "全額返金",
    "返金保証", "返品不可", "定期縛り", "個人差があります", "無料登録", "無料会員登録", "会員登録はこちら",
    "登録はこちら", "お申し込みはこちら", "お申込みはこちら", "購入はこちら", "ご注文はこちら", "詳しくはこちら",
    "資料請求", "カートに入れる", "カートを見る", "レビューを見る", "人気ランキング", "セール中", "セール開催",
    "高価買取", "買取価格", "無料査定", "キャッシュバック", "実質0円", "無料で相談", "お見積もりは無料", "コピー品",
    "N級品", "スーパーコピー", "副業", "稼げる", "稼ぐ", "不労所得", "必ず儲かる", "必勝法", "打ち子", "万馬券",
    "完全無料", "オンラインカジノ", "カジノ", "スロット", "パチンコ", "入金不要", "即時出金", "本人確認不要",
    "相互リンク", "お急ぎください", "お見逃しなく", "税込価格",
)  # fmt: skip
"""Words of shops, gambling and easy money: each is rare in prose, several together are an advertisement."""

ADULT_WORDS = (
    "アダルト動画", "アダルトビデオ", "アダルトDVD", "無修正", "エロ動画", "エロ画像", "エッチな", "AV女優",
    "人気女優", "18禁", "見放題", "デリヘル", "ソープランド", "ファッションヘルス", "風俗嬢", "風俗店", "出会い系",
    "即会い", "メル友", "セフレ", "割り切り", "援助交際", "ハメ撮り", "巨乳", "美乳", "熟女", "痴女", "中出し",
    "官能小説",
)  # fmt: skip
"""Words of pornography and dating sites; clinical terms of sexual medicine are left out on purpose."""

_BITS = 16
_MIX = 0x9E3779B1


class WordFinder:
    """Finds fixed words of two characters and more in arrays of code points.

    The first two characters of each place are looked up in a small table, which nearly all places fail; the others
    are compared in full.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.words = tuple(words)
        self._codes = [np.array([ord(character) for character in word], np.uint32) for word in self.words]
        if any(codes.size < 2 for codes in self._codes):
            raise ValueError("a word has fewer than two characters")
        self._table = np.zeros(1 << _BITS, bool)
        for codes in self._codes:
            self._table[_slots(codes[:2])] = True

    def find(self, codes: Codes) -> list[tuple[str, NDArray[np.intp]]]:
        """Each word that occurs, with the positions where it starts."""
        if codes.size < 2:
            return []
        candidates = np.flatnonzero(self._table[_slots(codes)])
        firsts = codes[candidates]
        found = []
        for word, wanted in zip(self.words, self._codes, strict=True):
            places = candidates[firsts == wanted[0]]
            places = places[places + wanted.size <= codes.size]
            for step in range(1, wanted.size):
                if not places.size:
                    break
                places = places[codes[places + step] == wanted[step]]
            if places.size:
                found.append((word, places))
        return found


def _slots(codes: Codes) -> Codes:
    """A number of 16 bits for each two neighbouring characters."""
    return ((codes[:-1] * np.uint32(_MIX)) ^ codes[1:]) * np.uint32(_MIX) >> np.uint32(32 - _BITS)


@cache
def _finder() -> WordFinder:
    return WordFinder(ADVERTISEMENT_WORDS + ADULT_WORDS)


class Words(NamedTuple):
    """How often a document has each word of the two lists."""

    advertisement: dict[str, int]
    adult: dict[str, int]


def count_words(codes: Codes, offsets: NDArray[np.int64]) -> dict[int, Words]:
    """The words of each document that has any; document i starts at offsets[i] of `codes`."""
    counts: dict[int, Words] = {}
    adult = set(ADULT_WORDS)
    for word, places in _finder().find(codes):
        documents, times = np.unique(np.searchsorted(offsets, places, side="right") - 1, return_counts=True)
        for document, count in zip(documents.tolist(), times.tolist(), strict=True):
            words = counts.setdefault(document, Words({}, {}))
            (words.adult if word in adult else words.advertisement)[word] = count
    return counts


def judge(document: Document, filters: Filters) -> Finding | None:
    """Adult words are counted in the document, advertising words for each 1,000 characters (at least 500)."""
    assert document.measured is not None
    advertisement, adult = document.measured.advertisement, document.measured.adult
    if sum(adult.values()) > filters.max_adult_words:
        return "adult", ", ".join(sorted(adult)[:3])
    rate = 1000 * sum(advertisement.values()) / max(len(document.text), 500)
    if rate > filters.max_advertisement_words and len(advertisement) > 1:  # one word alone is what a text is about
        return "advertisement", f"{rate:.1f} for each 1,000 characters: {', '.join(sorted(advertisement)[:3])}"
    return None


FILTER = Filter(
    reasons=("adult", "advertisement"),
    keys=("max_adult_words", "max_advertisement_words"),
    judge=judge,
    order=50,
    needs_measures=True,
)
