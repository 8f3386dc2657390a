"""The decoder of section 2.3: sizes, initial weights, loss, attention."""
