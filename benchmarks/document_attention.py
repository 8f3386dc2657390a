"""Attention of packed rows on a CPU: ours, document by document, against one dense block mask; forward and backward.

    python benchmarks/document_attention.py [--tokens 4096] [--document 128] [--runs 7]

Runs alternate on the same inputs; medians and their ratio are printed. Memory is the size of the mask and of the
scores that the dense form needs beside the inputs.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F

from igakulm.model.attention import attend_documents

Attention = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


def seconds(attention: Attention, inputs: list[torch.Tensor]) -> float:
    leaves = [tensor.clone().requires_grad_() for tensor in inputs]
    begin = time.perf_counter()
    attention(*leaves).float().square().mean().backward()
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tokens", type=int, default=4096)
    parser.add_argument("--document", type=int, default=128, help="tokens of one document")
    parser.add_argument("--row", type=int, default=512, help="tokens of one packed row (the dense form's length)")
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    torch.manual_seed(0)
    rows, size = options.tokens // options.row, 64
    shapes = [(1, options.heads, options.tokens, size), *[(1, 1, options.tokens, size)] * 2]
    inputs = [torch.randn(shape, dtype=torch.bfloat16) for shape in shapes]
    lengths = torch.full((options.tokens // options.document,), options.document)
    document = torch.arange(options.row) // options.document
    mask = (document[:, None] == document[None]) & torch.ones(options.row, options.row, dtype=torch.bool).tril()

    def ours(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        return attend_documents(q, k, v, lengths, size**-0.5)

    def dense(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        q, k, v = (x.view(x.shape[1], rows, options.row, size).transpose(0, 1) for x in (q, k, v))
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=True)

    flat = dense(*inputs).transpose(0, 1).reshape(1, options.heads, options.tokens, size).transpose(1, 2)
    difference = (ours(*inputs).float() - flat.float()).abs().max().item()
    timed: dict[str, list[float]] = {"ours": [], "dense": []}
    for run in range(options.runs + 1):
        for name, attention in (("ours", ours), ("dense", dense)):
            took = seconds(attention, inputs)
            if run:  # the first run warms up
                timed[name].append(took)
    medians = {name: statistics.median(values) for name, values in timed.items()}
    for name, median in medians.items():
        print(f"{name:6s} {median * 1e3:8.1f} ms  {options.tokens / median:10,.0f} tokens/s")
    print(f"ratio  {medians['dense'] / medians['ours']:8.2f}  (dense / ours); largest difference {difference:.1e}")


if __name__ == "__main__":
    main()
