"""The check of GGUF files finds what is planted."""

from pathlib import Path

import gguf
import pytest

import igakulm.bundle.gguf_layout as layout
from igakulm.bundle.gguf import GgufKind, write_gguf
from igakulm.bundle.gguf_check import check_gguf
from igakulm.errors import InputError
from tiny_bundle import write_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model"), intermediate_size=80)


@pytest.mark.parametrize(("kind", "largest"), [("f32", 0.0), ("bf16", 2**-8), ("q8_0", 0.6 / 127), ("q4_k_m", 0.1)])
def test_good_files(folder: Path, tmp_path: Path, kind: GgufKind, largest: float) -> None:
    write_gguf(folder, tmp_path / "m.gguf", kind, "tiny")
    result = check_gguf(tmp_path / "m.gguf", folder, kind)
    assert result["compared"] == 21
    assert result["largest_error"] <= largest
    assert (result["largest_error"] == 0) == (kind == "f32")


@pytest.mark.parametrize("kind", ["f32", "q8_0"])
def test_one_changed_weight_is_found(folder: Path, tmp_path: Path, kind: GgufKind) -> None:
    path = tmp_path / "m.gguf"
    write_gguf(folder, path, kind, "tiny")
    place = next(t.data_offset for t in gguf.GGUFReader(path).tensors if t.name == "blk.1.attn_output.weight")
    data = bytearray(path.read_bytes())
    data[place + 3] ^= 0x60
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"blk\.1\.attn_output\.weight differs"):
        check_gguf(path, folder, kind)


def test_rows_in_another_order_are_found(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(layout, "permute_rows", lambda array, heads: array)
        write_gguf(folder, tmp_path / "m.gguf", "q8_0", "tiny")
    with pytest.raises(InputError, match=r"attn_q\.weight differs"):
        check_gguf(tmp_path / "m.gguf", folder, "q8_0")


def test_files_of_another_model_type_and_no_file_at_all(folder: Path, tmp_path: Path) -> None:
    write_gguf(folder, tmp_path / "m.gguf", "f32", "tiny")
    other = write_model(tmp_path / "other", num_hidden_layers=1)
    relu = write_model(tmp_path / "relu", activation="relu2", intermediate_size=80)
    for source, reason in ((other, "block_count"), (relu, "general.architecture")):
        with pytest.raises(InputError, match=reason):
            check_gguf(tmp_path / "m.gguf", source, "f32")
    with pytest.raises(InputError, match="another type"):
        check_gguf(tmp_path / "m.gguf", folder, "bf16")
    (tmp_path / "cut.gguf").write_bytes((tmp_path / "m.gguf").read_bytes()[:-4096])
    with pytest.raises(InputError, match="read back"):
        check_gguf(tmp_path / "cut.gguf", folder, "f32")
