"""The card says of personal data what was done and what was measured, one sentence for each kind of bundle."""

from igakulm.bundle.card import CardFacts, model_card
from igakulm.bundle.personal_data import personal_data_of
from igakulm.evaluation.personal_spans import measured

MODEL = {"architecture": "ArceeForCausalLM", "parameters": 1, "vocabulary": 2, "context_length": 3}
REPLACED = {
    "how": "replaced",
    "layers": ["rules", "labels"],
    "style": "kind",
    "dates": "shift",
    "replaced": {"name": 1200},
}
DELETED = {"how": "deleted", "layers": ["rules"], "kinds": ["telephone", "url"], "replaced": {"telephone": 3}}
KEPT = {"how": "kept"}


def card(sources: dict[str, object], tuning: dict[str, object], *tasks: str, foreign: bool = False) -> str:
    personal = personal_data_of(sources, tuning, tasks)
    return model_card(CardFacts("m", MODEL, personal=personal, foreign_base=foreign))


def test_nothing_ran() -> None:
    for told in (card({}, {}), card({"notes": KEPT}, {"own": KEPT}, "own", "jmed/crade"), card({"old": {}}, {})):
        assert "個人情報の除去は行っていません。" in told and "No personal data were removed." in told
        assert "置き換え" not in told and "再現率" not in told


def test_records_were_replaced() -> None:
    told = card({"notes": REPLACED}, {})
    assert "notes：個人情報を見つけて置き換えました（層：rules、labels）。置き換えた箇所：1,200（氏名 1,200）。" in told
    assert "日付は患者ごとに決めた日数だけずらしました。" in told and "除去は行っていません" not in told
    entry = measured()[-1]
    assert f"{entry.recall.value:.3f} [{entry.recall.low:.3f}, {entry.recall.high:.3f}]" in told
    assert "見つからなかった個人情報が残っていることがあります。" in told


def test_public_text_lost_web_notation_only() -> None:
    told = card({"wiki": DELETED}, {}, "jmed/crade")
    assert "wiki：公開された文章向けの規則で電話番号、URLを削除しました（氏名・住所・生年月日・施設名は対象外）" in told
    assert "削除した箇所：3（電話番号 3）" in told
    assert "次のデータでは個人情報の除去は行っていません：jmed/crade" in told
    assert "| 氏名 |" not in told and "| 電話番号 |" in told


def test_some_rows_were_kept_and_a_base_is_another_s() -> None:
    told = card({}, {"/data/chats.jsonl": REPLACED, "own": KEPT}, "chats", "own", foreign=True)
    assert "chats.jsonl：個人情報を見つけて" in told and "/data" not in told
    assert "行っていません：own" in told and "行っていません：chats" not in told
    assert "元にしたモデルの学習データについては、個人情報の扱いの記録がありません。" in told
