"""Personal data in text: found by layers of rules, replaced by surrogates or deleted, and measured."""
