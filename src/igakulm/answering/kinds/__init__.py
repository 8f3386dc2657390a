"""Kinds of tasks, one module each: what is asked for, how it is answered, what comes back."""
