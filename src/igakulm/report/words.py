"""The words of report, Markdown, model card and page, in Japanese and English (words.toml holds them).

Does: give a sentence with its values filled in, and the names of models, metrics, ways of answering and splits. Does
not: know any figure.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import get_args

from igakulm.report.numbers import Language, shortened

LANGUAGES: tuple[Language, ...] = get_args(Language)
_FOLD = re.compile(r"fold-(\d+)-of-(\d+)")
_FOLDS = re.compile(r"(\d+)-fold")


class Words:
    """All words in one language."""

    def __init__(self, language: Language, texts: Mapping[str, str]) -> None:
        self.language = language
        self._texts = texts

    def __call__(self, key: str, **values: object) -> str:
        """The sentence of a key, with its values filled in."""
        return self._texts[key].format(**values) if values else self._texts[key]

    def known(self, group: str, code: str) -> str | None:
        """What a code of a group is called; None for one that is not ours."""
        return self._texts.get(f"{group}.{code}")

    def codes(self, group: str) -> list[str]:
        """The codes of a group that has names and meanings, in the order of the words."""
        return [key.split(".")[1] for key in self._texts if key.startswith(f"{group}.") and key.endswith(".meaning")]

    def named(self, group: str, code: str) -> str:
        """The same; a code that is not ours is shown as it is, shortened.

        >>> words("ja").named("reason", "too_short"), words("ja").named("reason", "own_rule")
        ('短すぎる', 'own_rule')
        """
        return self.known(group, code) or shortened(code)

    def listed(self, values: Iterable[object]) -> str:
        """Values one after another.

        >>> words("ja").listed(["CC0-1.0", "CC BY 4.0"])
        'CC0-1.0、CC BY 4.0'
        """
        return self("comma").join(str(value) for value in values)

    def model(self, model: str) -> str:
        """A model or baseline; of "tuned @ first-run" the part before the @ is translated.

        >>> [words("ja").model(name) for name in ("tuned", "tuned @ first-run", "gemma")]
        ['調整後モデル', '調整後モデル（first-run）', 'gemma']
        """
        name, at, source = model.partition(" @ ")
        known = self.known("model", name)
        return shortened(self("brackets", text=known, more=source) if at and known else known or model)

    def metric(self, metric: str) -> str:
        """A metric; the micro average of a known one is marked."""
        name = metric.removesuffix("_micro")
        found = self.known("metric", f"{name}.name") or shortened(name)
        return self("brackets", text=found, more=self("metric.micro")) if metric.endswith("_micro") else found

    def mode(self, mode: str) -> str:
        """A way of answering."""
        return self.known("mode", f"{mode}.name") or shortened(mode)

    def style(self, style: str, wording: str = "") -> str:
        """A layout of the prompt; `wording` says whose sentences stood in the published one.

        >>> words("ja").style("published", "own"), words("ja").style("published", "given")
        ('公表の配置・自作の指示文', '公表の配置・与えられた指示文')
        """
        return self.known("style", f"{style_key(style, wording)}.name") or shortened(style)

    def split(self, split: str) -> str:
        """A split.

        >>> words("ja").split("fold-2-of-5"), words("ja").split("test @ ward")
        ('5分割の2番目', '試験問題（ward）')
        """
        name, at, source = split.partition(" @ ")
        if at:
            return self("brackets", text=self.split(name), more=shortened(source))
        if fold := _FOLD.fullmatch(name):
            return self("split.one_fold", part=fold[1], parts=fold[2])
        if folds := _FOLDS.fullmatch(name):
            return self("split.folds", parts=folds[1])
        return self.known("split", f"{name}.name") or shortened(name)

    def split_meaning(self, split: str, *, complete: bool = False) -> str:
        """What a split consists of, in one sentence; empty when it is not one of ours. `complete`: none left out.

        >>> words("ja").split_meaning("test"), words("ja").split_meaning("test", complete=True)
        ('与えられたファイルの問題。', '与えられたファイルの全問。')
        """
        name, at, _ = split.partition(" @ ")
        if at:
            return self.split_meaning(name, complete=complete) + self("split.other_items")
        if fold := _FOLD.fullmatch(name):
            return self("split.one_fold_meaning", part=fold[1], parts=fold[2])
        if folds := _FOLDS.fullmatch(name):
            return self("split.folds_meaning", parts=folds[1])
        return (complete and self.known("split", f"{name}.all")) or self.known("split", f"{name}.meaning") or ""


def style_key(style: str, wording: str) -> str:
    """Under which key words.toml explains a layout: the published one by whose sentences it had.

    >>> style_key("chat", ""), style_key("published-3-shot", "own"), style_key("published", "")
    ('chat', 'published-3-shot-own', 'published')
    """
    return f"{style}-{wording}" if wording and style.startswith("published") else style


@cache
def words(language: Language) -> Words:
    """The words of a language."""
    with Path(__file__).with_name("words.toml").open("rb") as file:
        return Words(language, dict(_flat(tomllib.load(file), LANGUAGES.index(language))))


def _flat(table: Mapping[str, object], place: int, before: str = "") -> Iterable[tuple[str, str]]:
    """Keys with dots, and the text at a place of each pair."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, place, f"{before}{key}.")
        elif isinstance(value, list):
            yield before + key, value[place]
