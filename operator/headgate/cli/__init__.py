"""The headgate command. Owns the arguments; each command is a module of its own."""

import argparse
from collections.abc import Sequence

from headgate.cli import crds, policies, reference, run


def main(argv: Sequence[str] | None = None) -> int:
    """Do what *argv* says and return the exit code."""
    parser = argparse.ArgumentParser(prog="headgate", description="Progressive delivery for Kubernetes.")
    commands = parser.add_subparsers(dest="command", required=True)
    run.add_parser(commands)
    crds.add_parser(commands)
    policies.add_parser(commands)
    reference.add_parser(commands)
    arguments = parser.parse_args(argv)
    code: int = arguments.run(arguments)
    return code
