from pathlib import Path

import pytest

from igakulm.asking.llamacpp_server import serve_gguf
from igakulm.errors import InputError

pytest.importorskip("xllamacpp")


def test_a_file_that_is_no_gguf_is_one_message(tmp_path: Path) -> None:
    path = tmp_path / "broken.gguf"
    path.write_bytes(b"GGUF" + b"\0" * 64)
    with pytest.raises(InputError, match=r"llama\.cpp does not load this file"), serve_gguf(path, 256):
        pass
