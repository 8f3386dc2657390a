"""Model folders that other runtimes load: Hugging Face, GGUF, model card."""
