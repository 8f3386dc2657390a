"""HTML about a run or an evaluation."""
