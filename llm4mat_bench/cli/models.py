"""``models``: the models of `train`, and the settings of one."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from .console import JsonOption, out, print_json

if TYPE_CHECKING:
    from ..baselines.registry import Baseline


def models(
    model: Annotated[str | None, typer.Argument(help="Show the settings of this one.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the models that can be trained, those of other packages too, or the settings of one."""
    from ..baselines.registry import get_baseline, list_baselines

    if model is None:
        found = list_baselines()
        if as_json:
            print_json([_said(one) for one in found])
            return
        table = Table(title="Models", box=SIMPLE_HEAD, pad_edge=False)
        for heading in ("name", "what it is", "reads", "installed"):
            table.add_column(heading, overflow="fold")
        for one in found:
            declaration = one.declaration
            table.add_row(one.id, declaration.title, ", ".join(declaration.modalities), escape(_installed(one)))
        out.print(table)
        return
    chosen = get_baseline(model)
    settings = _settings(chosen)
    if as_json:
        print_json({**_said(chosen), "settings": settings})
        return
    title = f"{chosen.id}: {chosen.declaration.title} (revision {chosen.declaration.revision})"
    table = Table(title=title, caption="--set NAME=VALUE", box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("setting", "default", "meaning"):
        table.add_column(heading, overflow="fold")
    for name, setting in settings.items():
        table.add_row(name, str(setting["default"]), setting["description"] or "")
    out.print(table if settings else f"{title}. There is nothing to set.")


def _said(model: "Baseline") -> dict[str, Any]:
    return {**model.declaration.model_dump(mode="json"), "package": model.package, "install": model.install_hint}


def _installed(model: "Baseline") -> str:
    from ..baselines.registry import library_versions

    return "yes" if len(library_versions(model)) == len(model.declaration.libraries) else model.install_hint


def _settings(model: "Baseline") -> dict[str, dict[str, Any]]:
    defaults = model.settings_model().model_dump(mode="json")
    fields = model.settings_model.model_fields
    return {name: {"default": defaults[name], "description": field.description} for name, field in fields.items()}
