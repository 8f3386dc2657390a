"""Answers to scores with intervals, baselines, scoreboard and report."""
