"""A message of a conversation.

Does: name its type once. Does not: know how a model's template writes it (tokenizer/).
"""

from __future__ import annotations

from collections.abc import Mapping

Message = Mapping[str, str]
"""`role` ("system", "user" or "assistant") and `content`."""
