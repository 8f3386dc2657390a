"""The lexicon, and text written by other language models."""
