from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from chat_server import ChatServer
from corpus.quality_server import answer, vectors_reply
from igakulm.corpus.embed import EndpointEmbedder, FolderEmbedder, length_batches, unit_vectors
from igakulm.corpus.quality_parts import in_parts
from igakulm.errors import InputError

TEXTS = ["心臓は動く", "血", "肺は空気を吸い、そして吐く", "", "血液は全身をめぐる" * 9]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A two-layer decoder with random weights; one token a character, a begin token first."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    letters = sorted(set("".join(TEXTS)))
    vocabulary = {piece: number for number, piece in enumerate(["<s>", "</s>", "<unk>", *letters])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    folder = tmp_path_factory.mktemp("model")
    fast: Any = PreTrainedTokenizerFast  # its constructor has no annotations
    fast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>").save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=40,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def by_hand(folder: Path, text: str) -> np.ndarray:
    from transformers import AutoTokenizer, LlamaForCausalLM

    tokenizer, model = AutoTokenizer.from_pretrained(folder), LlamaForCausalLM.from_pretrained(folder)
    ids = torch.tensor([tokenizer(text)["input_ids"][:40]])
    with torch.no_grad():
        vector = model(ids, output_hidden_states=True).hidden_states[-1][0, -1].numpy()
    return np.asarray(vector / np.linalg.norm(vector))


@pytest.mark.parametrize("batch_tokens", [1, 30, 10_000])
def test_a_vector_is_the_last_layer_of_the_last_token(folder: Path, batch_tokens: int) -> None:
    vectors = FolderEmbedder(folder, "fp32", batch_tokens).embed(TEXTS)
    assert vectors.shape == (len(TEXTS), 32)
    for vector, text in zip(vectors, TEXTS, strict=True):
        assert np.abs(vector - by_hand(folder, text)).max() < 1e-5


def test_bf16_is_close(folder: Path) -> None:
    full, half = (FolderEmbedder(folder, precision, 64).embed(TEXTS) for precision in ("fp32", "bf16"))
    assert (full * half).sum(1).min() > 0.99
    assert not np.array_equal(full, half)


def test_a_folder_without_a_model_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a model folder"):
        FolderEmbedder(tmp_path, "fp32", 64)


def test_pickled_weights_are_refused(folder: Path, tmp_path: Path) -> None:
    for path in folder.iterdir():
        if path.suffix != ".safetensors":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(InputError, match="no safetensors"):
        FolderEmbedder(tmp_path, "fp32", 64)


def test_a_server_s_vectors_come_in_the_order_of_the_texts() -> None:
    texts = [f"文章{number}" for number in range(50)]
    with ChatServer(answer) as server:
        found = EndpointEmbedder(server.url, "m", 3).embed(texts)
        one_by_one = np.concatenate([EndpointEmbedder(server.url, "m", 1).embed([text]) for text in texts])
    assert np.array_equal(found, one_by_one)
    assert np.linalg.norm(found, axis=1) == pytest.approx(1.0)


def test_vectors_of_different_lengths_are_refused() -> None:
    with (
        ChatServer(lambda request, times: vectors_reply(request.body["input"], len(request.body["input"]))) as server,
        pytest.raises(InputError, match="differ in length"),
    ):
        EndpointEmbedder(server.url, "m", 1).embed(["文"] * 20)


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_vectors_that_say_nothing_are_refused(value: float) -> None:
    with pytest.raises(InputError, match="zeros or are not numbers"):
        unit_vectors(np.full((2, 3), value, np.float32), "here")


def test_batches_hold_every_text_once_and_stay_small() -> None:
    lengths = [5, 1, 9, 3, 3, 20, 1]
    batches = list(length_batches(lengths, 12))
    assert sorted(place for batch in batches for place in batch) == list(range(len(lengths)))
    assert all(len(batch) == 1 or len(batch) * max(lengths[place] for place in batch) <= 12 for batch in batches)


def test_finished_parts_are_not_computed_again(tmp_path: Path) -> None:
    seen: list[str] = []

    def compute(texts: list[str]) -> np.ndarray:
        if "文7" in texts and len(seen) < 8:
            raise KeyboardInterrupt
        seen.extend(texts)
        return np.array([[len(text), ord(text[-1])] for text in texts], np.float32)

    texts = [(number * 10, f"文{number}") for number in range(8)]
    with pytest.raises(KeyboardInterrupt):
        list(in_parts(texts, compute, "key", tmp_path, 3))
    assert len(seen) == 6
    seen.extend(["", ""])
    found = list(in_parts(texts, compute, "key", tmp_path, 3))
    assert seen[8:] == ["文6", "文7"]
    assert [place for places, _ in found for place in places] == [number * 10 for number in range(8)]
    assert np.concatenate([rows for _, rows in found])[:, 1].tolist() == [ord(str(number)) for number in range(8)]
    list(in_parts(texts[:3], compute, "another key", tmp_path, 3))
    assert seen[10:] == ["文0", "文1", "文2"]
    assert list(in_parts([], compute, "key", tmp_path)) == []
