"""The prose of a Wikipedia article out of its wikicode ("本文のみ", section 2.2.1).

Does: leave out templates, tables, references, files, categories, headings, the sections after the article (notes,
literature, links) and list items that are no sentences; keep the words that links and a few templates show, and the
numbers of powers and short formulas; leave out a sentence that would lose a number.
Does not: read dumps (mediawiki.py), expand templates, or clean characters (text/cleaning.py).

`body_text` is one of two ways to the same text. Plain replacements, innermost first, do what is unambiguous; only what
still holds markup after them goes to mwparserfromhell, which is more than ten times slower. `parsed_body_text` gives
everything to the parser: tests hold the two against each other.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from igakulm.corpus.formulas import formula_text, lost_with, number_template, without_lost
from igakulm.errors import InputError
from igakulm.text.inline_markup import with_meaning

if TYPE_CHECKING:
    from mwparserfromhell.nodes import Tag
    from mwparserfromhell.wikicode import Wikicode

_END_SECTIONS = re.compile(
    r"(?:脚注|註|注|注釈|註釈|注記|出典|参考|参考文献|参考資料|参考書籍|参照|関連文献|文献|文献案内|関連書籍|"
    r"関連図書|書誌情報|関連項目"
    r"|関連リンク|関連人物|外部リンク|外部サイト|ギャラリー|画像|読書案内|ディスコグラフィ.*)(?:・.*|と.*|一覧)?"
)
"""Headings whose sections hold no prose of the article."""

_DROPPED_ELEMENTS = (
    "ref references gallery math chem ce timeline score imagemap syntaxhighlight source pre code table rt rp "
    "hiero templatestyles graph mapframe maplink inputbox categorytree includeonly style script section "
    "indicator"
)
_KEPT_ELEMENTS = (
    "b big blockquote br center cite dd del dfn div dl dt em font i ins kbd li noinclude nowiki ol onlyinclude p "
    "poem q rb ruby s samp small span strike strong sub sup time tt u ul var wbr abbr bdi bdo h1 h2 h3 h4 h5 h6 "
    "hr"
)

_FIRST, _SECOND, _READING = 1, 2, 0
_SHOWN_FIRST = (
    "仮リンク ill ill2 link-interwiki nowrap nobr small smaller big larger sub sup unicode en de fr it es la el ru "
    "ko zh ar abbr em strong underline vanc by smallcaps sic mvar var ipa ipa2 bdo nihongo quote quotation "
    "cquote "
    "下線 小 大 補助漢字フォント jisx0212フォント jis2004フォント jis90フォント 拡張漢字 中文表記 英文表記 "
    "引用 行内引用 和暦 要出典範囲 要検証範囲 信頼性要検証範囲 誰範囲 いつ範囲 どこ範囲 独自研究範囲"
)
_SHOWN_TEMPLATES = {
    **dict.fromkeys(("lang", "color", "font color", "transl"), _SECOND),
    **dict.fromkeys(("読み仮名", "読み仮名 ruby不使用", "ruby", "ふりがな", "読み"), _READING),
    **dict.fromkeys((*_SHOWN_FIRST.split(), "visible anchor"), _FIRST),
}
"""Templates whose words are part of the sentence: which argument is shown (0: the first, the second in brackets)."""

_NAMESPACES = "file image ファイル 画像 media メディア category カテゴリ wikipedia template テンプレート special 特別"
_NO_TEXT_NAMESPACES = frozenset(_NAMESPACES.split())
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[a-z]+)*|simple")

_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_NOWIKI = re.compile(r"<nowiki>((?:(?!<nowiki>).)*?)</nowiki>", re.DOTALL | re.IGNORECASE)
_DROPPED = re.compile(
    rf"<({'|'.join(_DROPPED_ELEMENTS.split())})\b[^<>]*?(?:/>|>(?:(?!<\1\b).)*?</\1\s*>)", re.DOTALL | re.IGNORECASE
)
_MATH = re.compile(r"<(math|chem|ce)\b[^<>]*(?<!/)>((?:(?!</?\1\b).)*?)</\1\s*>", re.DOTALL | re.IGNORECASE)
_BREAK = re.compile(r"<(?:br|hr|p|/p|/div|/li|/blockquote)\b[^<>]*>", re.IGNORECASE)
_KEPT = re.compile(rf"</?(?:{'|'.join(_KEPT_ELEMENTS.split())})\b[^<>]*>", re.IGNORECASE)
_TEMPLATE = re.compile(r"\{\{([^{}]*)\}\}")
_LINK = re.compile(r"\[\[([^\[\]|]*)(?:\|([^\[\]]*))?\]\]")
_EXTERNAL = re.compile(r"\[(?:https?:|ftp:)?//[^\s\]\[]*+[ \t]*+([^\]\[\n]*)\]", re.IGNORECASE)
_TABLE_EDGE = re.compile(r"^[ \t:*#]*(\{\||\|\}(?!\}))", re.MULTILINE)
_MARKUP = re.compile(r"\[\[|\]\]|\{\{|\}\}|\{\||</?[A-Za-z]")
_STRAY = re.compile(r"\[\[|\]\]|\{\{+|\}\}+|\{\||</?[A-Za-z][^<>]*>")  # of markup that nothing closes
_QUOTES = re.compile(r"'{2,}")
_MAGIC = re.compile(r"__[A-Z]{3,}__|__(?:目次|目次非表示|目次強制|節編集非表示)__")
_EMPTY_BRACKETS = re.compile(r"[（(][\s、,，;；:：・/／]*[)）]|「」|『』")
_BRACKET_EDGE = re.compile(r"([（(])[、,，;；：:・\s]+|(?<![、,，;；：:\s])[、,，;；：:\s]+([)）])")
_SENTENCE_END = ("。", "．", "！", "？", "。」", "。』", "。）", "!", "?")
_ESCAPED = str.maketrans({character: f"&#{ord(character)};" for character in "[]{}|<>'=*#:;"})
_MARKS_PARSED = 500  # the parser's work grows with the square of what nothing closes; more is no article
_ROUNDS = 40  # nesting deeper than this is left to the parser


def body_text(wikicode: str) -> str:
    """Paragraphs of prose, one a line.

    >>> body_text("{{表|a={{b}}}}'''梅雨'''（{{Lang-en|rain}}、つゆ）は[[雨季|季節]]だ<ref>注</ref>。[[Category:雨]]")
    '梅雨（rain、つゆ）は季節だ。'
    >>> body_text("前文。\\n== 概要 ==\\n* [[一覧]]\\n* 雨が降る。\\n== 脚注 ==\\n注である。")
    '前文。\\n雨が降る。'

    Raises:
        InputError: the text needs the parser, and the extra `wiki` is not installed.
    """
    return body_and_losses(wikicode)[0]


def body_and_losses(wikicode: str) -> tuple[str, int]:
    """`body_text`, and how many sentences are left out because a number of theirs stood in unknown markup."""
    text = _replaced(wikicode)
    if 0 < len(_MARKUP.findall(text)) <= _MARKS_PARSED:
        text = _parsed(text)
    return _prose(text)


def parsed_body_text(wikicode: str) -> str:
    """The same by the parser alone: slow, for tests.

    Raises:
        InputError: the extra `wiki` is not installed.
    """
    return _prose(_parsed(_with_numbers(_NOWIKI.sub(lambda found: found[1].translate(_ESCAPED), wikicode))))[0]


# ---- plain replacements


def _replaced(text: str) -> str:
    """Without the markup that can be told from text without a parser."""
    if "<!--" in text:
        text = _COMMENT.sub("", text)
    if "<nowiki" in text:
        text = _NOWIKI.sub(lambda found: found[1].translate(_ESCAPED), text)
    if "<" in text:
        text = _with_numbers(text)
        text = _stable(_DROPPED, "", text)
        text = _KEPT.sub("", _BREAK.sub("\n", text))
    for _ in range(_ROUNDS):
        before = text
        text = _TEMPLATE.sub(_template_of_match, text) if "{{" in text else text
        text = _without_tables(text) if "{|" in text and "{{" not in text else text
        if text == before:
            # A table inside a template keeps both: its braces hide the template's.
            text = _without_tables(text) if "{|" in text else text
            if text == before:
                break
    text = _stable(_LINK, _link_of_match, text) if "[[" in text else text
    return _EXTERNAL.sub(r"\1", text) if "[" in text else text


def _with_numbers(text: str) -> str:
    """Powers, indices, struck-out text and formulas as plain text that keeps their numbers."""
    return _MATH.sub(lambda found: formula_text(html.unescape(found[2])), with_meaning(text))


def _stable(pattern: re.Pattern[str], replacement: str | Callable[[re.Match[str]], str], text: str) -> str:
    """Replace until nothing is found, so that inner ones go before outer ones."""
    for _ in range(_ROUNDS):
        text, count = pattern.subn(replacement, text)
        if not count:
            break
    return text


def _without_tables(text: str) -> str:
    r"""Without {| … |}, nested ones too; a table that is never closed ends at the next heading.

    >>> _without_tables("前\n{| a\n|b\n:{| c\n|}\n|}\n後")
    '前\n\n後'
    """
    kept: list[str] = []
    depth = start = 0
    for edge in _TABLE_EDGE.finditer(text):
        if edge[1] == "{|":
            if depth == 0:
                kept.append(text[start : edge.start()])
                start = edge.start()
            depth += 1
        elif depth:
            depth -= 1
            if depth == 0:
                start = edge.end()
    if depth:
        heading = text.find("\n=", start)
        start = len(text) if heading < 0 else heading
    return "".join(kept) + text[start:]


def _template_of_match(found: re.Match[str]) -> str:
    return _template_text(_arguments(found[1]))


def _arguments(inside: str) -> list[str]:
    """The parts of a template between the bars that do not belong to a link; the first is its name."""
    if "[[" not in inside:
        return inside.split("|")
    parts = [""]
    depth = 0
    for piece in re.split(r"(\[\[|\]\]|\|)", inside):
        depth += {"[[": 1, "]]": -1}.get(piece, 0)
        if piece == "|" and depth <= 0:
            parts.append("")
        else:
            parts[-1] += piece
    return parts


def _template_text(arguments: list[str]) -> str:
    """The words that a template shows in a sentence; most show none.

    >>> _template_text(["読み仮名", "言語", "げんご"]), _template_text(["lang", "en", "a"]), _template_text(["Reflist"])
    ('言語（げんご）', 'a', '')
    """
    name = " ".join(arguments[0].replace("_", " ").split()).lower()
    if name == "!":
        return "|"
    shown = _FIRST if name.startswith("lang-") else _SHOWN_TEMPLATES.get(name)
    values: dict[str, str] = {}
    count = 0
    for argument in arguments[1:]:
        key, equals, value = argument.partition("=")
        if equals and re.fullmatch(r"\s*[\w -]{1,20}\s*", key):
            values[key.strip()] = value.strip()
        else:
            count += 1
            values[str(count)] = argument.strip()
    if (number := number_template(name, values)) is not None:
        return number
    if shown is None:
        return lost_with(name, values)
    if shown == _READING:
        first, second = values.get("1", ""), values.get("2", "")
        return f"{first}（{second}）" if second else first
    return values.get(str(shown), "")


def _link_of_match(found: re.Match[str]) -> str:
    return _link_text(found[1], found[2])


def _link_text(target: str, label: str | None) -> str:
    """What a link shows; files, categories and the same article in other languages show nothing.

    >>> _link_text("雨", None), _link_text("雨", "あめ"), _link_text("File:a.jpg", "枠"), _link_text("en:Rain", None)
    ('雨', 'あめ', '', '')
    """
    place = target.strip()
    prefix, colon, _ = place.partition(":")
    if colon and prefix:
        if prefix.strip().lower() in _NO_TEXT_NAMESPACES:
            return ""
        if label is None and _LANGUAGE.fullmatch(prefix):
            return ""
    if label is None:
        return place.lstrip(":#")
    return label.strip() or re.sub(r"\s*[（(][^（()）]*[)）]$", "", place.lstrip(":#"))


# ---- the parser


def _parsed(text: str) -> str:
    """The same by a parser of wikicode; headings and marks of lists stay for `_prose`."""
    try:
        import mwparserfromhell
    except ImportError as error:
        raise InputError(
            "raw Wikipedia dumps need the package mwparserfromhell", hint="pip install 'igakulm[wiki]'"
        ) from error
    return _shown(mwparserfromhell.parse(text, skip_style_tags=True))


def _shown(code: Wikicode) -> str:
    """The words of parsed wikicode."""
    from mwparserfromhell import nodes

    words: list[str] = []
    for node in code.nodes:
        if isinstance(node, nodes.Text | nodes.HTMLEntity):
            words.append(str(node))
        elif isinstance(node, nodes.Wikilink):
            words.append(_link_text(str(node.title), _shown(node.text) if node.text is not None else None))
        elif isinstance(node, nodes.ExternalLink):
            words.append(_shown(node.title) if node.title is not None else "" if node.brackets else str(node))
        elif isinstance(node, nodes.Template):
            arguments = [f"{_shown(one.name)}={_shown(one.value)}" if one.showkey else _shown(one.value)
                         for one in node.params]  # fmt: skip
            words.append(_template_text([_shown(node.name), *arguments]))
        elif isinstance(node, nodes.Heading):
            words.append(f"{'=' * node.level} {_shown(node.title)} {'=' * node.level}")
        elif isinstance(node, nodes.Tag):
            words.append(_tag_text(node))
    return "".join(words)


def _tag_text(node: Tag) -> str:
    name = str(node.tag).strip().lower()
    if name in _DROPPED_ELEMENTS.split():
        return ""
    if node.wiki_markup in ("*", "#", ":", ";"):
        return str(node.wiki_markup)
    if name in ("br", "hr"):
        return "\n"
    inside = _shown(node.contents) if node.contents is not None else ""
    return f"\n{inside}\n" if name in ("p", "div", "li", "blockquote") else inside


# ---- lines


def _prose(text: str) -> tuple[str, int]:
    """Paragraphs, without headings, list items that are no sentences, and the sections after the article.

    Also how many sentences lost a number with their markup, and are left out.
    """
    kept: list[str] = []
    losses = 0
    ended = 0  # the level of the heading that began a section without prose
    for raw in _QUOTES.sub("", text).split("\n"):
        line = raw.strip()
        if line.startswith("=") and line.endswith("=") and (title := line.strip("= \t\u3000")):
            level = len(line) - len(line.lstrip("="))
            if ended and level > ended:
                continue
            ended = level if _END_SECTIONS.fullmatch(title) else 0
            continue
        if ended or not line or line.startswith(("|", "!", "{|", "----")):
            continue
        line, lost = without_lost(line)
        losses += lost
        item = line.lstrip("*#:; ")
        if item is not line and len(item) < len(line) and not ("。" in item or item.endswith(_SENTENCE_END)):
            continue
        if item := _tidy(item):
            kept.append(item)
    return "\n".join(kept), losses


def _tidy(line: str) -> str:
    """Without entities, switches and the brackets that a dropped template leaves empty.

    >>> _tidy("梅雨（、つゆ）は（）雨&nbsp;である。__NOTOC__")
    '梅雨（つゆ）は雨 である。'
    """
    if _MARKUP.search(line):
        line = _STRAY.sub("", line)
    if "&" in line:
        line = html.unescape(line).replace("\xa0", " ")
    if "__" in line:
        line = _MAGIC.sub("", line)
    if "（" in line or "(" in line or "「」" in line or "『』" in line:
        line = _BRACKET_EDGE.sub(lambda found: found[1] or found[2], _EMPTY_BRACKETS.sub("", line))
        line = _EMPTY_BRACKETS.sub("", line)
    return line.strip()
