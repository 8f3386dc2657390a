"""The start script and the readme of a folder that goes to a machine without a network.

Does: hold their words. Does not: write files.
"""

from __future__ import annotations

_START = r"""#!/bin/sh
# IgakuLM をこのフォルダーだけから動かす（ネットワークは使わない）。
#   sh start.sh                         サーバーを開く（http://127.0.0.1:8765）
#   sh start.sh --port 9000             サーバーの設定を変える
#   sh start.sh extract IN.csv --bundle bundle --out OUT.csv   ほかの命令
# 環境変数: PYTHON（使う Python）、IGAKULM_ENV（プログラムを入れる場所）
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
env=${IGAKULM_ENV:-$here/env}
wanted=@VERSION@

fail() {
    printf 'start.sh: %s\n' "$1" >&2
    exit 2
}

find_python() {
    question='import sys; print("%d.%d" % sys.version_info[:2])'
    for name in "${PYTHON:-}" "python$wanted" python3 python; do
        if [ -n "$name" ] && [ "$("$name" -c "$question" 2>/dev/null)" = "$wanted" ]; then
            printf '%s\n' "$name"
            return
        fi
    done
}

install() {
    (cd "$here" && sha256sum --check --quiet SHA256SUMS) ||
        fail "ファイルが変わっています。フォルダーをコピーし直してください。"
    python=$(find_python)
    [ -n "$python" ] || fail "Python $wanted が見つかりません。入れるか、PYTHON=/…/python$wanted を付けてください。"
    if [ -e "$env" ] && [ ! -e "$env/pyvenv.cfg" ] && [ -n "$(ls -A "$env")" ]; then
        fail "$env には別のものが入っています。IGAKULM_ENV で別の場所を指定してください。"
    fi
    printf 'プログラムを %s に入れています（初回だけ）\n' "$env" >&2
    "$python" -m venv --without-pip --clear "$env" ||
        fail "$env を作れません。IGAKULM_ENV で書ける場所を指定してください。"
    for pip in "$here"/wheels/pip-*.whl; do
        "$env/bin/python" "$pip/pip" install --quiet --no-index --no-deps --no-cache-dir --require-hashes \
            --disable-pip-version-check --find-links "$here/wheels" --requirement "$here/requirements.txt" ||
            fail "プログラムを入れられませんでした。"
    done
    cp "$here/SHA256SUMS" "$env/.complete"
}

cmp -s "$here/SHA256SUMS" "$env/.complete" || install
case "${1:-}" in
    "" | -*) set -- serve "$here/bundle" "$@" ;;
esac
exec "$env/bin/python" -m igakulm "$@"
"""

_README = """# {name}（IgakuLM）

ネットワークにつながらない計算機で、日本語医療言語モデル「{name}」を動かすためのフォルダーです。
このフォルダーだけで動き、外部へは一切接続しません。

**これは医療機器ではありません。診断、治療、投薬の判断に使わないでください。出力は誤ることがあります。必ず医療従事者が
原典と照合してください。**

## 必要なもの

- Linux（{machine}、glibc {glibc} 以降。`ldd --version` で確かめてください）
- Python {version}（`python{version} --version` で確かめてください。Debian、Ubuntu の `python3-venv` は不要です）
- 空き容量：このフォルダーのほかに約 {installed:,} MB

## 使い方

```sh
sh start.sh
```

初回だけ、ファイルの照合（`SHA256SUMS`）とプログラムの組み込み（`env/` の中）を行います。その後、ブラウザーで
<http://127.0.0.1:8765> を開いてください。止めるには Ctrl+C を押します。

| したいこと | 命令 |
|---|---|
| 端末で対話する | `sh start.sh chat --bundle bundle` |
| 記録の表から所見と薬剤を取り出す | `sh start.sh extract 記録.csv --bundle bundle --out 結果.csv` |
| 成果物が変わっていないことを確かめる | `sh start.sh verify bundle` |
| ポートを変える | `sh start.sh --port 9000` |
| 命令の説明 | `sh start.sh --help` |

ほかの計算機から使わせるには、鍵が必要です：`IGAKULM_API_KEY=鍵 sh start.sh --host 0.0.0.0`

## 常駐させる

systemd：このフォルダーを `/opt/igakulm` に置き、鍵を root だけが読めるファイルに書きます。

```sh
install -D -m 600 /dev/null /etc/igakulm/environment    # IGAKULM_API_KEY=… と IGAKULM_AUDIT_KEY=… を書く
cp /opt/igakulm/igakulm.service /etc/systemd/system/ && systemctl enable --now igakulm
systemctl reload igakulm                                # 鍵の一覧、証明書、監査記録の新しいファイルを読み直す
```

Docker：`Dockerfile` の先頭にある三つの命令です。土台のイメージのほかは、このフォルダーだけから作られます。

## 困ったとき

- 「Python が見つかりません」：`PYTHON=/usr/bin/python{version} sh start.sh` のように場所を指定してください。
- フォルダーが書き込めない（DVD など）：`IGAKULM_ENV=$HOME/igakulm-env sh start.sh` としてください。
- 「ファイルが変わっています」：コピーが壊れています。フォルダーをコピーし直してください。
- やり直すには `env/` を消してから、もう一度 `sh start.sh` としてください。

## 中身

- `bundle/`：モデル。説明は `bundle/MODEL_CARD.md`、データのライセンスは `bundle/LICENCES.md`
- `wheels/`、`requirements.txt`：プログラムと、その版とハッシュ
- `igakulm.service`、`Dockerfile`：常駐させるための設定（systemd、Docker）
- `sbom.json`：使っているソフトウェアとライセンスの一覧（CycloneDX 1.6）
- `SHA256SUMS`：すべてのファイルのハッシュ（`sha256sum --check SHA256SUMS` で照合）
"""


def start_script(version: str) -> str:
    """start.sh for a version of Python such as "3.11"."""
    return _START.replace("@VERSION@", version)


def readme(name: str, version: str, machine: str, glibc: str, installed: int) -> str:
    """README.md; `installed` is the space that the program takes, in bytes."""
    megabytes = (installed // 50_000_000 + 1) * 50
    return _README.format(name=name, version=version, machine=machine, glibc=glibc, installed=megabytes)
