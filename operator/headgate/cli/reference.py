"""`headgate reference`: the reference of the resource as a Markdown file, printed, written or compared.

Owns the file's name. Must not know what the resource looks like.
"""

from typing import Final

from headgate.api import reference
from headgate.cli import generated

FILE: Final = "reference.md"


def add_parser(subparsers: "generated.Subparsers") -> None:
    """Add the command to the command line."""
    generated.add_parser(subparsers, "reference", "reference of the resource", FILE, reference.text)
