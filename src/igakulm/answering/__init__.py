"""The one way from a prompt to an answer: options, lists, long records in pieces."""
