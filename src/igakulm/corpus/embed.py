"""The vector of a document: the last layer's vector of the last token, of unit length (section 2.2.1).

Does: embed texts with a local Hugging Face folder (PyTorch, batched by length) or a server with /embeddings. Vectors
are scaled to unit length because servers do so, and the two then agree.
Does not: cut texts to characters (rubric.excerpt does), keep vectors, or run code or pickles from a model's folder.
A server must pool the last token and put the begin token first where the model has one: llama.cpp with pooling "last",
vLLM with its default for embeddings of decoders. Pooling over the mean works, but is not the paper's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from igakulm.asking.client import Client, RequestError, Retry
from igakulm.errors import InputError
from igakulm.pretrained import load_tokenizer, load_weights
from igakulm.recipe.schema import Quality

Vectors = npt.NDArray[np.float32]
REQUEST_TEXTS = 16


class Embedder(Protocol):
    """Something that embeds texts; `name` tells its vectors from another's in files kept for later."""

    name: str

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors (texts, dimensions) in the order of the texts, of which there is at least one."""


class FolderEmbedder:
    """A model in a local Hugging Face folder; on a GPU if there is one.

    Texts longer than the model's context are cut at its end. The same texts in one call give the same bytes on a CPU.

    Raises:
        InputError: the folder is missing, is no model that transformers knows, or holds no safetensors.
    """

    def __init__(self, folder: Path, precision: str, batch_tokens: int) -> None:
        import torch

        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        half = precision == "bf16" or (precision == "auto" and self._device.type == "cuda")
        self._dtype = torch.bfloat16 if half else torch.float32
        self.name = f"transformers {folder.name} {'bf16' if half else 'fp32'}"
        self._batch_tokens = batch_tokens
        self._tokenizer, self._model = self._load(folder)
        self._limit = int(getattr(self._model.config, "max_position_embeddings", None) or 2**20)

    def _load(self, folder: Path) -> tuple[Any, Any]:
        model = load_weights(folder, self._dtype, head=False)
        return load_tokenizer(folder), model.to(self._device)

    def embed(self, texts: Sequence[str]) -> Vectors:
        import torch

        ids = [self._ids(text) for text in texts]
        found: Vectors | None = None
        with torch.inference_mode():
            for places in length_batches([len(row) for row in ids], self._batch_tokens):
                vectors = self._batch([ids[place] for place in places])
                if found is None:
                    found = np.empty((len(texts), vectors.shape[1]), np.float32)
                found[places] = vectors
        assert found is not None
        return unit_vectors(found, self.name)

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, truncation=False, verbose=False)["input_ids"][: self._limit]
        return ids or [self._tokenizer.eos_token_id or 0]

    def _batch(self, rows: Sequence[list[int]]) -> Vectors:
        """Padding stands on the right, where a causal model does not see it."""
        import torch

        width = max(map(len, rows))
        ids = torch.zeros((len(rows), width), dtype=torch.long)
        mask = torch.zeros((len(rows), width), dtype=torch.long)
        for place, row in enumerate(rows):
            ids[place, : len(row)] = torch.tensor(row)
            mask[place, : len(row)] = 1
        output = self._model(
            input_ids=ids.to(self._device), attention_mask=mask.to(self._device), use_cache=False
        ).last_hidden_state
        last = output[torch.arange(len(rows)), mask.sum(1) - 1]
        vectors: Vectors = last.float().cpu().numpy()
        return vectors


class EndpointEmbedder:
    """A server with the OpenAI-compatible route /embeddings.

    Raises:
        InputError: the endpoint is down, refuses a text (usually one longer than its context), or its vectors differ
            in length or are zero.
    """

    def __init__(self, endpoint: str, model: str, concurrency: int, retry: Retry | None = None) -> None:
        self.name = f"endpoint {model}"
        self._endpoint, self._model, self._concurrency, self._retry = endpoint, model, concurrency, retry

    def embed(self, texts: Sequence[str]) -> Vectors:
        rows = asyncio.run(self._ask(texts))
        if len({len(row) for row in rows}) != 1:
            raise InputError("the server's vectors differ in length", where=self._endpoint)
        return unit_vectors(np.array(rows, np.float32), self._endpoint)

    async def _ask(self, texts: Sequence[str]) -> list[list[float]]:
        async with Client(self._endpoint, concurrency=self._concurrency, retry=self._retry) as client:
            calls = [
                client.embed(self._model, texts[start : start + REQUEST_TEXTS])
                for start in range(0, len(texts), REQUEST_TEXTS)
            ]
            answers = await asyncio.gather(*calls, return_exceptions=True)
        rows: list[list[float]] = []
        for answer in answers:
            if isinstance(answer, RequestError):
                hint = "give the server a longer context and batch, or set corpus.quality.max_characters lower"
                raise InputError(f"a text has no vector: {answer.what}", where=self._endpoint, hint=hint) from answer
            if isinstance(answer, BaseException):
                raise answer
            rows += answer
        return rows


def length_batches(lengths: Sequence[int], batch_tokens: int) -> Iterator[list[int]]:
    """Places of the texts in batches of similar length, longest first; padded, a batch has at most `batch_tokens`.

    A single longer text is a batch by itself.

    >>> list(length_batches([3, 9, 4], 8))
    [[1], [2, 0]]
    """
    batch: list[int] = []
    for place in sorted(range(len(lengths)), key=lambda place: (-lengths[place], place)):
        if batch and (len(batch) + 1) * lengths[batch[0]] > batch_tokens:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def unit_vectors(vectors: Vectors, where: str) -> Vectors:
    """Rows scaled to unit length.

    Raises:
        InputError: a row is zero or not finite.
    """
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.isfinite(vectors).all() or not (lengths > 0).all():
        raise InputError("the model's vectors hold zeros or are not numbers", where=where, hint="try precision: fp32")
    scaled: Vectors = vectors / lengths
    return scaled


def open_embedder(section: Quality, local_endpoint: str | None, retry: Retry | None = None) -> Embedder:
    """The embedder that the recipe names; `local_endpoint` serves `section.gguf`.

    Raises:
        InputError: a key that it needs is missing, or the model cannot be loaded.
    """
    if section.embeddings == "transformers":
        folder = section.embedding_folder
        if folder is None:
            hint = "give the folder of the labelling model, or choose other corpus.quality.embeddings"
            raise InputError("the model that embeds is not named", where="corpus.quality.embedding_folder", hint=hint)
        return FolderEmbedder(Path(folder), section.precision, section.batch_tokens)
    endpoint = local_endpoint if section.embeddings == "gguf" else section.embedding_endpoint
    if endpoint is None:
        key = "gguf" if section.embeddings == "gguf" else "embedding_endpoint"
        raise InputError("the model that embeds is not named", where=f"corpus.quality.{key}")
    model = section.embedding_model if section.embeddings == "endpoint" else Path(section.gguf or "").name
    return EndpointEmbedder(endpoint, model or "local", section.concurrency, retry)
