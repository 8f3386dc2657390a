"""A client of language model servers: answers kept on disk, retries, the local llama.cpp server."""
