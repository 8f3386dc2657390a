from __future__ import annotations

import json

import pytest

from igakulm.corpus.clean_stream import clean_stream
from igakulm.errors import InputError


def test_clean_stream_of_lines_and_of_json() -> None:
    lines = ["ＣＴ検査．\n".encode(), b"\n", "電話03-1234-5678\r\n".encode()]
    assert list(clean_stream(lines, None)) == ["CT検査。", "", "電話"]
    row = '{"id": 1, "body": "３８．５℃．"}'
    assert [json.loads(line) for line in clean_stream([row], "body")] == [{"id": 1, "body": "38.5℃。"}]
    with pytest.raises(InputError, match="line 2"):
        list(clean_stream([row, '{"id": 1}'], "body"))
    with pytest.raises(InputError, match="not JSON"):
        list(clean_stream(["text"], "body"))
    with pytest.raises(InputError, match="not UTF-8"):
        list(clean_stream([b"\xff"], None))
