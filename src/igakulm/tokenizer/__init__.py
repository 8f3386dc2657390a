"""MeCab pre-split Unigram tokenizer, its files and its encoders."""
