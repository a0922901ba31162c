"""The application that commands register with, and what they share: options, loading a config, printing.

Commands import what they run inside their functions, so that --help does not wait for torch.
"""

import json
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from audiosurvey.errors import UserError
from audiosurvey.version import __version__

_ORDER = (
    *("init", "check", "describe", "presets", "download", "prepare", "doctor", "preview", "train", "runs", "merge"),
    *("evaluate", "robustness", "report", "compare", "survey", "reproduce", "predict", "similar", "suggest"),
    *("demo", "serve", "export", "push", "cache"),
)
"""Of commands in --help: that of the work."""


_VALUES = {"<int>": "N", "<int range>": "N", "<float>": "X", "<float range>": "X", "<path>": "PATH", "<str>": "TEXT"}
"""Names of values in --help."""
_TYPE = re.compile(r" <[^>]*>")
_LIMITS = r"(?:[\d.e+-]+<=?)?x[<>]=?[\d.e+-]+"
_RANGE = re.compile(rf"\s*\[{_LIMITS}\]|; {_LIMITS}")


def _write_parameters(parameters: Iterable[Any], ctx: Any, formatter: Any) -> None:
    """What --help says of arguments and options: without types, and without the limits of numbers."""
    for kind, title in (("argument", "Arguments"), ("option", "Options")):
        found = (one.get_help_record(ctx) for one in parameters if one.param_type_name == kind)
        rows = [
            (_TYPE.sub(_value if kind == "option" else "", left), _RANGE.sub("", right))
            for left, right in filter(None, found)
        ]
        if rows:
            with formatter.section(title):
                formatter.write_dl(rows)


def _value(found: re.Match[str]) -> str:
    return " " + _VALUES.get(found[0].strip(), "VALUE")


class _Command(TyperCommand):
    """A command whose --help is plain text."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return [re.sub("[{}]", "", piece) for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        _write_parameters(self.get_params(ctx), ctx, formatter)


class _Commands(TyperGroup):
    """All commands, in the order of the work."""

    def list_commands(self, ctx: Any) -> list[str]:
        names = super().list_commands(ctx)
        return sorted(names, key=lambda name: _ORDER.index(name) if name in _ORDER else len(_ORDER))

    def format_options(self, ctx: Any, formatter: Any) -> None:
        _write_parameters(self.get_params(ctx), ctx, formatter)
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, one.get_short_help_str(limit=200)) for name, one in commands if one])


class _App(typer.Typer):
    def command(self, *args: Any, **options: Any) -> Callable[[Any], Any]:
        return super().command(*args, cls=_Command, **options)


app = _App(
    cls=_Commands,
    name="audiosurvey",
    help="Train, compare and ship audio classifiers from one YAML file.",
    rich_markup_mode=None,
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
DeviceOption = Annotated[str, typer.Option(metavar="DEVICE", help="auto, cpu, cuda, cuda:1 or mps.")]
FoldsOption = Annotated[
    str | None, typer.Option(metavar="1,2,...", help="Only these folds, such as 1,2; default: all.")
]
ForceOption = Annotated[bool, typer.Option("--force", help="Overwrite existing files.")]
TrustOption = Annotated[bool, typer.Option("--trust", help="Also open .pt2 files, which can run code of their author.")]
GoldenClipsOption = Annotated[
    bool,
    typer.Option(
        "--golden-clips/--no-golden-clips",
        help="Store eight windows of training clips in the model, to verify it later, or synthetic sounds instead.",
    ),
]
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


def note_open_address(host: str, what: str) -> None:
    """Says on stderr that a server is not for this computer alone."""
    if host not in ("127.0.0.1", "localhost", "::1"):
        print(f"note: listening on {host}; anyone who can reach this address can use the {what}", file=sys.stderr)


def fold_numbers(text: str | None) -> list[int] | None:
    """The numbers of `--folds 1,2`; None for all folds."""
    if text is None:
        return None
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise UserError(f"--folds {text}: expected numbers separated by commas, such as 1,2") from None
