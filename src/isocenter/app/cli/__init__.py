"""The command `isocenter`: a table of commands, each loaded only when it is called.

Errors of the domain end a command with one sentence and a code, never with a traceback, unless
`--debug` asks for it. Exit codes: 0 done, 1 something failed, 2 wrong usage, 3 the peer cannot be
reached, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from isocenter.domain.errors import Broken, InvalidSetting, IsocenterError, PeerUnreachable

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_UNREACHABLE = 3
EXIT_INTERRUPTED = 130

HELP = "A hospital's imaging network as one program: DICOM archive, DICOMweb service, viewer."
EPILOGUE = """\
Examples:

\b
  isocenter demo                                             a whole hospital, to look at
  isocenter store ~/scans --to http://127.0.0.1:8080         send a folder of DICOM files

Settings come from flags, ISOCENTER_… variables and isocenter.toml in the data folder, in that order;
`isocenter config show` lists them. Exit codes: 0 done, 1 something failed, 2 wrong usage, 3 peer unreachable."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One command: its name, the heading it stands under, its line in the overview, the module that holds `command`."""

    name: str
    heading: str
    line: str
    module: str


COMMANDS = (
    Entry("serve", "Run", "Run a node: archive, DICOMweb, viewer.", "serve"),
    Entry("demo", "Run", "Run a whole hospital on this machine: PACS, router, cloud, viewer.", "demo"),
    Entry("modality", "Run", "Run a simulated modality: make studies, send them, see that they are kept.", "modality"),
    Entry("echo", "Move images", "Ask another application entity whether it is there.", "echo"),
    Entry("store", "Move images", "Send DICOM files and folders to an archive.", "store"),
    Entry("find", "Move images", "Search an archive for studies, series or instances.", "find"),
    Entry("get", "Move images", "Fetch a study, series or instance as DICOM files.", "get"),
    Entry("move", "Move images", "Have an archive send a study, series or instance to another one.", "move"),
    Entry("delete", "Move images", "Delete a study, series or instance from an archive.", "delete"),
    Entry("migrate", "Move images", "Move an archive to another one, and prove that everything arrived.", "migrate"),
    Entry("commit", "Move images", "Ask a peer to commit to the safekeeping of instances.", "commit"),
    Entry("worklist", "Plan work", "Keep the modality work list, or ask a peer for its own.", "worklist"),
    Entry("prefetch", "Plan work", "Fetch earlier studies of patients, or tell which and why.", "prefetch"),
    Entry(
        "test-connection",
        "Route images",
        "Find out whether a destination can be used, and what to tell its owner.",
        "test_connection",
    ),
    Entry("channel", "Route images", "Look at channels, start, pause and stop them.", "channel"),
    Entry("destination", "Route images", "Look at destinations, put them aside and take them up.", "destination"),
    Entry("delivery", "Route images", "Look at deliveries, hold, cancel, send again.", "delivery"),
    Entry("routing", "Route images", "Export and import the configuration of channels, with versions.", "routing"),
    Entry("rule", "Route images", "Try the rules of channels; ask what they did, and what others would do.", "rule"),
    Entry("faults", "Practise outages", "Put faults between components; play outages with a verdict.", "faults"),
    Entry("completeness", "Route images", "Show which studies are whole, and by which evidence.", "completeness"),
    Entry("app", "Say who may call", "Register the programs that may call, and give them secrets.", "app"),
    Entry("user", "Say who may call", "Register the people who may sign in.", "user"),
    Entry("role", "Say who may call", "Give roles to applications and people.", "role"),
    Entry("tenant", "Say who may call", "Show and add tenants, change signing keys.", "tenant"),
    Entry("token", "Say who may call", "Print a token.", "token"),
    Entry("certificate", "Say who may call", "Show or export what clients must trust for https.", "certificate"),
    Entry("audit", "Say who may call", "Check the audit log.", "audit"),
    Entry("export", "Look after the archive", "Write instances out of a data folder as DICOM files.", "export"),
    Entry("scrub", "Look after the archive", "Verify every stored byte.", "scrub"),
    Entry("reindex", "Look after the archive", "Rebuild the index from the packs alone.", "reindex"),
    Entry(
        "commitments", "Look after the archive", "List what peers asked us to commit to, and we them.", "commitments"
    ),
    Entry("fhir", "Look after the archive", "Look after the cast of studies to a FHIR server.", "fhir"),
    Entry("doctor", "Look after the archive", "Check this machine and a data folder, with remedies.", "doctor"),
    Entry("config", "Look after the archive", "Show every setting and where its value comes from.", "config"),
)
_BY_NAME = {entry.name: entry for entry in COMMANDS}


class LazyGroup(click.Group):
    """Loads a command's module when the command is called, so that the overview is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        return [entry.name for entry in COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command."""
        entry = _BY_NAME.get(cmd_name)
        if entry is None:
            return None
        command: click.Command = importlib.import_module(f"isocenter.app.cli.{entry.module}").command
        command.name = entry.name
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which one is nearest."""
        if args and args[0] not in _BY_NAME and not args[0].startswith("-"):
            import difflib

            nearest = difflib.get_close_matches(args[0], list(_BY_NAME), n=1)
            hint = f" Did you mean '{nearest[0]}'?" if nearest else ""
            raise click.UsageError(f"There is no command '{args[0]}'.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the overview from the table, without loading a command."""
        headings = dict.fromkeys(entry.heading for entry in COMMANDS)
        for heading in headings:
            with formatter.section(heading):
                width = max(len(entry.name) for entry in COMMANDS)
                formatter.write_dl([(e.name.ljust(width), e.line) for e in COMMANDS if e.heading == heading])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples as they stand."""
        formatter.write_paragraph()
        for line in EPILOGUE.replace("\b\n", "").splitlines():
            formatter.write(line + "\n")


def _show_version(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        from isocenter import __version__

        click.echo(f"isocenter {__version__}")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    help=HELP,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    subcommand_metavar="COMMAND …",
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="Show the version."
)
def group(debug: bool) -> None:
    """Serve as the root of all commands."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit."""
    args = list(sys.argv[1:] if arguments is None else arguments)
    is_debug = "--debug" in args
    if is_debug:
        args.remove("--debug")
    code = _run(args, is_debug=is_debug)
    if code == EXIT_INTERRUPTED:
        sys.stdout.flush()
        os._exit(code)  # a request that is still on its way would hold the interpreter up
    sys.exit(code)


def _run(args: list[str], *, is_debug: bool) -> int:
    try:
        code: Any = group.main(args=args, prog_name="isocenter", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("Stopped.", err=True)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of a pipe went away, as `head` does; what Python would flush at exit has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except IsocenterError as error:
        if is_debug:
            raise
        click.echo(f"Error: {error.message}{_next_step(error)}", err=True)
        return _exit_code(error)
    except Exception as error:  # the outermost frame of the program
        if is_debug:
            raise
        click.echo(f"Error: {_describe(error)}", err=True)
        return EXIT_FAILED


def _exit_code(error: IsocenterError) -> int:
    if isinstance(error, PeerUnreachable):
        return EXIT_UNREACHABLE
    return EXIT_USAGE if isinstance(error, InvalidSetting) else EXIT_FAILED


def _next_step(error: IsocenterError) -> str:
    return " Run it again with --debug to see where." if isinstance(error, Broken) else ""


def _describe(error: Exception) -> str:
    """Return a sentence for an error that is none of ours, without its text unless it is about a file."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror}."
    return f"{type(error).__name__}, which should not happen. Run it again with --debug to see where."
