"""`headgate run`: the operator itself, the same as `python -m headgate`."""

import argparse
import runpy
import sys
from typing import Final

from headgate import settings
from headgate.cli.command import Command


def run(_arguments: argparse.Namespace) -> int:
    """Run the operator until it ends the process."""
    # By name: `__main__` stands above the command line, which may not import it.
    sys.argv = sys.argv[:1]
    runpy.run_module("headgate", run_name="__main__")
    return 0


COMMAND: Final = Command(
    name="run",
    summary="run the operator, with the current kubeconfig or a pod's service account",
    description="Run the operator. All settings are environment variables:",
    epilog=settings.describe,
    run=run,
)
