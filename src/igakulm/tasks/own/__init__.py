"""A hospital's own task: from its spreadsheet to rows that a model can be tuned on."""
