"""Raw sources to a clean corpus, with a reason for every document dropped."""
