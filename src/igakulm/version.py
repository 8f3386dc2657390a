"""The version of the package: the one place that says it.

Does: nothing else. Does not: import, so that every room can read it.
"""

__version__ = "0.1.0"
