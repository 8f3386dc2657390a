"""The words before and behind an option in a free answer, in Japanese and English, as patterns.

Does: say how an answer is announced, denied, doubted, taken back or concluded. Does not: look for options, or decide
(reading_choices.py).
"""

from __future__ import annotations

import re

OPEN, CLOSE = r"[\s「『【〔(\[\"'“”‘’<《{]*", r"[\s」』】〕)\]\"'“”‘’>》}]*"
PAUSE = re.compile(
    r"\n|。|[!！]|(?<=[?？])|(?<=[a-z)][a-z)])\.\s|(?<=is [A-Z])\.\s|(?<=ot [A-Z])\.\s|(?<=on [A-Z])\.\s"
)
OPTION_WORD = r"(?:選択肢|番号|記号|[Oo]ptions?|[Cc]hoices?)?\s*"
BESIDE = re.compile(
    rf"(?:番)?{CLOSE}(?:[,、，・/&+;|]|と|および|及び|ならびに|かつ|\band\b)?\s*(?:と)?{OPEN}{OPTION_WORD}{OPEN}"
)
INSTEAD = re.compile(
    rf"(?:番)?{CLOSE}[,、]?\s*(?:か(?!つ)|や|または|又は|もしくは|若しくは|あるいは|或いは|\bor\b|〜|~|-"
    rf"|から)\s*[,、]?{OPEN}{OPTION_WORD}{OPEN}"
)
ENDING = r"(?:番)?(?:(?:です|である|だ|になります|となります|になる|となる|でした)(?!か))?"
SO = (
    r"(?:(?:∴|よって|したがって|従って|ゆえに|故に|以上(?:の(?:こと|理由))?(?:より|から)|すなわち|つまり|結局|結論から(?:言うと|言えば)"
    r"|総合(?:して|すると)|以上|はい|おそらく|恐らく|たぶん|多分|きっと|やはり|消去法で|私は|[Tt]herefore|[Tt]hus|[Ss]o"
    r"|[Hh]ence)[、,:]?\s*){0,3}"
)
ONLY_BEFORE = re.compile(rf"[.…]*{OPEN}{SO}{OPTION_WORD}[:：]?{OPEN}")
ONLY_AFTER = re.compile(
    rf"{CLOSE}(?:\s*\((?![^()]*(?:誤|不|×|除|ない|なし|否|[Ww]rong|[Ii]ncorrect"
    rf"|[Nn]ot))[^()]{{0,40}}\))?{ENDING}{CLOSE}[.,:、。]*{CLOSE}"
)
LABELLED = re.compile(r"[.:)]|\s*[-–:]")
LABEL_AFTER = re.compile(r"[.:)]\s*\S|\s+(?:because|as|since|due)\b")

# Words before an answer. A marker has a left guard: 不正解, 誤答, "incorrect answer".
FINAL_WORD = r"(?:最終(?:的)?な?(?:の)?(?:回答|解答|答え|答|正解|判断|選択|結論)|結論(?:として)?|[Ff]inal [Aa]nswer)"
ANSWER_WORD = (
    r"(?:(?<![不非無])正解(?!率|者|数)|(?<![不非誤])正答|(?<![誤模])解答|(?<!誤)回答|(?<!い)答え|(?<!お)こたえ"
    r"|(?<![不誤正解回応返問])答|(?<![不誤正解回理読見分])解(?=[:：])"
    r"|(?<![A-Za-z])(?:[Aa]nswers?|ANSWER|[Aa]ns\b\.?)|(?<![Ii]n)[Cc]orrect (?:[Oo]ptions?"
    r"|[Cc]hoices?)|(?:[Rr]ight|[Bb]est) (?:[Oo]ption|[Cc]hoice))"
)
FITTING = (
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
BETWEEN = (
    rf"(?:と(?:思わ|考えら|さ)れる|となる|に(?:あたる|当たる|該当する)|を選ぶと)?(?:の?(?:選択肢|番号|記号|もの|組み?合わせ|疾患)|肢"
    rf"|の)?[\s」』】)\]》\"'.]*(?:は|が|を|としては|として|[Ii]s|[Aa]re|(?:would|should|must|will) be"
    rf"|[:：=→⇒➡>、,]|なら)*"
    rf"(?:[\s,、:：.…–—-]|選択肢の(?:中の)?|ズバリ|ずばり|もちろん|おそらく|やはり"
    r"|以下の通り(?:です)?|次の通り(?:です)?|[Tt]he "
    rf"|most likely|probably|clearly)*{OPEN}{OPTION_WORD}{OPEN}$"
)
GUARD = r"(?<![Ii]ncorrect )(?<![Ww]rong )(?<!ない)(?<!った)(?<!not the )(?<!not a )"
BEFORE_FINAL = re.compile(GUARD + FINAL_WORD + r"(?:、?(?:答え|正解)(?=は))?" + BETWEEN)
BEFORE_MARKED = re.compile(GUARD + ANSWER_WORD + BETWEEN)
BEFORE_SAID = re.compile(rf"{FITTING}{BETWEEN}|(?:では|じゃ)なく(?:て)?、?{OPEN}{OPTION_WORD}{OPEN}$|^[○◯〇✓✔◎⭕]\s*$")
BEFORE_WRONG = re.compile(
    r"(?:不正解|誤答|誤り|誤って(?:い)?る|誤った|間違(?:い|って(?:い)?る|った|えた)|考えにくい|考えられない|正しくない|正解では?ない|適切では?ない"
    r"|不適切|不適当|(?:該当|合致)しない|当てはまらない|除外"
    r"|[Ii]ncorrect|[Ww]rong|[Nn]ot correct|[Ff]alse)[^。、\n]{0,14}$|\b(?:[Nn]ot"
    r"|[Aa]nything but)\s+(?:option\s+)?$|^[×✗✘❌]\s*$"
)
WRONG_IS = re.compile(
    rf"(?:(?:い|る|た|い|り|答|解|切|当|外|[a-z])(?:な|の|もの|選択肢|記述|組み?合わせ|肢|症状|所見|疾患|合併症|検査|治療|対応|薬剤?|option"
    rf"|choice|answer|one)*(?:は|が|[:：]|is)[\s、,]*|^[×✗✘❌]\s*|\b(?:[Nn]ot|[Aa]nything but)\s+(?:option\s+)?)"
    rf"{OPEN}{OPTION_WORD}{OPEN}$"
)
CONCLUDING = re.compile(
    r"^\W*(?:∴|よって|したがって|従って|ゆえに|故に|以上(?:の(?:こと|理由))?(?:より|から)|これらのことから|このことから|結論として"
    r"|総合(?:して|すると)|[Tt]herefore|[Tt]hus|[Hh]ence)[^。\n]*(?:は|が|[Ii]s)[、,\s]*"
    rf"{OPEN}{OPTION_WORD}{OPEN}$"
)
NEGATIVE = re.compile(r"な[いく]|誤|間違|不適|不正|禁忌|除|否定|低い|にくい|\bnot\b|[Ww]rong|[Ii]ncorrect|[Ee]xcept")
POSITIVE = re.compile(r"正し(?!くな)|(?<!不)適切(?!では?な)|(?<!不)正解|妥当|[Cc]orrect")
HEADING = re.compile(
    rf"{OPEN}(?:[^。]{{0,12}}の)?(?:{FINAL_WORD}|{ANSWER_WORD})(?:の?(?:選択肢|番号))?{CLOSE}(?:は"
    rf"|[:：]|is)*(?:(?:以下|次)の?(?:通り|とおり|もの|[0-9一二三]つ|選択肢)?(?:です|である|になります)?)?[\s:：]*{CLOSE}"
)

CLOSING = re.compile(
    rf"{OPEN}(?:{FINAL_WORD}|{ANSWER_WORD})(?:の?(?:選択肢|番号))?(?:[\s]*[」』】〕)\]》>][\s:：]*|\s*[:：]\s*){OPEN}"
)

# Words behind an answer.
DENIED = re.compile(
    rf"{CLOSE}(?:番)?[\s:：.→=)]*(?:では?(?:な(?!いか)|ありませ)|じゃな|でも(?:な|[A-Z])|(?:は|が|も|を)?、?(?:最も"
    rf"|もっとも|全く|やや|あまり|明らかに)?(?:正しくな|正しくあり|正解では?な|正解では?あり|適切では?な|適切では?あり|妥当では?な"
    r"|典型的では?な|誤|間違|不適|不正解|違(?:う|い|って)|該当しな|該当しませ|当てはま(?:らな|りませ)|合致しな|一致しな|考えにく|考えられな|考えられませ|否定|除外|除(?:く|い)|可能性は低"
    r"|可能性が低|選びませ|選ばな|選択しな|選ぶべきでは|選択すべきでは|みられな|認めな|ない|ありませ)|以外|より(?!正)|(?:は|が)?[×✗✘❌]"
    r"|[Ff]alse\b|[Ii]ncorrect\b|[Ww]rong\b"
    r"|(?:is|are|was|were) (?:not|wrong|incorrect|false|unlikely|ruled)|isn't|aren't|(?:can"
    r"|should) be (?:excluded|ruled))"
)
PLAIN = (
    rf"{CLOSE}(?:番)?(?:で(?:す|ある|しょう|お願い)|だ(?!が|け|った|と(?!思|考|判|推|診|感|言え)|か)|だろう|と(?:な(?:る|りま)"
    rf"|思|考え|判断|推測|診断|推定|解釈|回答(?!で)|解答(?!で))|にな(?:る|りま))"
)
"""An ending that any subject can have: it counts only where the statement has no other subject."""
PLAIN_AFTER = re.compile(PLAIN)
PLAIN_BEFORE = re.compile(
    rf"(?:.*[、,]|.*(?:所見|こと|結果|経過|以上|症例|患者|場合|ここ|今回|本例)(?:から|より|では?|は))?{OPEN}{SO}{OPTION_WORD}{OPEN}",
    re.DOTALL,
)
BECAUSE = re.compile(rf"(?:ので|のため|だから|よって|したがって|ゆえに|∴)、?{OPEN}{OPTION_WORD}{OPEN}$")
SAID = re.compile(
    rf"{CLOSE}(?:番)?[\s:：.→=)]*(?:(?:のみ|だけ)?(?:が|は|こそ)?、?(?:最も|もっとも|一番)?(?:正し(?:い|く(?!な|あ))"
    rf"|(?<!不)正解|正答|(?:適切|適当|妥当)(?!な(?!の|もの|選択|答|治療で|対応で|検査で))|最適|該当(?:する|しま|です|$)|当てはまる|当てはまりま|考えられ(?:る|ま)|疑われ(?:る|ま)"
    r"|可能性が(?:最も|一番)?高|考えやす|最?有力|ふさわし|合致(?:する|しま)|答え(?:です|である|だ|にな|とな|と|$)|選択すべき|望まし|第一選択|最善|推奨)"
    r"|の可能性が(?:最も|一番)?高|(?:が|は)(?:最も|もっとも)"
    r"|に(?:最も|よく)?(?:合致|一致|該当)(?:する|しま|し)|を(?:選択(?!肢|しな|しませ|すべきでは|する(?:人|学生))|選(?:び(?!ませ|たく"
    r"|がち)|ぶ(?!べきでは|人|学生|と)|ん(?!だ?(?:群|人|者|学生|場合|患者)))|(?:回答|解答|答え|正解)と(?:し(?!な|ませ)|する(?:$|。"
    r"|\s)|いたし)|挙げ(?!るこ)|(?:最も|強く|第一に)(?:疑|考え))"
    rf"|(?:が|は)?[○◯〇✓✔◎⭕]|で(?:間違いな|決まり|よい|良い)|[Tt]rue\b|[Cc]orrect\b|best (?:fits|matches"
    rf"|explains)|(?:is|seems|would be|are) (?:the )?(?:most )?(?:correct|right|best|answer"
    rf"|likely|appropriate))"
)
WEAK = re.compile(rf"{CLOSE}(?:を(?:疑(?:う|い)|考え(?:る|ま))(?!前)|(?:が|を)示唆|(?:の可能性)?かもしれ(?:ない|ませ))")
DOUBT = re.compile(
    r"とは(?:言|い(?:え|い)|限|思|断|考え)|わけでは|かどうか|でしょうか|ですか|ますか|だろうか|ではないか|かもしれ|[?？]|べきでは|なら(?!び)|であれば"
    r"|ければ|とすると|場合|根拠|など|から選|意見|理由を|説明して|教えて|のどちら|のいずれ|のうち|で迷|と迷|を比較|を鑑別|が鑑別"
)
NO_DOUBT = re.compile(
    r"(?:間違い|に違い|他には?|疑い(?:よう)?の?(?:余地)?)(?:は|が)?(?:な[いく]|ありませ[んぬ]|ございませ[んぬ])"
)
OF_OTHERS = re.compile(
    r"(?:人|学生|受験者|回答者|研修医|意見|説)(?:が|は|も|で)|以前|かつて|従来|もし|仮に|[Ii]f\b|don't|doubt"
)
TAKEN_BACK = re.compile(r"(?:が|けど|けれど|ものの)、[^。]*(?:誤|間違|不正解|違う|違い|否定)")
NO_ANSWER = re.compile(rf"(?:{FINAL_WORD}|{ANSWER_WORD})[^。]{{0,12}}(?:わか|分か|不明|でき|選べ|ありませ|なし|ない)")
ASKS_FOR_WRONG = re.compile(
    r"(?:ない|誤って|誤り|不適切|不適当|間違|禁忌|除く|考えにくい)[^。]{0,10}(?:どれ|何か|選べ|選び|1つ|2つ)"
)
