"""Which engine a bundle is opened with."""

import subprocess
import sys
from pathlib import Path

import pytest

from igakulm.errors import InputError
from igakulm.inference.llamacpp import available
from igakulm.inference.open import open_model
from tiny_bundle import encoder, write_bundle


def test_plain_folders_and_bundles_without_gguf(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "b")
    opened = open_model(bundle)
    assert (opened.name, opened.kind) == ("tiny", "transformers")
    assert opened.encoder.sha256 == encoder().sha256
    opened.close()
    model = tmp_path / "b-model"
    assert open_model(model).name == "b-model"
    with pytest.raises(InputError, match="no GGUF"):
        open_model(bundle, "llamacpp")
    with pytest.raises(InputError, match="no GGUF"):
        open_model(model, "llamacpp")
    (bundle / "huggingface" / "model.safetensors").write_bytes(b"")
    with pytest.raises(InputError, match="bytes instead of"):
        open_model(bundle)
    with pytest.raises(InputError, match="no bundle"):
        open_model(tmp_path)


@pytest.mark.skipif(not available(), reason="xllamacpp is not installed (extra llamacpp)")
def test_gguf_is_preferred_where_llama_cpp_is(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "b", ("f32",))
    opened = open_model(bundle)
    try:
        assert opened.kind == "llamacpp (tiny-f32.gguf)"
        reference = open_model(bundle, "transformers")
        prompt = opened.encoder.encode("糖尿病")
        assert opened.engine.generate([prompt], 3, []) == reference.engine.generate([prompt], 3, [])
    finally:
        opened.close()


@pytest.mark.skipif(not available(), reason="xllamacpp is not installed (extra llamacpp)")
def test_serving_with_llama_cpp_is_light(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "b", ("f32",))
    code = (
        "import sys; from pathlib import Path; from igakulm.serving.server import Options, app_of;"
        "from igakulm.inference.open import open_model; opened = open_model(Path(sys.argv[1]), 'llamacpp');"
        "app_of(opened, Options()); opened.close(); print(*sorted(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(bundle)], capture_output=True, text=True, check=True)
    assert {"torch", "transformers", "sklearn", "pyarrow", "gguf"} & set(done.stdout.split()) == set()
