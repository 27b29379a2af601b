"""The command ``fastmlp``: one module for each of its subcommands.

The module of a subcommand has a docstring, whose first line is its help, `EXAMPLES`, `add_options`
and `run`. This file joins them and turns errors into one line and an exit code: 0 success, 1
failure, 2 wrong usage or input, 70 a mistake of fastmlp itself, 130 interrupted. The environment
variable FASTMLP_TRACEBACK=1 shows the traceback of a mistake of fastmlp.
"""

import argparse
import difflib
import os
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

import fastmlp
from fastmlp.support import extras
from fastmlp.support.keywords import SYNONYMS

from . import (
    ablate,
    draw,
    evaluate,
    explain,
    export,
    info,
    notices,
    playground,
    predict,
    report,
    search,
    train,
)
from .ranks import Outcome, ended, ranks_of, repeats_another, silenced

COMMANDS = {
    "report": report,
    "train": train,
    "predict": predict,
    "evaluate": evaluate,
    "explain": explain,
    "export": export,
    "ablate": ablate,
    "search": search,
    "draw": draw,
    "playground": playground,
    "info": info,
}
ISSUES = "https://github.com/fastmlp/fastmlp/issues"
OF_TABLES = ("pandas", "sklearn", "scipy")  # what the modules of commands for tables import


class Parser(argparse.ArgumentParser):
    """An argument parser whose error is one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {notices.one_line(message)} (see {self.prog} --help)\n")

    def refuse(self, unknown: Sequence[str]) -> NoReturn:
        """End with the error of arguments that are unknown, with the nearest option."""
        option = next((one for one in unknown if one.startswith("--")), "").partition("=")[0]
        actions = self._option_string_actions
        shown = [name for name, one in actions.items() if one.help != argparse.SUPPRESS]
        meant = SYNONYMS.get(option.removeprefix("--").replace("-", "_"), ())
        close = [one for name in meant if (one := f"--{name.replace('_', '-')}") in shown]
        close = close or difflib.get_close_matches(option, shown, n=1)
        guess = f"; did you mean {close[0]}?" if close else ""
        self.error(f"unrecognized arguments: {' '.join(unknown)}{guess}")


def build_parser() -> Parser:
    """Return the parser of the whole command line."""
    parser = Parser(
        prog="fastmlp",
        description="Train multilayer perceptrons, fast.",
        epilog="fastmlp COMMAND --help describes a command, with examples.",
    )
    parser.add_argument("--version", action="version", version=f"fastmlp {fastmlp.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, module in COMMANDS.items():
        about = (module.__doc__ or "").strip()
        headline = about.splitlines()[0].rstrip(".")
        command = commands.add_parser(
            name,
            help=headline[:1].lower() + headline[1:],
            description=about,
            epilog=f"examples:\n{module.EXAMPLES}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        module.add_options(command)
        command.set_defaults(run=module.run, refuse=command.refuse)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (default: the process's own) and return its exit code."""
    args = argparse.Namespace(command=None, ranks=None)
    argv = list(sys.argv[1:] if argv is None else argv)
    with silenced(argv[0] if argv else ""), notices.reported_warnings(args):
        outcome = run(args, argv)
        if args.ranks is not None:
            outcome = ended(args.ranks, outcome)
        if outcome.message:
            notices.report(args.command, "error", outcome.message)
    return outcome.code


def run(args: argparse.Namespace, argv: list[str]) -> Outcome:
    """Parse the command line into `args`, run its command, and return how it ended."""
    try:
        _, unknown = build_parser().parse_known_args(argv, args)
        if unknown:
            args.refuse(unknown)
        args.argv = argv
        args.ranks = ranks_of(args.command)
        args.run(args)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return Outcome.failed("interrupted", 130)
    except BrokenPipeError:
        # The reader of our output has ended (`fastmlp … | head`). Without this the interpreter
        # would report an error for what is still buffered when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Outcome(1)
    except (ValueError, ImportError) as error:  # of an extra, with the command that installs it
        if isinstance(error, ModuleNotFoundError) and error.name in OF_TABLES:
            error = extras.not_installed(error.name, "tabular")
        return Outcome.failed(str(error), 2)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError) as error:
        return Outcome.failed(_describe(error), 2)
    except OSError as error:
        return Outcome.failed(_describe(error), 1)
    except FloatingPointError as error:  # TrainingDiverged, or outputs that are not finite
        return Outcome.failed(str(error), 1)
    except MemoryError as error:
        reason = f" ({error})" if str(error) else ""
        message = "give fewer rows or columns, smaller layers or smaller batches"
        return Outcome.failed(f"not enough memory{reason}; {message}", 1)
    except OverflowError as error:
        return Outcome.failed(f"a number is too large: {error}", 1)
    except RecursionError:
        return Outcome.failed("a file is nested too deeply", 1)
    except Exception as error:
        if args.ranks is not None and repeats_another(error):
            return Outcome(1, str(error), repeats=True)
        if os.environ.get("FASTMLP_TRACEBACK", "0") not in ("", "0"):
            traceback.print_exc()
        return Outcome.failed(
            f"unexpected {type(error).__name__}: {notices.one_line(str(error))}. This is a mistake "
            f"of fastmlp; please report it with this line and the command at {ISSUES}",
            70,
        )
    return Outcome(0)


def _describe(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}" if error.filename else str(error)
