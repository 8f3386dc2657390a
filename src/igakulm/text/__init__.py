"""Characters: cleaning (section 2.2.1), personal data, n-grams, lists written as text."""
