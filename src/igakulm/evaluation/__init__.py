"""Answers to scores with intervals, baselines and scoreboard."""
