"""Rows of a task file for other annotation programs, and what people marked there."""
