"""What is kept when a command is stopped by Ctrl-C, and how to go on: said at the end of it.

Does: word it for every command that can take long. Does not: keep anything; each command does that by itself.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

STAGES = (
    "finished stages are kept, training from its last checkpoint, answers and written text one by one; "
    "the same command goes on"
)
NOTHING = "nothing was written, half a result never is; the same command starts again"
ANSWERS = "what was answered is kept; the same command goes on and asks none of it again"

KEPT = {
    **dict.fromkeys(
        ("run", "lexicon", "synth", "corpus", "tokenizer", "pack", "pretrain", "finetune", "report", "task train"),
        STAGES,
    ),
    "evaluate": ANSWERS,
    "extract": "every finished record is kept; the same command goes on with the next one",
    "task apply": "every finished row is kept; the same command goes on with the next one",
    "task evaluate": ANSWERS,
    "task review": "every decision is kept; the same command goes on",
    "corpus crawl": "every page that was fetched is kept; the same command goes on and asks for none of them again",
    "export": NOTHING,
    "scoreboard": NOTHING,
    "deidentify": NOTHING,
    "audit-memory": NOTHING,
    "pack-offline": NOTHING,
    "corpus clean": "what was printed is all that there is; start again with the whole input",
    "tokenizer encode": "what was printed is all that there is; start again with the whole input",
    "tokenizer decode": "what was printed is all that there is; start again with the whole input",
}
"""Command -> what is kept; a group's own line is that of its commands without one."""

QUICK = frozenset(
    ("init", "status", "doctor", "plan", "verify", "sbom", "serve", "chat", "demo", "audit", "key", "ask", "task")
)
"""Commands that end in seconds, ask nothing that is worth keeping, or serve until they are stopped."""


def what_is_kept(words: Sequence[str]) -> str:
    """For a command line's words after the program's name; "" for a command that keeps nothing worth saying.

    >>> what_is_kept(["corpus", "crawl", "--sites", "sites.yaml"])[:14], what_is_kept(["doctor"])
    ('every page tha', '')
    >>> what_is_kept(["evaluate", "jmed"]) == KEPT["evaluate"]
    True
    """
    return KEPT.get(" ".join(words[:2])) or KEPT.get(words[0] if words else "", "")


def tell_if_stopped() -> None:
    """Say it, when the command ends by Ctrl-C; called while its context closes."""
    kept = what_is_kept(sys.argv[1:])
    if kept and isinstance(sys.exc_info()[1], KeyboardInterrupt):
        print(f"\nigakulm: stopped; {kept}", file=sys.stderr, flush=True)
