"""Task kinds, items, layouts, splits and folds; published benchmarks."""
