"""The console script: runs a command, and turns errors into lines and an exit status.

Exit status: 0 done; 1 done, but something failed or was found; 2 a user's mistake, in one clear line on stderr.
"""

import os
import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import typer

# Importing a file of commands registers them.
from audiosurvey.cli import (  # noqa: F401
    compare,
    configs,
    data,
    doctor,
    embeddings,
    export,
    finished,
    predict,
    results,
    serving,
    survey,
    training,
)
from audiosurvey.cli.app import app
from audiosurvey.cli.messages import interrupted_line, printed_messages
from audiosurvey.cli.streams import drop_decoder_notes, set_up_streams
from audiosurvey.cli.waiting import wait_without_spinning
from audiosurvey.errors import ArgumentError, UserError, of_the_system


def main() -> None:
    """Runs the command line; a user's mistake ends with its lines and status 2."""
    wait_without_spinning(os.environ)
    set_up_streams()
    drop_decoder_notes()
    try:
        with printed_messages():
            status = app(standalone_mode=False)
        if status == _INTERRUPTED:
            print(interrupted_line(sys.argv[1:]), file=sys.stderr)
        sys.exit(status)
    except UserError as error:
        _fail(error.flag_lines if isinstance(error, ArgumentError) else error.lines, error.status)
    except _UsageError as error:
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "audiosurvey"
        _fail([f"{command}: {_one_line(error.format_message())} ('{command} --help' shows the usage)"])
    except BrokenPipeError:
        # The reader of our output (head, less) has ended; there is nobody left to report to.
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:
        fault = of_the_system(error)
        _fail(fault.lines, fault.status)


_INTERRUPTED = 130
"""The exception that typer raises for Ctrl-C."""
# The base class of typer's usage errors, which typer does not export by name.
_UsageError: Any = typer.BadParameter.__base__


def _fail(lines: Sequence[str], status: int = 2) -> NoReturn:
    for line in lines:
        print(line, file=sys.stderr)
    sys.exit(status)


def _one_line(message: str) -> str:
    """An error message of typer as one clause, with our words for values out of range."""
    words = " ".join(message.split()).rstrip(".")
    words = re.sub(r" \(Possible options?: ([^)]*)\)", r"; did you mean \1?", words)
    words = words.replace(". Did you mean", "; did you mean").replace("Input should be", "must be")
    words = words.replace("greater than or equal to", "at least").replace("less than or equal to", "at most")
    return words[:1].lower() + words[1:]
