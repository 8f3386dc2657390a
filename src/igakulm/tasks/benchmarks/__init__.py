"""Published benchmarks, one module each."""
