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

from igakulm.answering.markup import boxes, json_answer, plain, unwrapped
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
    options).
    """

    strength: Strength
    options: frozenset[int] | None


_OPEN, _CLOSE = r"[\s「『【〔(\[\"'“”‘’<《{]*", r"[\s」』】〕)\]\"'“”‘’>》}]*"
_PAUSE = re.compile(
    r"\n|。|[!！]|(?<=[?？])|(?<=[a-z)][a-z)])\.\s|(?<=is [A-Z])\.\s|(?<=ot [A-Z])\.\s|(?<=on [A-Z])\.\s"
)
_OPTION_WORD = r"(?:選択肢|番号|記号|[Oo]ptions?|[Cc]hoices?)?\s*"
_BESIDE = re.compile(
    rf"(?:番)?{_CLOSE}(?:[,、，・/&+;|]|と|および|及び|ならびに|かつ|\band\b)?\s*(?:と)?{_OPEN}{_OPTION_WORD}{_OPEN}"
)
_INSTEAD = re.compile(
    rf"(?:番)?{_CLOSE}[,、]?\s*(?:か(?!つ)|や|または|又は|もしくは|若しくは|あるいは|或いは|\bor\b|〜|~|-"
    rf"|から)\s*[,、]?{_OPEN}{_OPTION_WORD}{_OPEN}"
)
_ENDING = r"(?:番)?(?:(?:です|である|だ|になります|となります|になる|となる|でした)(?!か))?"
_SO = (
    r"(?:(?:∴|よって|したがって|従って|ゆえに|故に|以上(?:の(?:こと|理由))?(?:より|から)|すなわち|つまり|結局|結論から(?:言うと|言えば)"
    r"|総合(?:して|すると)|以上|はい|おそらく|恐らく|たぶん|多分|きっと|やはり|消去法で|私は|[Tt]herefore|[Tt]hus|[Ss]o"
    r"|[Hh]ence)[、,:]?\s*){0,3}"
)
_ONLY_BEFORE = re.compile(rf"[.…]*{_OPEN}{_SO}{_OPTION_WORD}[:：]?{_OPEN}")
_ONLY_AFTER = re.compile(
    rf"{_CLOSE}(?:\s*\((?![^()]*(?:誤|不|×|除|ない|なし|否|[Ww]rong|[Ii]ncorrect"
    rf"|[Nn]ot))[^()]{{0,40}}\))?{_ENDING}{_CLOSE}[.,:、。]*{_CLOSE}"
)
_LABELLED = re.compile(r"[.:)]|\s*[-–:]")
_LABEL_AFTER = re.compile(r"[.:)]\s*\S|\s+(?:because|as|since|due)\b")

# Words before an answer. A marker has a left guard: 不正解, 誤答, "incorrect answer".
_FINAL_WORD = r"(?:最終(?:的)?な?(?:の)?(?:回答|解答|答え|答|正解|判断|選択|結論)|結論(?:として)?|[Ff]inal [Aa]nswer)"
_ANSWER_WORD = (
    r"(?:(?<![不非無])正解(?!率|者|数)|(?<![不非誤])正答|(?<![誤模])解答|(?<!誤)回答|(?<!い)答え|(?<!お)こたえ"
    r"|(?<![不誤正解回応返問])答|(?<![不誤正解回理読見分])解(?=[:：])"
    r"|(?<![A-Za-z])(?:[Aa]nswers?|ANSWER|[Aa]ns\b\.?)|(?<![Ii]n)[Cc]orrect (?:[Oo]ptions?"
    r"|[Cc]hoices?)|(?:[Rr]ight|[Bb]est) (?:[Oo]ption|[Cc]hoice))"
)
_FITTING = (
    r"(?:(?:(?<!不)適切|(?<!不)適当|最適|ベスト|妥当|正しい|(?<!非)該当する|当てはまる|考えられる|疑われる|疑わしい|疑うべき"
    r"|可能性[がの](?:最も)?高い|考えやすい|ふさわしい)(?:と(?:思|考え)われる)?(?:な)?"
    r"[^。、\n]{0,10}?(?:の|もの|選択肢|疾患|診断|答え|病態|組み?合わせ|治療|検査|対応|薬剤?)は"
    r"|(?<!鑑別)診断(?:名)?(?:は|としては|:)|[Mm]ost (?:likely|appropriate) (?:diagnosis|answer|choice"
    r"|option) is|[Mm]ost likely has|^(?:[Tt]he )?[Dd]iagnosis(?: is|:)|^[Tt]his is"
    r"|^[Ss]elected (?:option|answer)|^(?:[Cc]hoose|[Ss]elect|[Pp]ick|I'm choosing)"
    r"|(?<!った)選択(?:肢)?(?:は|(?=[:：→】]))|(?:選択(?:すべき)?|選ぶ(?:べき)?|選ばれる)(?:なの|もの|の|選択肢|答え)?は"
    r"|選んだ選択肢(?=[:：])|1つ選ぶなら|[Ii](?: would|'d)? (?:choose|select|pick|go with)"
    r"|(?<!think )(?<!if )[Ii]t(?: is|'s| should be)|[Ll]ooking at the options,)"
)
_BETWEEN = (
    rf"(?:と(?:思わ|考えら|さ)れる|となる|に(?:あたる|当たる|該当する)|を選ぶと)?(?:の?(?:選択肢|番号|記号|もの|組み?合わせ|疾患)|肢"
    rf"|の)?[\s」』】)\]》\"'.]*(?:は|が|を|としては|として|[Ii]s|[Aa]re|(?:would|should|must|will) be"
    rf"|[:：=→⇒➡>、,]|なら)*"
    rf"(?:[\s,、:：.…–—-]|選択肢の(?:中の)?|ズバリ|ずばり|もちろん|おそらく|やはり"
    r"|以下の通り(?:です)?|次の通り(?:です)?|[Tt]he "
    rf"|most likely|probably|clearly)*{_OPEN}{_OPTION_WORD}{_OPEN}$"
)
_GUARD = r"(?<![Ii]ncorrect )(?<![Ww]rong )(?<!ない)(?<!った)(?<!not the )(?<!not a )"
_BEFORE_FINAL = re.compile(_GUARD + _FINAL_WORD + r"(?:、?(?:答え|正解)(?=は))?" + _BETWEEN)
_BEFORE_MARKED = re.compile(_GUARD + _ANSWER_WORD + _BETWEEN)
_BEFORE_SAID = re.compile(
    rf"{_FITTING}{_BETWEEN}|(?:では|じゃ)なく(?:て)?、?{_OPEN}{_OPTION_WORD}{_OPEN}$|^[○◯〇✓✔◎⭕]\s*$"
)
_BEFORE_WRONG = re.compile(
    r"(?:不正解|誤答|誤り|誤って(?:い)?る|誤った|間違(?:い|って(?:い)?る|った|えた)|考えにくい|考えられない|正しくない|正解では?ない|適切では?ない"
    r"|不適切|不適当|(?:該当|合致)しない|当てはまらない|除外"
    r"|[Ii]ncorrect|[Ww]rong|[Nn]ot correct|[Ff]alse)[^。、\n]{0,14}$|\b(?:[Nn]ot"
    r"|[Aa]nything but)\s+(?:option\s+)?$|^[×✗✘❌]\s*$"
)
_HEADING = re.compile(
    rf"{_OPEN}(?:[^。]{{0,12}}の)?(?:{_FINAL_WORD}|{_ANSWER_WORD})(?:の?(?:選択肢|番号))?{_CLOSE}(?:は"
    rf"|[:：]|is)*(?:(?:以下|次)の?(?:通り|とおり|もの|[0-9一二三]つ|選択肢)?(?:です|である|になります)?)?[\s:：]*{_CLOSE}"
)

# Words behind an answer.
_DENIED = re.compile(
    rf"{_CLOSE}(?:番)?[\s:：.→=)]*(?:では?(?:な(?!いか)|ありませ)|じゃな|でも(?:な|[A-Z])|(?:は|が|も|を)?、?(?:最も"
    rf"|もっとも|全く|やや|あまり|明らかに)?(?:正しくな|正しくあり|正解では?な|正解では?あり|適切では?な|適切では?あり|妥当では?な"
    r"|典型的では?な|誤|間違|不適|不正解|違(?:う|い|って)|該当しな|該当しませ|当てはま(?:らな|りませ)|合致しな|一致しな|考えにく|考えられな|考えられませ|否定|除外|除(?:く|い)|可能性は低"
    r"|可能性が低|選びませ|選ばな|選択しな|選ぶべきでは|選択すべきでは|みられな|認めな|ない|ありませ)|以外|より(?!正)|(?:は|が)?[×✗✘❌]"
    r"|[Ff]alse\b|[Ii]ncorrect\b|[Ww]rong\b"
    r"|(?:is|are|was|were) (?:not|wrong|incorrect|false|unlikely|ruled)|isn't|aren't|(?:can"
    r"|should) be (?:excluded|ruled))"
)
_PLAIN = (
    rf"{_CLOSE}(?:番)?(?:で(?:す|ある|しょう|お願い)|だ(?!が|けど|った|と(?!思|考|判|推|診|感|言え)|か)|だろう|と(?:な(?:る|りま)"
    rf"|思|考え|判断|推測|診断|推定|解釈|回答(?!で)|解答(?!で))|にな(?:る|りま))"
)
"""An ending that any subject can have: it counts only where the statement has no other subject."""
_PLAIN_AFTER = re.compile(_PLAIN)
_PLAIN_BEFORE = re.compile(
    rf"(?:.*[、,]|.*(?:所見|こと|結果|経過|以上|症例|患者|場合|ここ|今回|本例)(?:から|より|では?|は))?{_OPEN}{_SO}{_OPTION_WORD}{_OPEN}",
    re.DOTALL,
)
_BECAUSE = re.compile(rf"(?:ので|のため|だから|よって|したがって|ゆえに|∴)、?{_OPEN}{_OPTION_WORD}{_OPEN}$")
_SAID = re.compile(
    rf"{_CLOSE}(?:番)?[\s:：.→=)]*(?:(?:のみ|だけ)?(?:が|は|こそ)?、?(?:最も|もっとも|一番)?(?:正し(?:い|く(?!な|あ))"
    rf"|(?<!不)正解|正答|適切|適当|妥当|最適|該当(?:する|しま|です|$)|当てはまる|当てはまりま|考えられ(?:る|ま)|疑われ(?:る|ま)"
    r"|可能性が(?:最も|一番)?高|考えやす|最?有力|ふさわし|合致(?:する|しま)|答え(?:です|である|だ|にな|とな|と|$)|選択すべき|望まし|第一選択|最善|推奨)"
    r"|の可能性が(?:最も|一番)?高|(?:が|は)(?:最も|もっとも)"
    r"|に(?:最も|よく)?(?:合致|一致|該当)(?:する|しま|し)|を(?:選択(?!肢|しな|しませ|すべきでは|する(?:人|学生))|選(?:び(?!ませ|たく"
    r"|がち)|ぶ(?!べきでは|人|学生|と)|ん(?!だ?(?:群|人|者|学生|場合|患者)))|(?:回答|解答|答え|正解)と(?:し(?!な|ませ)|する(?:$|。"
    r"|\s)|いたし)|挙げ|(?:最も|強く|第一に)(?:疑|考え))"
    rf"|(?:が|は)?[○◯〇✓✔◎⭕]|で(?:間違いな|決まり|よい|良い)|[Tt]rue\b|[Cc]orrect\b|best (?:fits|matches"
    rf"|explains)|(?:is|seems|would be|are) (?:the )?(?:most )?(?:correct|right|best|answer"
    rf"|likely|appropriate))"
)
_WEAK = re.compile(rf"{_CLOSE}(?:を(?:疑(?:う|い)|考え(?:る|ま))|(?:が|を)示唆|(?:の可能性)?かもしれ(?:ない|ませ))")
_DOUBT = re.compile(
    r"とは(?:言|い(?:え|い)|限|思|断|考え)|わけでは|かどうか|でしょうか|ですか|ますか|だろうか|ではないか|かもしれ|[?？]|べきでは|なら(?!び)|であれば"
    r"|ければ|とすると|場合|根拠|など|から選|意見|理由を|説明して|教えて|のどちら|のいずれ|のうち|で迷|と迷|を比較|を鑑別|が鑑別"
)
_NO_DOUBT = re.compile(
    r"(?:間違い|に違い|他には?|疑い(?:よう)?の?(?:余地)?)(?:は|が)?(?:な[いく]|ありませ[んぬ]|ございませ[んぬ])"
)
_OF_OTHERS = re.compile(
    r"(?:人|学生|受験者|回答者|研修医|意見|説)(?:が|は|も|で)|以前|かつて|従来|もし|仮に|[Ii]f\b|don't|doubt"
)
_TAKEN_BACK = re.compile(r"(?:が|けど|けれど|ものの)、[^。]*(?:誤|間違|不正解|違う|違い|否定)")
_NO_ANSWER = re.compile(
    rf"(?:{_FINAL_WORD}|{_ANSWER_WORD})[^。]{{0,12}}(?:わか|分か|不明|でき|選べ|ありませ|なし|ない)"
)
_ASKS_FOR_WRONG = re.compile(
    r"(?:ない|誤って|誤り|不適切|不適当|間違|禁忌|除く)[^。]{0,10}(?:どれ|何か|選べ|選び|1つ|2つ)"
)


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
        Options(choices), wanted, wrong_wanted=bool(_ASKS_FOR_WRONG.search(unicodedata.normalize("NFKC", question)))
    )
    found = reader.read(text)
    return tuple(LETTERS[option] for option in sorted(found)) if found else None


class _Alone:
    """Lines that are nothing but an answer; those that follow each other are one list."""

    def __init__(self) -> None:
        self.labels: set[int] = set()
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
        elif len(self.labels) == 1 and wanted < 2:
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
        readings += self._statements(cleaned, denied)
        return self._decided(readings, denied, mentioned)

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
        if run := self._run(re.sub(rf"^{_OPEN}|[.。]?{_CLOSE}$", "", text)):
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
            if runs and (_BESIDE.fullmatch(gap) or _INSTEAD.fullmatch(gap)):
                runs[-1].append(mention)
                instead[-1] = instead[-1] or bool(_INSTEAD.fullmatch(gap) and not _BESIDE.fullmatch(gap))
            else:
                runs.append([mention])
                instead.append(False)
        groups = []
        for place, run in enumerate(runs):
            before = statement[runs[place - 1][-1].end if place else 0 : run[0].start]
            after = statement[run[-1].end : runs[place + 1][0].start if place + 1 < len(runs) else len(statement)]
            groups.append(_Group(tuple(run), before, after, instead[place]))
        return groups

    def _statements(self, text: str, denied: set[int]) -> Iterator[Reading]:
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
            if groups and not only and _ONLY_BEFORE.fullmatch(groups[0].before) and _LABELLED.match(groups[0].after):
                listed.add(groups[0].mentions[0].option)
            alone.next(groups[0] if only and run is None and not heading else None)
            if run is not None:
                yield Reading(Strength.MARKED, run)
            elif not groups:
                if _NO_ANSWER.search(statement):
                    yield Reading(Strength.FINAL, None)
            elif heading and (only or not groups[0].before.strip(" 「『(\"'[")):
                yield self._judged(groups[0], Strength.MARKED, denied) or Reading(Strength.MARKED, None)
            elif not only:
                yield from filter(None, (self._said(group, denied) for group in groups))
                alone.labels |= self._labels(groups)
            blank = not statement.strip()
            heading = (heading and (blank or only)) or (not groups and bool(_HEADING.fullmatch(statement)))
        yield from alone.readings(self.wanted)

    def _labels(self, groups: Sequence[_Group]) -> set[int]:
        """The option of a statement that begins with its letter ("C. …"); none where it does not."""
        first = groups[0]
        letter = len(groups) == 1 and len(first.mentions) == 1 and first.mentions[0].form in ("letter", "small")
        begins = letter and _ONLY_BEFORE.fullmatch(first.before) and _LABEL_AFTER.match(first.after)
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
            _BEFORE_MARKED.search(statement[: found.start()]) or _BEFORE_FINAL.search(statement[: found.start()])
        ):
            return None
        return self._run(found[1]) if _ONLY_AFTER.fullmatch(statement[found.end() :]) else None

    def _said(self, group: _Group, denied: set[int]) -> Reading | None:
        """What one group in a statement says."""
        before = group.before[-60:]
        if _OF_OTHERS.search(before):
            return None
        if _BEFORE_FINAL.search(before):
            return self._judged(group, Strength.FINAL, denied)
        if _BEFORE_MARKED.search(before):
            return self._judged(group, Strength.MARKED, denied)
        if _BEFORE_WRONG.search(before):
            if self.wrong_wanted:
                return self._judged(group, Strength.SAID, denied)
            denied |= group.options or set()
            return None
        if _BEFORE_SAID.search(before):
            return self._judged(group, Strength.SAID, denied)
        return None if self.wrong_wanted else self._followed(group, denied)

    def _followed(self, group: _Group, denied: set[int]) -> Reading | None:
        """What the words behind a group say of it, where none before it did."""
        before = group.before[-60:]
        if _DENIED.match(group.after):
            denied |= {mention.option for mention in group.mentions}
            return None
        said = _SAID.match(group.after)
        if said and not _doubtful(group.after, said.end()):
            return Reading(Strength.SAID, group.options)
        if (ending := _PLAIN_AFTER.match(group.after)) and _PLAIN_BEFORE.fullmatch(group.before):
            return None if _doubtful(group.after, ending.end()) else Reading(Strength.SAID, group.options)
        if _BECAUSE.search(before) and _ONLY_AFTER.fullmatch(group.after):
            return Reading(Strength.SAID, group.options)
        if _WEAK.match(group.after) and not re.search(r"な[いく]|ませ|が、|たが|否定|除外", group.after):
            return Reading(Strength.WEAK, group.options)
        return None

    def _judged(self, group: _Group, strength: Strength, denied: set[int]) -> Reading | None:
        """The reading of a group that a marker announces, unless it is denied or doubted."""
        after = group.after[:60]
        if _DENIED.match(after) and not (self.wrong_wanted and strength is Strength.SAID):
            denied |= group.options or set()
            return None
        if _doubtful(after, 0):
            return None
        if any(mention.form == "small" for mention in group.mentions) and re.match(r" [a-z]", after):
            return None
        return Reading(strength, group.options)

    def _decided(self, readings: Sequence[Reading], denied: set[int], mentioned: set[int]) -> frozenset[int] | None:
        """The options of the strongest readings, if they agree with each other and with what is said plainly."""
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


def _is_only(group: _Group) -> bool:
    return bool(_ONLY_BEFORE.fullmatch(group.before) and _ONLY_AFTER.fullmatch(group.after))


def _doubtful(after: str, start: int) -> bool:
    """Whether what follows takes the statement back ("とは言えない", "でしょうか")."""
    if _TAKEN_BACK.search(after[:80]):
        return True
    rest = _NO_DOUBT.sub("", after)
    head = rest[:start]
    tail = re.split(r"[、,](?!とは)", rest[start:], maxsplit=1)[0]
    return bool(_DOUBT.search(head + tail) or re.search(r"な(?:い|く)|ませ[んぬ]|n't\b|\bnot\b", tail))


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """The statements of a text."""
    start = 0
    for pause in _PAUSE.finditer(text):
        yield start, pause.start()
        start = pause.end()
    if start < len(text):
        yield start, len(text)
