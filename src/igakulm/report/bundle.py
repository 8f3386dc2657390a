"""The report's section on what came out: files of the bundle, checks of the converted models, commands.

Does: arrange bundle.json and the stage's manifest. Does not: verify hashes (`igakulm verify` does).
"""

from __future__ import annotations

from markupsafe import Markup

from igakulm.inference.bundle_file import BundleFile
from igakulm.recipe.schema import Recipe
from igakulm.report.numbers import Language, count
from igakulm.report.provenance import portable
from igakulm.report.record import RunRecord
from igakulm.report.render import render
from igakulm.report.words import words

SHOWN = ("architecture", "activation", "layers", "hidden_size", "vocabulary", "context_length")


def bundle_section(recipe: Recipe, record: RunRecord, language: Language) -> Markup:
    """Files with sizes and hashes, checks of the GGUF files, commands."""
    bundle = record.stored("export", "bundle.json", BundleFile) or BundleFile()
    found = {key: getattr(bundle.model, key) for key in SHOWN}
    t = words(language)
    return render(
        "bundle.html.j2",
        language,
        manifest=record.manifests.get("export"),
        model=[
            (t(f"bundle.fact.{key}"), value if isinstance(value, str) else count(value))
            for key, value in found.items()
            if value is not None
        ],
        gguf=bundle.gguf,
        folder=f"{portable(recipe.runs_folder)}/{recipe.name}/latest/export",
    )
