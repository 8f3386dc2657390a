"""`igakulm init DIR`: a folder to work in, for whoever installed the program without its repository.

Does: write the recipes, the samples and a short README. Does not: change a file that is there, or run anything.
"""

from __future__ import annotations

from pathlib import Path

from igakulm.errors import InputError
from igakulm.files import atomic_path, explain_os_error
from igakulm.shipped import shipped_files

README = """# IgakuLM の作業フォルダ / a folder to work in

`recipes/` はレシピ、`samples/` は練習用のデータ（架空、CC0）です。コマンドはこのフォルダで実行してください。
結果は `runs/` に入ります。モデルは誤ることがあり、診断には使えません。

`recipes/` holds recipes, `samples/` invented data to practise with (CC0). Run the commands in this folder; results go
to `runs/`. The model can be wrong; it is not for diagnosis.

```bash
igakulm doctor                          # この計算機で足りるか / is this machine ready
igakulm run recipes/quickstart.yaml     # 小さなモデルを作って評価する / build and evaluate a tiny model
igakulm status                          # どこまで済んだか / what is done
igakulm chat                            # 対話 / talk to it
igakulm serve runs/quickstart/latest/export   # 画面 / its page, at http://127.0.0.1:8765
igakulm evaluate exam --data samples/tasks/exam.test.jsonl --model runs/quickstart/latest/export
pip install 'igakulm[excel]'            # .xlsx を読むなら / to read workbooks
igakulm task init samples/own-task/notes.xlsx --yes   # 表計算ファイルから課題を作る / a task out of a spreadsheet
igakulm task check task.yaml
```
"""


def init_project(folder: Path) -> list[str]:
    """Write recipes, samples and README.md; return the names of the files that were not there before.

    The same call finishes one that was killed.

    Raises:
        InputError: a file of one of these names is there and says something else (nothing is written then), or the
            folder cannot be written.
    """
    wanted = {name: path.read_bytes() for name, path in shipped_files().items()} | {"README.md": README.encode()}
    try:
        other = [name for name, data in wanted.items() if _differs(folder / name, data)]
        new = [name for name in wanted if not (folder / name).exists()]
    except OSError as error:
        raise explain_os_error(error, folder) from error
    if other:
        more = f" and {len(other) - 1} more" if len(other) > 1 else ""
        hint = "choose an empty folder, or move these files away"
        raise InputError("this file is there already and is another one", where=f"{folder / other[0]}{more}", hint=hint)
    for name in new:
        with atomic_path(folder / name) as temporary:
            temporary.write_bytes(wanted[name])
    return new


def _differs(path: Path, data: bytes) -> bool:
    return path.exists() and not (path.is_file() and path.read_bytes() == data)
