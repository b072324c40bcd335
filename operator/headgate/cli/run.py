"""`headgate run`: the operator itself, the same as `python -m headgate`."""

import argparse
import runpy
import sys
from typing import TYPE_CHECKING

from headgate import settings

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - argparse has no public name for it


def add_parser(subparsers: "Subparsers") -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        "run",
        help="run the operator, with the current kubeconfig or a pod's service account",
        description="Run the operator. All settings are environment variables:",
        epilog=settings.describe(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)


def run(_arguments: argparse.Namespace) -> int:
    """Run the operator until it ends the process."""
    # By name: the command line stands beneath the room that builds the operator and may not import it.
    sys.argv = sys.argv[:1]
    runpy.run_module("headgate", run_name="__main__")
    return 0
