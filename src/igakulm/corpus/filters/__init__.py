"""Rules that drop a document, one module each."""
