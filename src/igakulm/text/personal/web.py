"""Mail addresses, URLs, accounts and tags.

Does: find them in every spelling that people use to show or to hide them. Does not: take the entries of a problem list
(「#糖尿病 #高血圧」), doses (「@3mL/h」) or times of intake (「@bedtime」) for tags and accounts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from igakulm.text.personal.exceptions import words
from igakulm.text.personal.spans import Piece
from igakulm.text.personal.telephone import SHORT_NUMBER

_ASCII = "[!#-;=?-~〜]"
_JAPANESE = "一-鿿々〆ぁ-ゖァ-ヺー"
_END = r"(?<![)\].,;:'])"
_WIDE_PATH = rf"(?:(?<=[/=])[一-鿿々ァ-ヺー]+(?=[/.?#\n )」]|$){_ASCII}*)*"
_URLS = tuple(
    (
        literal,
        re.compile(rf"{pattern}(?:{_ASCII}*[一-鿿々ァ-ヺーぁ-ゖ]{{1,12}}(?=\.[a-z]))?{_ASCII}+{_WIDE_PATH}{_END}"),
    )
    for literal, pattern in (
        ("http", "https?:// ?"),
        ("HTTP", "HTTPS?:// ?"),
        ("ttp", "ttps?://"),
        ("hxxp", "hxxps?://"),
        ("ftp", "ftps?://"),
        ("mailto:", "mailto:"),
        ("www.", r"www\.(?<![\w.@-]www\.)"),
        ("WWW.", r"WWW\.(?<![\w.@-]WWW\.)"),
    )
)
_SECOND = "(?:co|or|ne|go|ac|ed|lg|gr)"
_TOP = "jp|com|org|net|info|biz"
_DOMAIN = re.compile(
    rf"(?<![\w.@/-])(?!vs\.com)(?!{_SECOND}\.jp(?![.A-Za-z0-9]))(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+"
    rf"(?:{_SECOND}\.jp|{_TOP})(?![A-Za-z0-9_-]|\.[a-z])(?:/{_ASCII}*)?{_END}"
)
_CAPITAL_DOMAIN = re.compile(
    r"(?<![\w.@/-])(?:[A-Z0-9](?:[A-Z0-9-]*[A-Z0-9])?\.)+(?:(?:CO|OR|NE|GO|AC|ED|LG|GR)\.JP|JP|COM)(?![A-Za-z0-9_.-])"
)
_NEW_TOP = (
    "io|me|ly|app|dev|tv|cc|co|us|uk|eu|cn|kr|tw|de|fr|site|online|shop|xyz|cloud|clinic|hospital|health|care|tokyo|"
    "osaka|nagoya|kyoto|blog|page|link|gl|be|id|to|gg"
)
_NAMED_TOP = "clinic|hospital|health|tokyo|online|site|shop|xyz|blog"
_TOP_MARK = re.compile(rf"\.(?:{_TOP}|JP|COM|(?:{_NEW_TOP})/[A-Za-z0-9]|(?:{_NAMED_TOP})(?![\w.-]))")
_NEW_DOMAIN = re.compile(
    r"(?<![\w.@/-])(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+"
    rf"(?:(?:{_NEW_TOP})/[A-Za-z0-9]{_ASCII}*{_END}|(?:{_NAMED_TOP})(?![\w.-]))"
)
_WIDE_DOMAIN = re.compile(rf"(?<![\w.@/-])[{_JAPANESE}]{{2,20}}\.(?:jp|com|net)(?![\w.-])(?:/{_ASCII}*)?{_END}")

_SIGN = r"(?:@|[(\[{<](?:at|AT|@|アット(?:マーク)?)[)\]}>]|_at_|アットマーク)"
_HOST = r"(?:(?:[0-9A-Za-z](?:[0-9A-Za-z-]*[0-9A-Za-z])?\.)+[A-Za-z][A-Za-z0-9-]+|[0-9]{1,3}(?:\.[0-9]{1,3}){3})"
_LOCAL = r"[0-9A-Za-z][0-9A-Za-z._%+'-]*"
_MAIL = re.compile(
    rf"(?<![0-9A-Za-z._%+-])(?:{_LOCAL}?|[一-鿿々]{{1,6}}|[ァ-ヺー]{{2,10}}) ?{_SIGN} ?{_HOST}(?![0-9A-Za-z])"
)
_STARS = "★☆◎●○■♪"
_HIDDEN_MAIL = re.compile(rf"(?<![0-9A-Za-z._%+-]){_LOCAL}[{_STARS}][0-9A-Za-z.-]+\.[A-Za-z]{{2,}}")
_SIGNS = ("@", "at)", "at]", "_at_", "アット", "AT)", "AT]")

_SERVICES = (
    "Twitter|twitter|ツイッター|Instagram|instagram|インスタグラム|インスタ|TikTok|Facebook|FB|Mastodon|YouTube|"
    "Skype|"
    "Threads|アカウント名|アカウント|カカオトーク|カカオ"
)
_LABELLED_ACCOUNT = re.compile(
    rf"(?:LINE ?ID|ライン ?ID|{_SERVICES})(?:の?アカウント)?(?: ?ID)?[:は( ]{{0,3}}"
    r"(?P<account>@?[0-9A-Za-z_][0-9A-Za-z_.-]*[0-9A-Za-z_](?:@[0-9A-Za-z.-]+)?)"
)
_LABELS = ("ID", "@", "アカウント", "インスタ", "nstagram", "witter")
"""One of them stands beside every labelled account."""
_ACCOUNT = re.compile(
    r"@(?<![0-9A-Za-z._%+-]@)(?P<name>[0-9A-Za-z_][0-9A-Za-z_]*(?:\.[0-9A-Za-z_]+)*)(?:@[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)+)?"
)
_WIDE_ACCOUNT = re.compile(r"@(?<![\w.%+-]@)(?P<name>[一-鿿々ぁ-ゖァ-ヺー]{1,8}?)(?=さん|ちゃん|くん|[^\wー]|$)")
_NOT_ACCOUNT = frozenset(
    words(
        "bedtime bedside home ward er icu ccu nicu hcu or op opd hs am pm ac pc top rest exercise discharge admission"
    )
)
_DOSE = re.compile(
    r"[0-9]+(?:\.[0-9]+)?(?:mL|ml|mg|g|L|l|nm|h|hr|cc|min|MHz|Hz|kg|U|u|µg|ug|mcg|cm|mm|T|V|A|J|Gy|x|X)?"
)

_TAG = re.compile(r"#(?<![0-9A-Za-z&/#]#)[0-9A-Za-z_ぁ-ゖァ-ヺー々〆㐀-䶿一-鿿]+")
_DIRECTIVE = re.compile("#(?:include|define|ifdef|ifndef|endif|pragma|undef|if|else|elif|region|endregion)")
_COLOUR = re.compile(r"#(?:[0-9A-F]{6}|[0-9a-f]{6})")
_PROBLEM = re.compile(
    r"病|症|炎|[癌瘤腫傷疹痛熱]|がん(?!ば)|不全|梗塞|出血|骨折|貧血|感染|障害|脱水|ショック|血栓|塞栓|狭窄|閉塞|"
    r"高血圧|低血圧|血糖|高脂|結核|発作|麻痺|"
    r"拘縮|褥瘡|浮腫|腹水|胸水|下痢|便秘|嘔|咳|めまい|せん妄|不眠|肥満|低栄養|嚥下|抜歯|妊娠|分娩|術後|後遺|既往|"
    r"異常|低下|上昇|亢進|過多|欠乏|依存|"
    r"中毒|アレルギー|喘息|肺|心|肝|腎|脳|胃|腸|胆|膵|尿|血|CA|Ca$|転倒|リスク|疼痛|独居|不安|管理$|血圧|白血|"
    r"リンパ|悪性|良性|疑い|精査|[CR]KD"
)
_ABBREVIATION = re.compile(
    r"[A-Z][A-Za-z0-9]{0,5}|s/?p[a-z ]*|[a-z]{3,}(?:sis|itis|oma|emia|uria|pathy|osis|ia|ism|ure|tion)"
)
_LIST_LABEL = re.compile(
    r"(?:リスト|Problem|problem|プロブレム|診断|病名|現病|既往|歴|[SOAP]\)|[SOAP]:|Assessment|Plan|評価|"
    r"計画)[^。\n]{0,12}$"
)
_SOCIAL = re.compile(
    r"[ぁ-ゖ]{2,}|.*(?:レシピ|日記|ダイエット|フォロー|相互|拡散|応援|好きな人|ランチ|ディナー|写真|動画|カフェ|"
    r"推し|あるある|[0-9]{4}年|"
    r"チャレンジ|生活|記録|ごはん|部$).*|健康|手術|入院|退院|看護師|医療|医師|闘病|美容|運動|筋トレ|ヨガ|旅行|"
    r"子育て|育児|PR|ad"
)


def lines_with(seen: str, mark: str) -> Iterator[tuple[int, int]]:
    """Start and end of the lines that hold `mark`: patterns that begin with anything would be slow on whole texts."""
    position = seen.find(mark)
    while position >= 0:
        start = seen.rfind("\n", 0, position) + 1
        end = seen.find("\n", position)
        end = len(seen) if end < 0 else end
        yield start, end
        position = seen.find(mark, end)


def _in_lines(patterns: tuple[re.Pattern[str], ...], seen: str, marks: tuple[str, ...]) -> Iterator[Piece]:
    done: set[int] = set()
    for mark in marks:
        for start, end in lines_with(seen, mark):
            if start not in done:
                done.add(start)
                for pattern in patterns:
                    yield from (Piece(*found.span()) for found in pattern.finditer(seen, start, end))


def find_urls(seen: str) -> Iterator[Piece]:
    """URLs with and without a scheme."""
    schemes = "://" in seen
    for literal, pattern in _URLS:
        if (schemes or literal[-1] in ".:") and literal in seen:
            yield from (Piece(*found.span(), 0.99) for found in pattern.finditer(seen))
    done = -1
    for mark in _TOP_MARK.finditer(seen):
        if mark.start() >= done:
            start, done = _line(seen, mark.start())
            yield from _domains(seen, start, done)


def _domains(seen: str, start: int, end: int) -> Iterator[Piece]:
    for pattern in (_DOMAIN, _WIDE_DOMAIN, _NEW_DOMAIN):
        yield from (Piece(*found.span()) for found in pattern.finditer(seen, start, end))
    for found in _CAPITAL_DOMAIN.finditer(seen, start, end):
        if len(found[0].split(".")[0]) > 2:
            yield Piece(*found.span())


def _line(seen: str, place: int) -> tuple[int, int]:
    end = seen.find("\n", place)
    return seen.rfind("\n", 0, place) + 1, len(seen) if end < 0 else end


def find_mails(seen: str) -> Iterator[Piece]:
    """Mail addresses; the sign may be spelt out, or replaced by a star in a text that explains it with an @."""
    for piece in _in_lines((_MAIL,), seen, _SIGNS):
        yield piece._replace(confidence=0.98)
    stars = tuple(star for star in _STARS if star in seen)
    if stars and "@" in seen:
        yield from _in_lines((_HIDDEN_MAIL,), seen, stars)


def find_accounts(seen: str, given_name: Callable[[str], bool] = lambda _: False) -> Iterator[Piece]:
    """@accounts and the names of accounts after the name of a service."""
    for start, end in sorted({line for label in _LABELS for line in lines_with(seen, label)}):
        for found in _LABELLED_ACCOUNT.finditer(seen, start, end):
            if re.search("[0-9_.@]|[a-z]{3}", found["account"]):
                yield Piece(*found.span("account"), 0.97)
    if "@" not in seen:
        return
    for found in _ACCOUNT.finditer(seen):
        name = found["name"]
        if _is_account(name, seen[max(0, found.start() - 12) : found.start()]):
            yield Piece(*found.span(), 0.9)
    for found in _WIDE_ACCOUNT.finditer(seen):
        if given_name(found["name"]):
            yield Piece(*found.span(), 0.8)


def _is_account(name: str, before: str) -> bool:
    if _DOSE.fullmatch(name) or name.lower() in _NOT_ACCOUNT or len(name) < 2:
        return False
    if re.search(r"[0-9](?:mg|mL|ml|g|γ|U|単位|%)? ?$", before) or (
        re.search(r"[一-鿿ァ-ヺ]$", before) and len(name) < 4
    ):
        return False
    return not (name.isalpha() and name.isupper() and len(name) <= 3) and not name.isdigit()


def find_tags(seen: str, records: bool) -> Iterator[Piece]:
    """#tags of social media, never an entry of a problem list.

    Args:
        seen: text as `reading.read` gives it.
        records: whether the text is a hospital's record, where only a tag that cannot be a problem is taken.
    """
    for start, end in lines_with(seen, "#"):
        yield from _tags_of_line(seen, start, end, records)


def _tags_of_line(seen: str, start: int, end: int, records: bool) -> Iterator[Piece]:
    """A line that only starts with one `#` is an entry of a problem list (「#1 糖尿病」「#高血圧」), not a tag."""
    tags = [tag for tag in _TAG.finditer(seen, start, end) if not tag[0][1:].isdigit()]
    tags = [tag for tag in tags if not _COLOUR.fullmatch(tag[0]) and not _DIRECTIVE.fullmatch(tag[0])]
    tags = [tag for tag in tags if not SHORT_NUMBER.match(tag[0])]
    if not tags:
        return
    alone = len(tags) == 1 and not seen[start : tags[0].start()].strip(" ") and not _plain_social(tags[0][0][1:])
    if alone or _problem_list(seen[start : tags[0].start()], [tag[0][1:] for tag in tags]):
        return
    for tag in tags:
        if not records or _plain_social(tag[0][1:]):
            yield Piece(*tag.span(), 0.9)


def _plain_social(tag: str) -> bool:
    """Whether a tag can be nothing but one of social media."""
    return not _PROBLEM.search(tag) and bool(_SOCIAL.fullmatch(tag) or re.search("[ぁ-ゖ]{3,}", tag))


def _problem_list(before: str, tags: list[str]) -> bool:
    """Whether the tags of a line are problems: by the words before the first, or by most of them."""
    numbered = sum(bool(re.match("[0-9]{1,2}(?![0-9年])", tag)) for tag in tags)
    if numbered == len(tags) or _LIST_LABEL.search(before):
        return True
    problems = sum(bool(_PROBLEM.search(tag) and not re.search("[ぁ-ゖ]{3,}", tag)) for tag in tags)
    problems += sum(bool(_ABBREVIATION.fullmatch(tag)) for tag in tags)
    return 2 * (problems + numbered) >= len(tags)
