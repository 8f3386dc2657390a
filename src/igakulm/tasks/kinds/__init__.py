"""How tasks of each kind are laid out in rows, one module a kind."""
