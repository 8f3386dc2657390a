"""Snippets of a hospital's records, written for this project: eight kinds, eight of each.

The thresholds of `kind: records` were set on the first four of each kind (OPEN); the others (HELD_OUT) were written at
the same time and only judged.
"""

SNIPPETS: dict[str, tuple[str, ...]] = {
    "laboratory": (
        "WBC 12300 RBC 412 Hb 12.8 Ht 38.5 Plt 21.4 CRP 8.42",
        "AST 45 U/L  ALT 62 U/L  γ-GTP 110 U/L  LDH 240 U/L  T-Bil 0.8 mg/dL",
        "Na 138 mEq/L\nK 4.1 mEq/L\nCl 102 mEq/L\nBUN 22.4 mg/dL\nCr 1.12 mg/dL\neGFR 48.6",
        "動脈血ガス pH 7.412 PaCO2 38.4 PaO2 71.2 HCO3 24.1 BE 0.3 Lac 1.2",
        "HbA1c 7.8 %(前回 8.2) FBS 142 TG 210 HDL 38 LDL 121",
        "PT-INR 2.31 APTT 38.2 Fib 412 D-dimer 1.8 AT3 88",
        "尿定性 蛋白(2+) 糖(-) 潜血(1+) 比重1.018 pH 6.0 沈渣 RBC 5-9/HPF WBC 1-4/HPF",
        "TSH 0.02 FT3 8.9 FT4 3.1 TRAb 12.4 (+)",
    ),
    "vital signs": (
        "BT 37.8 HR 96 BP 132/78 RR 20 SpO2 94%(RA)",
        "6:00 36.4 72 118/64\n10:00 36.8 80 124/70\n14:00 37.1 84 130/72\n21:00 36.6 76 120/66",
        "体温36.5 脈拍68整 血圧128/76 SpO2 98",
        "GCS E4V5M6 瞳孔3.0/3.0 +/+ BP 142/88 HR 58",
        "T=38.9 P=112 R=24 BP=88/50 SpO2 91% (O2 3L nasal)",
        "Vital: BT 36.2, PR 64 reg, BP 110/60, SpO2 99% RA",
        "体重 52.4→51.8→51.2kg  尿量 1200/1450/1680mL",
        "NRS 3/10 → ロキソプロフェン60mg内服後 1/10",
    ),
    "echo": (
        "LVDd/Ds 52/38 mm, IVS/PW 10/10 mm, LVEF 52 %(Teichholz), LAD 42 mm",
        "AR mild, MR trivial, TR mild (TRPG 24 mmHg), PR none. E/A 0.8, DcT 210 ms, E/e' 11.2",
        "asynergy: inferior severe hypokinesis. No PE. IVC 14/5 mm, resp.change(+)",
        "LVEF 35%, diffuse hypokinesis, apex thrombus(-)",
        "AS: Vmax 4.2 m/s, mean PG 42 mmHg, AVA 0.78 cm2 (continuity) severe AS",
        "腹部エコー liver: fatty(+), GB: stone 8mm x1, CBD 4mm, pancreas: n.p., spleen: n.p., kidney: cyst rt 12mm",
        "頸動脈: rt IMT 1.1 mm, plaque max 2.3 mm (NASCET 30%), lt IMT 0.9 mm",
        "RVSP 38 mmHg TAPSE 18 mm RA/RV not dilated",
    ),
    "pathology": (
        "Adenocarcinoma, tub1>tub2, pT2, pN1(2/18), ly1, v0, PM0, DM0, Stage IIB",
        "胃生検 Group 5 (por2/sig)",
        "ER(95%), PgR(60%), HER2 1+, Ki-67 18%, NG2",
        "Colon, EMR: Tubular adenoma, moderate atypia, HM0, VM0, 12x8 mm",
        "子宮頸部 LBC: HSIL, HPV16(+) → CIN3 (punch biopsy)",
        "Prostate: 4/12 cores, Gleason 3+4=7, max 60%",
        "Lymph node: DLBCL, CD20(+), CD10(-), bcl-6(+), MUM1(+), non-GCB",
        "皮膚 melanoma, Breslow 1.8 mm, ulcer(-), mitosis 2/mm2, SLN 0/3",
    ),
    "problem list": (
        "#1 2型糖尿病\n#2 高血圧症\n#3 脂質異常症\n#4 慢性腎臓病 G3bA2",
        "#糖尿病 #高血圧 #陳旧性心筋梗塞",
        "# HFrEF (EF 32%)\n# AF s/p ABL\n# CKD G4\n# DM",
        "1) 肺炎\n2) COPD\n3) 低Na血症\n4) 褥瘡 d2",
        "#1 RA (MTX 8mg/w)\n#2 IP\n#3 Sjogren症候群 疑い",
        "既往:HT, DL, HU\n手術歴:appe, lap-C\nアレルギー:なし",
        "P1. CVA後遺症 P2. 嚥下障害 P3. 誤嚥性肺炎(反復)",
        "プロブレム\n1 AKI\n2 高K血症\n3 脱水\n4 認知症",
    ),
    "dose list": (
        "アムロジピン錠5mg 1錠 分1 朝食後 28日分",
        "Rp1) ロキソプロフェン60mg 3T 3x 毎食後 5TD\nRp2) レバミピド100mg 3T 3x 毎食後 5TD",
        "CTRX 2g+NS100mL q24h div (5/8)\nVCM 1g q12h TDM: trough 15.2",
        "PSL 30→25→20→17.5→15 mg/day 2週毎減量",
        "ワーファリン2.5mg 月水金 / 2.0mg 火木土日",
        "インスリン アスパルト 6-4-6-0 グラルギン 0-0-0-10",
        "カルボプラチン AUC5 day1 / パクリタキセル 80mg/m2 day1,8,15 q3w",
        "MEPM 1g x3 → 0.5g x2 (CCr 28)",
    ),
    "flow sheet": (
        "4/1 BT 37.9 CRP 12.1 WBC 14800\n4/2 BT 37.2 CRP 8.4 WBC 11200\n4/3 BT 36.7 CRP 3.9 WBC 8900",
        "時刻 血糖 インスリン\n7:00 182 6\n12:00 141 4\n18:00 203 6\n21:00 160 0",
        "IN 2400 (DIV 1500 PO 900) OUT 1850 (U 1600 drain 250) balance +550",
        "ドレーン 1PO 320 淡血性 / 2PO 180 漿液性 / 3PO 60 抜去",
        "8時 吸引 白色少量\n10時 吸引 白色少量\n12時 吸引 白色少量\n14時 吸引 白色少量\n16時 吸引 白色少量",
        "HD 4h DW 52.0 前 54.3 後 52.1 除水 2.2L BP 150/80→132/70",
        "NPPV S/T IPAP 12 EPAP 5 RR 16 FiO2 0.4 TV 420-480 leak 18",
        "朝○昼○夕○ 朝○昼○夕○ 朝○昼×夕○ 朝○昼○夕○ (内服確認)",
    ),
    "mixed English": (
        "S) chest pain(-), dyspnea on exertion(+)\nO) lung: coarse crackle bil. lower\nA) CHF\nP) furosemide 20mg iv",
        "72M. CC: melena. PMH: HT, AF on DOAC. EGD: A1 stage ulcer at angulus, clip x2",
        "MMSE 22/30, HDS-R 20/30, CDR 0.5. brain MRI: hippocampal atrophy(+), VSRAD 2.3",
        "CT: RUL S3 part-solid nodule 18mm (solid 9mm), no LNs, cT1bN0M0",
        "POD1: pain controlled, no N/V, gas(+), BS hypoactive. ambulation OK. drain serous",
        "ECG: HR 72, NSR, CLBBB, QTc 452. CXR: CTR 58%, congestion(-), PE(-)",
        "Neuro: CN intact, MMT 5/5, DTR normal, Babinski -/-, finger-nose ok, gait stable",
        "ICU day3 RASS -2, P/F 180, PEEP 10, NAD 0.12γ, CRRT on, UO 10mL/h",
    ),
}  # fmt: skip
OPEN = [text for texts in SNIPPETS.values() for text in texts[:4]]
HELD_OUT = [text for texts in SNIPPETS.values() for text in texts[4:]]
