"""`python -m headgate.cli`."""

import sys

from headgate import cli

if __name__ == "__main__":
    sys.exit(cli.main())
