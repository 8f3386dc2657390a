"""The recipe: one YAML file that says everything a run does."""

from igakulm.recipe.loading import load_recipe
from igakulm.recipe.schema import Recipe

__all__ = ["Recipe", "load_recipe"]
