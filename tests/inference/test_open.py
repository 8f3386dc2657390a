"""What lies at a path decides how it is opened."""

import json
import shutil
from pathlib import Path

import pytest
from igakulm.inference.codec import FolderCodec, OwnCodec

from foreign_tokenizers import byte_level
from igakulm.errors import InputError
from igakulm.inference.llamacpp import available
from igakulm.inference.llamacpp_text import LlamaCppText
from igakulm.inference.model import Model
from igakulm.inference.open import open_model
from tiny_bundle import write_bundle, write_model

QUESTION = ({"role": "user", "content": "糖尿病とは"},)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("bundle") / "b", ("f32",) if available() else ())


def opened(path: Path) -> Model:
    model = open_model(path, precision="fp32", batch_tokens=500, threads=1)
    assert isinstance(model, Model)
    return model


def answer(model: Model) -> list[int]:
    return model.engine.generate([model.codec.chat_ids(QUESTION)], 8, model.codec.stop)[0]


def test_own_folders_and_bundles(bundle: Path, tmp_path: Path) -> None:
    folder = opened(bundle.with_name("b-model"))
    whole = opened(bundle)
    assert isinstance(folder.codec, OwnCodec) and (folder.name, whole.name) == ("b-model", "tiny")
    assert folder.identity == whole.identity and folder.codec.identity == whole.codec.identity
    assert answer(folder) == answer(whole)
    shutil.copytree(bundle / "huggingface", tmp_path / "copy")
    weights = tmp_path / "copy" / "model.safetensors"
    assert opened(tmp_path / "copy").identity == whole.identity
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    assert opened(tmp_path / "copy").identity != whole.identity
    whole.close()


@pytest.mark.skipif(not available(), reason="xllamacpp is not installed (extra llamacpp)")
def test_gguf_files_in_a_bundle_and_alone(bundle: Path, tmp_path: Path) -> None:
    path = bundle / "gguf" / "tiny-f32.gguf"
    ours = opened(path)
    assert ours.name == "tiny-f32" and answer(ours) == answer(opened(bundle))
    ours.close()
    shutil.copyfile(path, tmp_path / "alone.gguf")
    alone = open_model(tmp_path / "alone.gguf", threads=1)
    assert isinstance(alone, LlamaCppText) and alone.identity == ours.identity
    alone.close()
    other = write_model(tmp_path / "other", vocab_size=900)
    shutil.copytree(bundle / "huggingface", tmp_path / "wrong" / "huggingface")
    from igakulm.bundle.gguf import write_gguf

    write_gguf(other, tmp_path / "wrong" / "gguf" / "x.gguf", "f32", "x")
    with pytest.raises(InputError, match="tokenizer of its bundle"):
        open_model(tmp_path / "wrong" / "gguf" / "x.gguf")


def test_a_foreign_folder(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "foreign", "llama")
    for name in ("encoder.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        (folder / name).unlink()
    byte_level(folder)
    model = opened(folder)
    assert isinstance(model.codec, FolderCodec) and model.codec.chat
    prompt = model.codec.chat_ids(QUESTION)
    choices = [[model.codec.continuation_ids(letter) for letter in "ABC"]]
    assert len(model.engine.score([prompt], choices)[0]) == 3
    with pytest.raises(InputError, match="outside the model's vocabulary"):
        model.engine.generate([[900]], 1, [])
    with pytest.raises(InputError, match="outside the model's vocabulary"):
        model.engine.score([[5]], [[[-1]]])


def test_what_is_no_model(bundle: Path, tmp_path: Path) -> None:
    model = bundle.with_name("b-model")
    adapter, pickled, unknown, empty, files = (tmp_path / name for name in "apuef")
    for folder in (adapter, empty, files):
        folder.mkdir()
    (adapter / "adapter_config.json").write_text("{}")
    (files / "x.gguf").write_bytes(b"")
    shutil.copytree(model, pickled)
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    shutil.copytree(model, unknown)
    config = json.loads((unknown / "config.json").read_text())
    (unknown / "config.json").write_text(json.dumps({**config, "model_type": "brandnew", "architectures": ["New"]}))
    (tmp_path / "cut.gguf").write_bytes(b"GGUF" + bytes(40))
    for path, what in (
        (tmp_path / "nowhere", "no model at this path"),
        (model / "model.safetensors", "folder that the file lies in"),
        (model / "config.json", "no GGUF file"),
        (adapter, "adapter"),
        (pickled, "no safetensors"),
        (unknown, "(?s)brandnew.*serve it"),
        (empty, "no config.json"),
        (files, r"f/x\.gguf"),
        (files / "x.gguf", "no complete GGUF"),
        (tmp_path / "cut.gguf", "no complete GGUF"),
    ):
        with pytest.raises(InputError, match=what):
            open_model(path)


@pytest.mark.skipif(not available(), reason="xllamacpp is not installed (extra llamacpp)")
def test_a_damaged_gguf_file(bundle: Path, tmp_path: Path) -> None:
    data = (bundle / "gguf" / "tiny-f32.gguf").read_bytes()
    for size in (3, 30, 3000, len(data) - 9000):
        (tmp_path / "cut.gguf").write_bytes(data[:size])
        with pytest.raises(InputError, match=r"no complete GGUF|llama\.cpp does not load"):
            open_model(tmp_path / "cut.gguf", threads=1)
