"""What lies at a path decides how it is opened."""

import json
import shutil
from pathlib import Path

import pytest

from foreign_tokenizers import CHATML, byte_level
from igakulm.bundle.export import export
from igakulm.errors import InputError
from igakulm.inference.llamacpp import available
from igakulm.inference.llamacpp_text import LlamaCppText
from igakulm.inference.model import Model
from igakulm.inference.open import open_any_model, open_model
from igakulm.progress import SilentProgress
from igakulm.recipe.schema import ExportSection
from igakulm.tasks.layouts import Task, default_tasks, write_tasks
from igakulm.text.preparation import write_preparation
from igakulm.tokenizer.adopt import adopt
from igakulm.tokenizer.encode import TOKENIZER_FILES
from igakulm.tokenizer.open import load_any_encoder
from tiny_bundle import copy_tokenizer, tokenizer_folder, write_bundle, write_model

TASK = Task("own", "extract", "薬", "Medicines", "薬は？\n「", suffix="」", kind_of_item="medicine")
QUESTION = ({"role": "user", "content": "糖尿病とは"},)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("bundle") / "b", ("f32",) if available() else ())


def opened(path: Path) -> Model:
    return open_model(path, "weights", precision="fp32", batch_tokens=500, threads=1)


def answer(model: Model) -> list[int]:
    return model.engine.generate([model.prompt(QUESTION).ids], 8, model.encoder.stops)[0]


def test_own_folders_and_bundles(bundle: Path, tmp_path: Path) -> None:
    folder = opened(bundle.with_name("b-model"))
    whole = opened(bundle)
    assert folder.ours and (folder.name, whole.name) == ("b-model", "tiny")
    assert folder.identity == whole.identity and folder.encoder.identity == whole.encoder.identity
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
    with pytest.raises(InputError, match="outside of a bundle"):
        open_model(tmp_path / "alone.gguf", threads=1)
    alone = open_any_model(tmp_path / "alone.gguf", threads=1)
    assert isinstance(alone, LlamaCppText) and alone.identity == ours.identity
    alone.close()
    other = write_model(tmp_path / "other", vocab_size=900)
    shutil.copytree(bundle / "huggingface", tmp_path / "wrong" / "huggingface")
    from igakulm.bundle.gguf import write_gguf

    write_gguf(other, tmp_path / "wrong" / "gguf" / "x.gguf", "f32", "x")
    with pytest.raises(InputError, match="the model of its bundle"):
        open_model(tmp_path / "wrong" / "gguf" / "x.gguf")


def test_a_foreign_folder(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "foreign", "llama")
    for name in ("encoder.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        (folder / name).unlink()
    byte_level(folder)
    model = opened(folder)
    assert not model.ours and model.encoder.adopted and model.chat
    prompt = model.prompt(QUESTION).ids
    choices = [[model.encoder.continuation_ids(letter) for letter in "ABC"]]
    assert len(model.engine.score([prompt], choices)[0]) == 3
    with pytest.raises(InputError, match="outside the model's vocabulary"):
        model.engine.generate([[900]], 1, [])
    with pytest.raises(InputError, match="outside the model's vocabulary"):
        model.engine.score([[5]], [[[-1]]])


def adopted_model(folder: Path) -> Path:
    """A random model with the tokenizer of an open model, adopted."""
    source = byte_level(folder.with_name(folder.name + "-source"), CHATML)
    size = load_any_encoder(source).size
    write_model(folder, "llama", vocab_size=size + 40, bos_token_id=None)
    for name in TOKENIZER_FILES:
        (folder / name).unlink(missing_ok=True)
    adopt(source, folder)
    config = json.loads((folder / "config.json").read_text())
    end = load_any_encoder(folder).eos
    (folder / "config.json").write_text(json.dumps({**config, "eos_token_id": end}))
    return folder


def test_the_folder_says_how_its_model_is_asked(tmp_path: Path) -> None:
    folder = adopted_model(tmp_path / "m" / "model")
    foreign = opened(folder)
    assert not foreign.ours and not foreign.tuned_tasks and foreign.preparation == "raw"
    assert list(foreign.tasks) == default_tasks()
    write_tasks(folder.parent / "tasks.json", [TASK])  # as older versions wrote it
    older = opened(folder)
    assert older.ours and older.tuned_tasks and older.tasks == (TASK,) and older.preparation == "raw"
    write_tasks(folder / "tasks.json", [])  # a base
    write_preparation(folder, "cleaned")
    base = opened(folder)
    assert base.ours and not base.tuned_tasks and base.preparation == "cleaned"
    assert foreign.identity == base.identity


@pytest.mark.skipif(not available(), reason="xllamacpp is not installed (extra llamacpp)")
def test_a_bundle_with_an_adopted_tokenizer(tmp_path: Path) -> None:
    folder = adopted_model(tmp_path / "model")
    write_tasks(folder / "tasks.json", [TASK])
    write_preparation(folder, "width")
    (tmp_path / "bundle").mkdir()
    export(ExportSection(gguf=("f32",), name="tiny"), folder, None, None, tmp_path / "bundle", SilentProgress())
    weights, file = opened(tmp_path / "bundle"), opened(tmp_path / "bundle" / "gguf" / "tiny-f32.gguf")
    served = open_model(tmp_path / "bundle", threads=1)
    for model in (weights, file, served):
        assert model.ours and model.tasks == (TASK,) and model.preparation == "width" and model.encoder.adopted
        assert model.prompt(QUESTION).ids == weights.prompt(QUESTION).ids
        assert answer(model) == answer(weights)
    assert file.identity == served.identity != weights.identity
    for model in (file, served):
        model.close()


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ({"version": 2, "form": "cleaned"}, "version 2"),
        ({"version": 1, "form": "clean"}, "'clean'"),
        ({"version": 1}, "how text is prepared"),
        ([], "how text is prepared"),
    ],
)
def test_an_unknown_preparation_is_refused_before_anything_is_loaded(tmp_path: Path, said: object, what: str) -> None:
    copy_tokenizer(tokenizer_folder(), tmp_path)
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "preparation.json").write_text(json.dumps(said))
    with pytest.raises(InputError, match=what):
        open_model(tmp_path)


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
            open_any_model(path)


@pytest.mark.skipif(not available(), reason="xllamacpp is not installed (extra llamacpp)")
def test_a_damaged_gguf_file(bundle: Path, tmp_path: Path) -> None:
    data = (bundle / "gguf" / "tiny-f32.gguf").read_bytes()
    for size in (3, 30, 3000, len(data) - 9000):
        (tmp_path / "cut.gguf").write_bytes(data[:size])
        with pytest.raises(InputError, match=r"no complete GGUF|llama\.cpp does not load"):
            open_any_model(tmp_path / "cut.gguf", threads=1)
