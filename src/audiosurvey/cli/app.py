"""The application that commands register with, and what they share: options, loading a config, printing.

Commands import what they run inside their functions, so that --help does not wait for torch.
"""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from audiosurvey.errors import UserError
from audiosurvey.version import __version__

_ORDER = (
    *("init", "check", "describe", "presets", "download", "prepare", "doctor", "preview", "train", "runs", "merge"),
    *("evaluate", "robustness", "report", "compare", "survey", "reproduce", "predict", "demo", "export", "push"),
)
"""Of commands in --help: that of the work."""


class _InOrder(TyperGroup):
    def list_commands(self, ctx: Any) -> list[str]:
        names = super().list_commands(ctx)
        return sorted(names, key=lambda name: _ORDER.index(name) if name in _ORDER else len(_ORDER))


app = typer.Typer(
    cls=_InOrder,
    name="audiosurvey",
    help="Train, compare and ship audio classifiers from one YAML file.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

ConfigArgument = Annotated[
    str, typer.Argument(metavar="CONFIG", help="A config file, or the name of a shipped preset.")
]
ModelArgument = Annotated[Path, typer.Argument(metavar="MODEL", help="A model folder, or a run with a final model.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a key; may be given several times.")
]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")]
FoldsOption = Annotated[str | None, typer.Option(help="Only these folds, such as 1,2; default: all.")]
ForceOption = Annotated[bool, typer.Option("--force", help="Overwrite existing files.")]
TrustOption = Annotated[bool, typer.Option("--trust", help="Also open .pt2 files, which can run code of their author.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print only JSON to stdout.")]


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        print(__version__)
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())


def stdout() -> Any:
    """The console for tables."""
    from rich.console import Console

    return Console(highlight=False)


def print_json(value: Any) -> None:
    """Prints JSON to stdout."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def fold_numbers(text: str | None) -> list[int] | None:
    """The numbers of `--folds 1,2`; None for all folds."""
    if text is None:
        return None
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise UserError(f"--folds {text}: expected numbers separated by commas, such as 1,2") from None
