"""The options that a free answer chooses, read as a person reads it.

Does: cut the text into statements, weigh what each says of the options that it mentions, and take the strongest
statements if they agree. Does not: find the mentions (mentions.py), or guess among several candidates. A wrong reading
is worse than none: doubts, denials, alternatives, contradictions, and a number of options that does not fit the
question are unread.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from igakulm.answering import choice_words as words
from igakulm.answering.markup import boxes, bulleted, json_answer, plain, unwrapped
from igakulm.answering.mentions import NOWHERE, Mention, Options
from igakulm.tasks.items import LETTERS


class Strength(IntEnum):
    """How plainly a statement says what the answer is."""

    WEAK = 0  # "Cを疑います", where no other option is spoken of
    SAID = 1  # "Cが最も適切です"
    ALONE = 2  # a line that is nothing but the answer
    MARKED = 3  # "正解はC"
    FINAL = 4  # "最終回答：C", a LaTeX box


@dataclass(frozen=True, slots=True)
class Reading:
    """The options that one statement chooses; None: it chooses, but not plainly (alternatives, a letter beyond the
    options). `closing`: it is a line of its own, a label and the answer, and nothing follows (【回答】C).
    """

    strength: Strength
    options: frozenset[int] | None
    closing: bool = False


def parse_letters(text: str, choices: Sequence[str], wanted: int = 1, question: str = "") -> tuple[str, ...] | None:
    """The letters of the options that a text chooses, sorted; None when it cannot be read.

    Args:
        text: the answer.
        choices: the options' texts.
        wanted: how many the question asks for; 0 = it does not say.
        question: where it asks for what is wrong (誤っているのはどれか), 「Cは誤り」 denies nothing.

    >>> parse_letters("答えは「Ｃ」です。", ("x", "y", "z"))
    ('C',)
    >>> parse_letters("正しくないのはAで、正解はCです。", ("x", "y", "z"))
    ('C',)
    >>> parse_letters("c, a", ("x", "y", "z"), wanted=2)
    ('A', 'C')
    >>> parse_letters("AかBのどちらかです", ("x", "y")) is None
    True
    """
    reader = _Reader(
        Options(choices),
        wanted,
        wrong_wanted=bool(words.ASKS_FOR_WRONG.search(unicodedata.normalize("NFKC", question))),
    )
    found = reader.read(text)
    return tuple(LETTERS[option] for option in sorted(found)) if found else None


class _Alone:
    """Lines that are nothing but an answer; those that follow each other are one list.

    `labels`: options of lines that begin with their letter and go on; `begun`: of all lines that begin with an option,
    in turn.
    """

    def __init__(self) -> None:
        self.labels: set[int] = set()
        self.begun: list[int] = []
        self._sets: list[frozenset[int]] = []
        self._list: frozenset[int] = frozenset()

    def next(self, group: _Group | None) -> None:
        """The next statement: the group that it is nothing but, or None."""
        if group is not None:
            self._list |= group.options or frozenset({NOWHERE})
        elif self._list:
            self._sets.append(self._list)
            self._list = frozenset()

    def readings(self, wanted: int) -> Iterator[Reading]:
        """What the lines say together."""
        self.next(None)
        if self._sets:
            yield Reading(Strength.ALONE, self._sets[0] if len(set(self._sets)) == 1 else None)
        elif len(self.labels) == 1 and wanted < 2 and len(set(self.begun)) == 1:
            yield Reading(Strength.ALONE, None if NOWHERE in self.labels else frozenset(self.labels))


@dataclass(frozen=True, slots=True)
class _Group:
    """Mentions side by side; `before` and `after` are what stands around them in the statement."""

    mentions: tuple[Mention, ...]
    before: str
    after: str
    alternatives: bool

    @property
    def options(self) -> frozenset[int] | None:
        found = frozenset(mention.option for mention in self.mentions)
        return None if self.alternatives or NOWHERE in found else found


class _Reader:
    """Reads answers to one question."""

    def __init__(self, options: Options, wanted: int, *, wrong_wanted: bool) -> None:
        self.options, self.wanted, self.wrong_wanted = options, wanted, wrong_wanted

    def read(self, text: str) -> frozenset[int] | None:
        """The options chosen, or None."""
        normal = unwrapped(text)
        told = json_answer(normal)
        if told is not None:
            found = [self._whole(plain(value)) for value in told]
            return self._fitting(frozenset().union(*(one for one in found if one))) if all(found) and found else None
        boxed, normal = boxes(normal)
        readings = [Reading(Strength.FINAL, self._boxed(boxed))] if boxed else []
        cleaned = plain(normal)
        if whole := self._whole(cleaned):
            return self._fitting(whole)
        mentioned = {mention.option for mention in self.options.mentions(cleaned)}
        if not mentioned and self.wanted < 2:
            return None  # no option at all, or so many that the text has no end
        denied: set[int] = set()
        readings += self._statements(cleaned, denied, self._in_lists(normal))
        return self._decided(readings, denied, mentioned)

    def _in_lists(self, text: str) -> frozenset[str]:
        """Lines of bulleted lists that hold other things than answers: an option among them is no answer."""
        found: set[str] = set()
        for lines in bulleted(text):
            if not all(self._whole(line) for line in lines):
                found |= set(lines)
        return frozenset(found)

    def _fitting(self, options: frozenset[int] | None) -> frozenset[int] | None:
        if not options or NOWHERE in options:
            return None
        return options if self.wanted in (0, len(options)) else None

    def _whole(self, text: str) -> frozenset[int] | None:
        """The options of a text that is nothing but them."""
        if not text:
            return None
        bare = text.rstrip("。. ")
        if bare in self.options.texts and self.options.texts.count(bare) == 1:
            return frozenset({self.options.texts.index(bare)})
        if run := self._run(re.sub(rf"^{words.OPEN}|[.。]?{words.CLOSE}$", "", text)):
            return run
        groups = self._groups(text, 0, len(text))
        lines = [line for line in text.split("\n") if line.strip()]
        if len(groups) == 1 and _is_only(groups[0]):
            return groups[0].options or frozenset({NOWHERE})
        if len(lines) > 1 and len(lines) <= 2 * self.options.count:
            found = [self._whole(line.strip()) for line in lines]
            if all(found):
                return frozenset().union(*(one for one in found if one))
        return None

    def _run(self, text: str) -> frozenset[int] | None:
        """Letters or digits without anything between them ("AC", "13"), as many as are wanted."""
        if self.wanted < 2 or len(text) != self.wanted or len(set(text)) != len(text):
            return None
        if not re.fullmatch(r"[A-Z]+|[a-z]+|[1-9]+", text):
            return None
        options = [int(sign) - 1 if sign.isdigit() else LETTERS.index(sign.upper()) for sign in text]
        return frozenset(options) if max(options) < self.options.count else None

    def _boxed(self, texts: Sequence[str]) -> frozenset[int] | None:
        """The last box; or all of them, where several answers are wanted and each box holds one."""
        found = [self._whole(text) for text in texts]
        if found[-1] and self._fitting(found[-1]):
            return found[-1]
        if self.wanted > 1 and all(one and len(one) == 1 for one in found):
            return self._fitting(frozenset().union(*(one for one in found if one)))
        return None

    def _groups(self, text: str, start: int, end: int) -> list[_Group]:
        """The groups of mentions in one statement, `text[start:end]`."""
        statement = text[start:end]
        mentions = self.options.mentions(statement)
        runs: list[list[Mention]] = []
        instead: list[bool] = []
        for mention in mentions:
            gap = statement[runs[-1][-1].end : mention.start] if runs else ""
            if runs and (words.BESIDE.fullmatch(gap) or words.INSTEAD.fullmatch(gap)):
                runs[-1].append(mention)
                instead[-1] = instead[-1] or bool(words.INSTEAD.fullmatch(gap) and not words.BESIDE.fullmatch(gap))
            else:
                runs.append([mention])
                instead.append(False)
        groups = []
        for place, run in enumerate(runs):
            before = statement[runs[place - 1][-1].end if place else 0 : run[0].start]
            after = statement[run[-1].end : runs[place + 1][0].start if place + 1 < len(runs) else len(statement)]
            groups.append(_Group(tuple(run), before, after, instead[place]))
        return groups

    def _statements(self, text: str, denied: set[int], in_lists: frozenset[str]) -> Iterator[Reading]:
        """What every statement says; options that are said to be wrong go to `denied`."""
        alone = _Alone()
        heading = False
        listed: set[int] = set()
        for start, end in _spans(text):
            statement = text[start:end]
            groups = self._groups(text, start, end)
            only = len(groups) == 1 and _is_only(groups[0])
            run = self._run_marked(statement)
            follows = listed and only and {mention.option - 1 for mention in groups[0].mentions} & listed
            if follows and not text[end:].strip():
                continue  # the next label of a list with explanations, cut off before its own
            if (
                groups
                and not only
                and words.ONLY_BEFORE.fullmatch(groups[0].before)
                and words.LABELLED.match(groups[0].after)
            ):
                listed.add(groups[0].mentions[0].option)
            if heading and groups and alone.begun and groups[0].mentions[0].option == alone.begun[-1] + 1:
                heading = False  # "正解" was said of the option before, and this line begins the next one
            if groups and words.ONLY_BEFORE.fullmatch(groups[0].before):
                alone.begun.append(groups[0].mentions[0].option)
            counts = only and run is None and not heading and statement.strip() not in in_lists
            alone.next(groups[0] if counts else None)
            last = not text[end:].strip("\n 。.")
            if run is not None:
                yield Reading(Strength.MARKED, run, closing=last and _begins_line(text, start))
            elif last and _begins_line(text, start) and _is_closing(groups):
                yield Reading(Strength.MARKED, groups[0].options, closing=True)
            elif not groups:
                if words.NO_ANSWER.search(statement):
                    yield Reading(Strength.FINAL, None)
            elif heading and (only or not groups[0].before.strip(" 「『(\"'[")):
                yield self._judged(groups[0], Strength.MARKED, denied) or Reading(Strength.MARKED, None)
            elif not only:
                said = list(filter(None, (self._said(group, denied) for group in groups)))
                concluded = None if said else self._concluded(groups, statement, text[end:])
                yield from (said or filter(None, [concluded]))
                alone.labels |= self._labels(groups)
            blank = not statement.strip()
            begins = not groups and _begins_line(text, start) and words.HEADING.fullmatch(statement)
            heading = (heading and (blank or only)) or bool(begins)
        yield from alone.readings(self.wanted)

    def _labels(self, groups: Sequence[_Group]) -> set[int]:
        """The option of a statement that begins with its letter ("C. …"); none where it does not."""
        first = groups[0]
        letter = len(groups) == 1 and len(first.mentions) == 1 and first.mentions[0].form in ("letter", "small")
        begins = letter and words.ONLY_BEFORE.fullmatch(first.before) and words.LABEL_AFTER.match(first.after)
        return {self._labelled(first)} if begins else set()

    def _labelled(self, group: _Group) -> int:
        """The option of "C. …" or "C because …", where what follows begins as the option's text does."""
        option = group.mentions[0].option
        behind = group.after.lstrip(".:) ")
        meant = option != NOWHERE and len(behind) > 1 and self.options.texts[option].startswith(behind[:2])
        return option if meant or re.match(r"\s+(?:because|as|since|due)\b", group.after) else NOWHERE

    def _run_marked(self, statement: str) -> frozenset[int] | None:
        """ "答え：AC" where two are wanted."""
        if self.wanted < 2:
            return None
        found = re.search(
            rf"(?<![A-Za-z0-9])([A-Z]{{{self.wanted}}}|[a-z]{{{self.wanted}}}"
            rf"|[1-9]{{{self.wanted}}})(?![A-Za-z0-9])",
            statement,
        )
        if not found or not (
            words.BEFORE_MARKED.search(statement[: found.start()])
            or words.BEFORE_FINAL.search(statement[: found.start()])
        ):
            return None
        return self._run(found[1]) if words.ONLY_AFTER.fullmatch(statement[found.end() :]) else None

    def _said(self, group: _Group, denied: set[int]) -> Reading | None:
        """What one group in a statement says."""
        before = group.before[-60:]
        if words.OF_OTHERS.search(before):
            return None
        if words.BEFORE_FINAL.search(before):
            return self._judged(group, Strength.FINAL, denied)
        if words.BEFORE_MARKED.search(before):
            return self._judged(group, Strength.MARKED, denied)
        if words.BEFORE_WRONG.search(before):
            if self.wrong_wanted:
                return self._judged(group, Strength.SAID, denied) if words.WRONG_IS.search(before) else None
            denied |= group.options or set()
            return None
        if words.BEFORE_SAID.search(before):
            return self._judged(group, Strength.SAID, denied)
        return None if self.wrong_wanted else self._followed(group, denied)

    def _followed(self, group: _Group, denied: set[int]) -> Reading | None:
        """What the words behind a group say of it, where none before it did."""
        before = group.before[-60:]
        if words.DENIED.match(group.after):
            denied |= {mention.option for mention in group.mentions}
            return None
        said = words.SAID.match(group.after)
        if said and not _doubtful(group.after, said.end()):
            return Reading(Strength.SAID, group.options)
        if (ending := words.PLAIN_AFTER.match(group.after)) and words.PLAIN_BEFORE.fullmatch(group.before):
            return None if _doubtful(group.after, ending.end()) else Reading(Strength.SAID, group.options)
        if (
            words.BECAUSE.search(before)
            and words.ONLY_AFTER.fullmatch(group.after)
            and group.after[-1:] not in ("、", ",")
        ):
            return Reading(Strength.SAID, group.options)
        if words.WEAK.match(group.after) and not re.search(r"な[いく]|ませ|が、|たが|否定|除外", group.after):
            return Reading(Strength.WEAK, group.options)
        return None

    def _concluded(self, groups: Sequence[_Group], statement: str, rest: str) -> Reading | None:
        """The last statement that speaks of an option, where it concludes ("したがって、まず行うのはCです")."""
        group = groups[-1]
        if len(groups) != 1 or not words.CONCLUDING.search(group.before) or not words.PLAIN_AFTER.match(group.after):
            return None
        if _doubtful(group.after, 0) or self.options.mentions(rest):
            return None
        against = words.POSITIVE if self.wrong_wanted else words.NEGATIVE
        if against.search(group.before) and not (self.wrong_wanted and words.NEGATIVE.search(group.before)):
            return None
        return Reading(Strength.SAID, group.options)

    def _judged(self, group: _Group, strength: Strength, denied: set[int]) -> Reading | None:
        """The reading of a group that a marker announces, unless it is denied or doubted."""
        after = group.after[:60]
        if words.DENIED.match(after) and not (self.wrong_wanted and strength is Strength.SAID):
            denied |= group.options or set()
            return None
        if _doubtful(after, 0):
            return None
        if any(mention.form == "small" for mention in group.mentions) and re.match(r" [a-z]", after):
            return None
        return Reading(strength, group.options)

    def _decided(self, readings: Sequence[Reading], denied: set[int], mentioned: set[int]) -> frozenset[int] | None:
        """The options of the strongest readings, if they agree with each other and with what is said plainly; those of
        a closing line, if no other statement announces a whole answer that is another.
        """
        closing = next((reading for reading in readings if reading.closing), None)
        if closing and (closed := self._fitting(closing.options)):
            announced = (one.options for one in readings if one.options and one.strength >= Strength.MARKED)
            return closed if all(self._fitting(one) in (None, closed) for one in announced) else None
        best: dict[Strength, frozenset[int] | None] = {}
        for strength in Strength:
            sets = [reading.options for reading in readings if reading.strength is strength]
            if sets:
                best[strength] = self._agreed(sets)
        if not best:
            return None
        top = max(best)
        if top is Strength.WEAK and len(mentioned) != max(1, self.wanted):
            return None
        found = best[top]
        if top is Strength.ALONE and found is None and Strength.SAID in best:
            found = best[Strength.SAID]
        fitting = self._fitting(found) if found else None
        if fitting is None:
            return None
        others = [
            best[strength] for strength in (Strength.ALONE, Strength.MARKED) if strength < top and strength in best
        ]
        if top is Strength.ALONE:
            others.append(best.get(Strength.SAID))
        if any(other is not None and self._fitting(other) not in (None, fitting) for other in others):
            return None
        return None if fitting & denied and not self.wrong_wanted else fitting

    def _agreed(self, sets: Sequence[frozenset[int] | None]) -> frozenset[int] | None:
        """The one set that all are; or, where several answers are wanted, all single ones together."""
        if any(one is None for one in sets):
            return None
        known = {one for one in sets if one is not None}
        if len(known) == 1:
            return known.pop()
        union = frozenset().union(*known)
        parts = self.wanted != 1 and all(len(one) < max(2, self.wanted) for one in known)
        return union if parts and self.wanted in (0, len(union)) else None


def _begins_line(text: str, start: int) -> bool:
    return not text[text.rfind("\n", 0, start) + 1 : start].strip()


def _is_closing(groups: Sequence[_Group]) -> bool:
    """Whether a statement is nothing but a label and one answer."""
    one = len(groups) == 1 and groups[0]
    return bool(one and words.CLOSING.fullmatch(one.before) and words.ONLY_AFTER.fullmatch(one.after))


def _is_only(group: _Group) -> bool:
    return bool(words.ONLY_BEFORE.fullmatch(group.before) and words.ONLY_AFTER.fullmatch(group.after))


def _doubtful(after: str, start: int) -> bool:
    """Whether what follows takes the statement back ("とは言えない", "でしょうか")."""
    if words.TAKEN_BACK.search(after[:80]):
        return True
    rest = words.NO_DOUBT.sub("", after)
    head = rest[:start]
    tail = re.split(r"[、,](?!とは)", rest[start:], maxsplit=1)[0]
    return bool(words.DOUBT.search(head + tail) or re.search(r"な(?:い|く)|ませ[んぬ]|n't\b|\bnot\b", tail))


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """The statements of a text."""
    start = 0
    for pause in words.PAUSE.finditer(text):
        yield start, pause.start()
        start = pause.end()
    if start < len(text):
        yield start, len(text)
