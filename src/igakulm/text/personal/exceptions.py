"""What looks like a name or an institution and is none: eponyms, drugs and their makers, roles, kin, generic houses.

Does: hold the words. Does not: find anything.
"""

from __future__ import annotations

import re


def words(text: str) -> tuple[str, ...]:
    """The words of a list that is written with spaces."""
    return tuple(text.split())


EPONYM_END = re.compile(
    r"[ 型]?(?:病|症候群|症|症状|徴候|反応|試験|テスト|検査|法|術|手術|術式|式|氏法|分類|基準|スコア|スケール|指数|"
    r"体|菌|染色|骨盤|線|点|三角|"
    r"反射|体操|動脈炎|甲状腺炎|脳炎|脳症|リンパ腫|肉腫|腫瘍|貧血|紫斑病|熱|苔癬|母斑|斑|角化|筋ジストロフィー|"
    r"ヘルニア|骨折|靱帯|鉗子|鑷子|剪刀|管|"
    r"チューブ|カテーテル|ドレーン|バルーン|ステント|膿瘍|憩室|窩|嚢|孔|結節|細胞|小体|因子|現象|効果|麻痺|"
    r"ジストロフィ|変法|体位|食|培地|抗体|抗原|"
    r"ワクチン|株|型(?![がはの、。])|ー|・)"
)
"""After a name: then the name stands for a disease, a sign, a method or an instrument (「橋本病」「福山型」)."""
EPONYM_PAIR = re.compile(
    r"[ァ-ヴー]+[・-][ァ-ヴー・-]+(?:病|症候群|の?式|の?公式|法|分類|反応|試験|徴候|スケール|骨折|ヘルニア|線|術|"
    r"リンパ腫|基準)"
)
COMPANY_END = re.compile(
    r"(?:製薬|薬品|化学|製作所|工業|産業|商事|電機|電気|食品|乳業|ファーマ|メディカル|漢方|堂(?![はがの、])|バイオ|"
    r"生命|テクノ)"
)
"""After a name: a maker (「小林製薬」), not a person."""

NO_NAME = frozenset(
    words(
        "清拭 検温 配膳 下膳 離床 巡視 訪室 入眠 覚醒 臥床 端座位 座位 介助 吸引 体位 体交 足浴 洗髪 "
        "口腔 含嗽 排便 排尿 採血 採尿 点滴 輸液 服薬 配薬 与薬 内服 外用 絶食 禁食 欠食 面会 面談 "
        "来院 来棟 帰宅 外出 外泊 退室 入室 帰室 出棟 送迎 転倒 転落 抑制 鎮静 挿管 抜管 透析 穿刺 "
        "返血 創部 包交 処置 経管 胃瘻 義歯 装具 車椅子 歩行器 個室 大部屋 郭清 下顎 上行 "
        "読影 確定 承認 交付 監査 鑑査 調剤 署名 検印 執刀 麻酔 当番 "
        "検討中 後日 決定 調整中 省略 別途 適宜 随時 要相談 非公開 自費 院内 院外 フォロワー ファン ママ パパ "
        "ユーザー リスナー ワーカー コール リソース フルネーム ユーザー リーダー "
        "メンバー オーナー パートナー マスター トレーナー "
        "ドナー "
        "レシピエント クライアント オペレーター チーム サブ 患者 患 本人 家族 親族 母 父 妻 夫 兄 弟 姉 妹 娘 息子 "
        "子供 子 孫 祖父 祖母 叔父 叔母 伯父 伯母 嫁 婿 奥 "
        "旦那 主人 長男 次男 三男 四男 長女 次女 三女 四女 義父 義母 義兄 義姉 甥 姪 従兄弟 両親 親 母親 父親 配偶者 "
        "同居人 友人 知人 隣人 近隣 近所 親戚 児 患児 赤 坊 嬢 お母 お父 お兄 お姉 お子 お孫 お嫁 お婿 御家族 ご家族 "
        "ご本人 御本人 ご主人 皆 各位 誰 何 某 看護師 看護婦 准看護師 保健師 助産師 医師 主治医 担当医 担当 当直医 "
        "当直 前医 紹介医 麻酔科医 外科医 内科医 研修医 指導医 専攻医 専門医 開業医 産業医 校医 執刀医 薬剤師 "
        "理学療法士 作業療法士 言語聴覚士 療法士 栄養士 管理栄養士 技師 検査技師 放射線技師 臨床工学技士 技士 相談員 "
        "支援員 介護士 介護福祉士 社会福祉士 ヘルパー ケアマネ ケアマネジャー ケアマネージャー ソーシャルワーカー "
        "事務 受付 院長 副院長 部長 副部長 医長 科長 室長 師長 主任 教授 准教授 講師 助教 名誉教授 理事長 施設長 "
        "会長 社長 所長 園長 校長 先生 職員 スタッフ 利用者 入居者 入所者 同室者 同室 他患 他科 当科 同科 外科 内科 "
        "整形 整形外科 脳外 循環器 循環器内科 消化器内科 呼吸器内科 神経内科 脳神経内科 脳神経外科 心臓血管外科 "
        "小児科 産婦人科 婦人科 産科 泌尿器科 皮膚科 眼科 耳鼻科 耳鼻咽喉科 放射線科 麻酔科 精神科 心療内科 救急科 "
        "救急 病理 歯科 口腔外科 形成外科 リハ リハビリ リハビリテーション科 総合診療科 腎臓内科 血液内科 内分泌内科 "
        "膠原病内科 感染症科 緩和ケア科 緩和 病棟 外来 病院 医院 クリニック 施設 薬局 学校 会社 警察 消防 役所 "
        "市役所 保険会社 業者 方 者 人 男性 女性 男 女 男児 女児 高齢者 成人 小児 新生児 乳児 幼児 客 お客 相手 "
        "被害者 加害者 不在 不明 未定 未記入 記載 同上 上記 下記 同 有 無 有無 なし あり 健在 同居 別居 死亡 他界 "
        "生存 未婚 既婚 離婚 死別 独身 健康 元気 良好 特記 該当 確認 変更 交代 代理 代行 対応 連絡 説明 同意 依頼 "
        "紹介 返信 報告 相談 指示 仕様 模様 同様 多様 異様 一様 有様 王様 神様 殿様 お客様 皆様 様 氏 殿 君 諸氏 "
        "両氏 同氏 彼 彼女 今日 明日 昨日 本日 今回 前回 次回 当院 他院 近医 自宅 お疲れ ご苦労 たく お世話 ご馳走 "
        "沢山 散々 段々 色々 様々 益々 病 疾患 症状 所見 経過 治療 手術 検査 診断 入院 退院 転院 予定 希望 血 尿 便 "
        "痰 熱 痛 自己 主 副 正 長 当 前 後 右 左 上 下 中 内 外 大 小 全 半 新 旧 初 再 次 第 約 毎 週 月 日 時 分 "
        "回 年 時間 生 食 水 食事 朝 昼 夜 夕 眠 市 町 村 県 国 区 郡 部 課 係 室 科 医 看 薬 検 処 製 品 用 使用 "
        "中止 開始 継続 終了 施行 実施 観察 管理 安静 歩行 移動 排泄 入浴 清潔 更衣 整容"
    )
)
"""Words of a hospital's daily notes that no honorific makes a name."""

NO_NAME_END = words(
    "科 病 症 医 士 師 員 者 長 部 課 係 室 棟 院 所 局 側 達 方 炎 癌 腫 剤 薬 酸 錠 検査 手術 治療 療法 年生 歳 "
    "才 性 男 女 児"
)
"""No name of a person ends so."""

WORD_NAMES = frozenset(
    words(
        "林 森 原 泉 東 西 南 北 関 岡 谷 堤 柳 桜 梅 杉 松 菊 星 月 光 薫 望 歩 旭 辻 堀 沢 畑 浜 島 岸 坂 峰 滝 湊 "
        "港 宮 城 門 田 山 川 海 空 風 花 葵 楓 翼 心 命 愛 優 実 誠 清 正 明 進 学 勝 勇 力 武 忍 忠 茂 豊 渡 境 平 "
        "丸 角 金 銀 玉 石 岩 土 水 火 木 竹 草 葉 根 枝 恵 幸 福 寿 向 池 沼 江 浦 津 高 古 今 緑 仲 伴 本 元 末 "
        "関口 入口 大腿 中心 中央 上下 左右 相対 安定 安静"
    )
)
"""Names that are words: only a title, a label or the same full name elsewhere makes them a person."""

ENGLISH_GIVEN = frozenset(
    words(
        "James John Robert Michael William David Richard Joseph Thomas Charles Christopher Daniel Matthew Anthony "
        "Donald Steven Paul Andrew Joshua Kenneth Kevin Brian George Edward Ronald Timothy Jason Jeffrey Ryan Jacob "
        "Gary Nicholas Eric Jonathan Stephen Larry Justin Scott Brandon Benjamin Samuel Gregory Frank Alexander "
        "Patrick Raymond Jack Dennis Jerry Tyler Aaron Jose Adam Nathan Henry Peter Kyle Walter Ethan Mary Patricia "
        "Jennifer Linda Elizabeth Barbara Susan Jessica Sarah Karen Lisa Nancy Betty Margaret Sandra Ashley Kimberly "
        "Emily Donna Michelle Carol Amanda Melissa Deborah Stephanie Rebecca Laura Helen Sharon Cynthia Kathleen Amy "
        "Angela Shirley Anna Brenda Pamela Emma Nicole Samantha Katherine Christine Rachel Carolyn Janet Maria "
        "Heather Diane Julie Victoria Joyce Lauren Kelly Christina Joan Evelyn Judith Megan Andrea Cheryl Hannah "
        "Jacqueline Martha Gloria Teresa Sara Madison Frances Kathryn Janice Jean Alice Abigail Julia Judy "
        "Sophia Grace Denise Amber Marilyn Danielle Beverly Isabella Theresa Diana Natalie Brittany Charlotte Marie "
        "Kayla Alexis Lori Carlos Juan Luis Miguel Antonio Pedro Wei Ming Nguyen Min Ji Soo Ahmed Mohammed Ali "
        "Fatima Hassan Raj Priya Ivan Olga Natasha Sergei"
    )
)
"""Given names that are common in English-speaking countries and among residents of Japan."""

GENERIC_HOUSE = re.compile(
    r"(?:総合|中央|中核|基幹|拠点|大学|大|専門|精神科?|一般|公立|公的|市立|町立|村立|県立|都立|府立|道立|国立|民間|"
    r"私立|地域|地方|救急|急性期|回復期|慢性期|療養型?|"
    r"リハビリテーション|リハビリ|当該|再度|内服|日本|特定機能|紹介先?|紹介元|転院元?|転院先|搬送先|搬送元|受診先|"
    r"他|当|同|前|近|"
    r"某|別|各|全|両|"
    r"本|元|先|旧|新|以前|近隣|近所|近く|遠方|地元|最寄り|入院|"
    r"外来|通院|関連|連携|協力|後方|提携|支援|かかりつけ|医療|高次|高度|三次|二次|一次|がん|癌|小児|こども|母子|"
    r"周産期|循環器|心臓|呼吸器|消化器|脳神経?|整形|形成|美容|"
    r"外科|内科|眼科|耳鼻科?|歯科|皮膚科?|泌尿器科?|産科?|婦人科?|神経|心療|透析|腎|肝臓?|血管|不妊|健診|検診|発熱|"
    r"救命|災害|系列|老人|高齢者|特別養護|介護|訪問|看護|"
    r"在宅|有料|短期|入所|通所|調剤|門前|保険|院外|院内|複数|数|地区|県内|県外|市内|市外|町内|都内|府内|道内|区内|"
    r"国内|海外|現地|第[一二三0-9]|[0-9A-Za-z〇○●◯△□■×*＊]+|[一二三四五六七八九十]+|"
    r"の|や|と|・|・|ヶ所|カ所|か所|箇所|つ|個|個人|大手|大規模|中小|小規模|医師会|健康|保健|福祉|社会|厚生|年金|"
    r"赤十字|日赤|済生会|病院|医院|診療所|クリニック|センター|附属|付属|分|本|附|科|型|病|者|の|認知症|"
    r"サービス付き|定期|随時|居宅|学校|小|中|高等|義務|小規模多機能|多機能|型|棟|病棟|薬|食堂|部|室|係|課|科|側|"
    r"側の|等|など)*"
)
"""What a name of a house can consist of without naming one; Japanese Red Cross and Saiseikai are many houses."""
