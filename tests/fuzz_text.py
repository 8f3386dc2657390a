"""Texts that break tokenizers, from a seed: the same on every machine."""

import random
from collections.abc import Iterator

CONTROL = ("<|begin_of_text|>", "<|end_of_text|>", "<|system|>", "<|user|>", "<|assistant|>")
SPELLINGS = (
    *CONTROL, "<unk>", "<s>", "</s>", "<pad>", "<0x00>", "<0x0A>", "<0x41>", "<0x81>", "<0xE3><0x81><0x82>",
    "<0xFF>", "<|im_start|>", "<|endoftext|>", "[INST]", "⁇", " ⁇ ",
)  # fmt: skip
NEAR_MISSES = (
    "<|user|", "|user|>", "<|user>", "<user|>", "<|usr|>", "< |user|>", "<| user|>", "<|USER|>", "<||user||>",
    "<|<|user|>", "<|us<|user|>er|>", "＜｜user｜＞", "<｜user｜>", "〈|user|〉", "<|user|\u200b>", "<0x4>",
    "<0x4G>", "<0x041>", "<0X41>", "<0xe3>", "0x41>", "<0x41", "<unk", "unk>", "<UNK>", "<S>", "<|end_of_text|",
    "<|end_of_text|><|", "|>", "<|", "<", "▁user",
)  # fmt: skip
FRAGMENTS = (
    "患者は", "急性心筋梗塞", "2型糖尿病", "の診断で入院し、", "アスピリン腸溶錠100mg", "体温は37.2℃",
    "血圧は128/76mmHg", "。", "、", "「はい」", "The bus number 3", " goes to ", "WBC 6,800/μL", "±0.5", "である",
    "図書館", "10^3", "5 mg", "  ", " ", "　", "\n", "\n\n", "\t", "\r", "\r\n", "\0", "\v\f", "\x1b[31m", "\x7f",
    "\x85", "\u2028", "\u2029", "\u00a0", "\u00ad", "\u200b", "\u200d", "\u2060", "\ufeff", "\u202e", "▁", "▁▁",
    " ▁ ", "\u2063", "\u2063\u2063", "👨‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "🇯🇵", "e\u0301", "か\u3099", "は\u309a",
    "\u0301", "葛\U000e0100", "辻\ufe00", "𠮟", "𩸽", "頰", "囊", "﨑", "㍉", "㎎", "ｶﾞ", "①", "Ⅳ", "ﬁ", "ß", "İ",
    "ǆ", "한국어", "עברית", "ไทย", "\ud7ff", "\ue000", "\uf8ff", "\ufdd0", "\ufffd", "\ufffe", "\uffff",
    "\U00010000", "\U0001fffe", "\U000f0000", "\U0010ffff",
)  # fmt: skip
RANGES = (
    (0x00, 0x7F), (0x80, 0xFF), (0x100, 0x24F), (0x300, 0x36F), (0x370, 0x3FF), (0x2000, 0x206F), (0x2100, 0x21FF),
    (0x3000, 0x30FF), (0x4E00, 0x9FFF), (0x4E00, 0x50FF), (0xD700, 0xD7FF), (0xE000, 0xE0FF), (0xFF00, 0xFFEF),
    (0x1F300, 0x1FAFF), (0x20000, 0x2A6DF), (0x10FF00, 0x10FFFF),
)  # fmt: skip


def fuzz_texts(count: int, seed: int) -> Iterator[str]:
    """Mixed scripts, controls, spellings of special tokens, and runs up to a few thousand characters."""
    chance = random.Random(seed)
    for _ in range(count):
        yield "".join(_part(chance) for _ in range(chance.randint(0, 14)))


def _part(chance: random.Random) -> str:
    kind = chance.random()
    if kind < 0.45:
        return chance.choice(FRAGMENTS)
    if kind < 0.6:
        return chance.choice(SPELLINGS if kind < 0.53 else NEAR_MISSES)
    if kind < 0.65:  # a spelling with one character lost, doubled or changed
        spelling = chance.choice(SPELLINGS)
        place = chance.randrange(len(spelling))
        middle = chance.choice(("", spelling[place] * 2, "|", "x", " "))
        return spelling[:place] + middle + spelling[place + 1 :]
    if kind < 0.66:
        unit = chance.choice((chance.choice(FRAGMENTS), chance.choice(SPELLINGS), "あ", "ー", "x", "0", "！", "草"))
        return unit * chance.choice((2, 7, 33, 400, 1500))
    low, high = chance.choice(RANGES)
    return "".join(chr(chance.randint(low, high)) for _ in range(chance.randint(1, 6)))
