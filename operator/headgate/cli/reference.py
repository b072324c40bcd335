"""`headgate reference`: the reference of the resource as a Markdown file, printed, written or compared.

Owns the file's name. Must not know what the resource looks like.
"""

from typing import Final

from headgate.api import reference
from headgate.cli import generated

FILE: Final = "reference.md"

COMMAND: Final = generated.command("reference", "reference of the resource", FILE, reference.text)
