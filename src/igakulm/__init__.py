"""IgakuLM: build, evaluate and run small Japanese medical language models offline."""

__version__ = "0.1.0"
