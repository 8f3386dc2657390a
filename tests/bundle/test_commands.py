"""`igakulm export`, `verify`, `pack-offline` and `sbom` as a stranger uses them."""

import json
from pathlib import Path

import pytest

from igakulm.bundle.verify import verify_bundle
from igakulm.inference.llamacpp import available
from small_evaluation import igakulm, write_exam
from tiny_bundle import write_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("stage") / "model")


@pytest.mark.skipif(not available(), reason="xllamacpp is not installed")
def test_export_a_folder_with_all_checks_and_verify_it(model: Path, tmp_path: Path) -> None:
    write_exam(tmp_path / "exam.jsonl")
    words = ("--data", tmp_path / "exam.jsonl", "--model", model, "--out", tmp_path / "scores", "--samples", "100")
    assert igakulm("evaluate", "exam", *words, "--no-baselines").code == 0
    out = tmp_path / "病棟"
    done = igakulm(
        "export", "--model", model.parent, "--out", out, "--gguf", "q4_k_m,q8_0,q8_0", "--as", "llama",
        "--evaluation", tmp_path / "scores",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert [path.name for path in sorted((out / "gguf").iterdir())] == ["病棟-q4_k_m.gguf", "病棟-q8_0.gguf"]
    for text in ("KL to the original", "same first choice", "options ", "digest "):
        assert text in done.out
    description = json.loads((out / "bundle.json").read_text())
    for entry in description["gguf"].values():
        options = entry["answers"]["options"]
        assert options["n"] == 12 and 0 <= options["changed"] <= 12 and entry["answers"]["text"]["n"] == 12
    assert description["llama"]["architecture"] == "LlamaForCausalLM"
    assert json.loads((out / "llama" / "config.json").read_text())["model_type"] == "llama"
    assert "選択問題 12 問のうち" in (out / "MODEL_CARD.md").read_text()
    done = igakulm("verify", out, "--json")
    assert done.code == 0 and json.loads(done.out) == verify_bundle(out)
    assert igakulm("verify", out, "--digest", description["digest"]).code == 0
    assert igakulm("verify", out, "--digest", "0" * 64).code == 2
    (out / "LICENCES.md").write_text("changed")
    done = igakulm("verify", out)
    assert done.code == 2 and "LICENCES.md" in done.err and done.out == ""


def test_export_without_gguf_prints_json(model: Path, tmp_path: Path) -> None:
    words = ("--model", model, "--out", tmp_path / "b", "--gguf", "none", "--name", "ward")
    done = igakulm("export", *words, "--json")
    summary = json.loads(done.out)
    assert (done.code, summary["name"], summary["gguf"]) == (0, "ward", {})
    again = igakulm("export", *words)
    assert again.code == 2 and "nothing is overwritten" in again.err
    assert verify_bundle(tmp_path / "b")["digest"] == summary["digest"]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ((), "which model?"),
        (("--model", "M"), "--model needs --out"),
        (("--out", "b"), "--out needs --model"),
        (("--recipe", "r.yaml", "--as", "llama"), "--as needs --model"),
        (("--model", "M", "--out", "b", "--recipe", "r.yaml"), "takes no --recipe"),
        (("--model", "M", "--out", "b", "--set", "export.name=a"), "takes no --recipe"),
        (("--model", "M", "--out", "b", "--gguf", "q4km"), "did you mean 'q4_k_m'"),
        (("--model", "M", "--out", "b", "--gguf", "int3"), "known are f32"),
        (("--model", "M", "--out", "b", "--as", "onnx"), "no form 'onnx'"),
        (("--model", "absent", "--out", "b"), "there is no model"),
        (("--model", "M", "--out", "b", "--name", "a/b"), "part of file names"),
        (("--model", "M", "--out", "b", "--corpus", "."), "no sources.json"),
        (("--model", "M", "--out", "b", "--evaluation", "."), "no scoreboard.json"),
    ],
)
def test_export_refuses(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = igakulm("export", *(str(model) if word == "M" else word for word in words))
    assert done.code == 2 and reason in done.err
    assert not list(tmp_path.iterdir())


def test_relu_squared_has_no_llama_form(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m", activation="relu2")
    done = igakulm("export", "--model", folder, "--out", tmp_path / "b", "--gguf", "none", "--as", "llama")
    assert done.code == 2 and "no exact Llama form" in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_pack_offline_refuses_a_folder_that_is_no_bundle(tmp_path: Path) -> None:
    done = igakulm("pack-offline", tmp_path, "--out", tmp_path / "carry")
    assert done.code == 2 and "not a bundle" in done.err


def test_sbom_as_text_and_as_a_file(tmp_path: Path) -> None:
    done = igakulm("sbom", "--out", tmp_path / "sbom.json")
    assert done.code == 0 and done.out.startswith("igakulm ") and "of unknown licence" in done.out
    assert json.loads((tmp_path / "sbom.json").read_text()) == json.loads(igakulm("sbom", "--json").out)
