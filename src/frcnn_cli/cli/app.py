"""The `frcnn` command: one line per command, in the order of use.

What a command needs beyond Typer it imports inside its function, so that `frcnn --help` imports
neither torch nor OpenCV.
"""

from __future__ import annotations

from typing import Annotated

import typer

from frcnn_cli._version import __version__
from frcnn_cli.cli import cache, compress, demo, export, runs
from frcnn_cli.cli.benchmark import command as bench
from frcnn_cli.cli.data import command as data
from frcnn_cli.cli.detect import command as detect
from frcnn_cli.cli.doctor import command as doctor
from frcnn_cli.cli.evaluate import command as evaluate
from frcnn_cli.cli.help import Command, Commands
from frcnn_cli.cli.proposals import command as proposals
from frcnn_cli.cli.train import command as train
from frcnn_cli.runtime.child import import_nothing_from_here
from frcnn_cli.runtime.cores import share_cores

app = typer.Typer(
    name="frcnn",
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("proposals", cls=Command, epilog=proposals.EXAMPLES)(proposals.proposals)
app.command("train", cls=Command, epilog=train.EXAMPLES)(train.train)
app.command("eval", cls=Command, epilog=evaluate.EXAMPLES)(evaluate.evaluate)
app.command("detect", cls=Command, epilog=detect.EXAMPLES)(detect.detect)
app.command("runs", cls=Command, epilog=runs.EXAMPLES)(runs.runs)
app.command("bench", cls=Command, epilog=bench.EXAMPLES)(bench.bench)
app.command("compress", cls=Command, epilog=compress.EXAMPLES)(compress.compress)
app.command("data", cls=Command, epilog=data.EXAMPLES)(data.data)
app.command("export", cls=Command, epilog=export.EXAMPLES)(export.export)
app.command("demo", cls=Command, epilog=demo.EXAMPLES)(demo.demo)
app.add_typer(cache.app, name="cache", help="List, check and clean up the cache.")
app.command("doctor", cls=Command, epilog=doctor.EXAMPLES)(doctor.doctor)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"frcnn {__version__}")
        raise typer.Exit


@app.callback(epilog="Help of a command: [cyan]frcnn proposals --help[/]")
def frcnn(
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            metavar="",
            callback=_print_version,
            is_eager=True,
            help="Print the version and exit.",
        ),
    ] = False,
) -> None:
    """Fast R-CNN object detection: find proposals, train, evaluate, detect."""


def main() -> None:
    """Runs the command line and exits: 0 done, 1 an error, 2 a wrong command line, 3 some failed.

    130 is an interruption. `Terminal` turns exceptions into these codes.
    """
    import_nothing_from_here()
    share_cores()  # before a command imports torch
    app(prog_name="frcnn")
