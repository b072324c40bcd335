"""`headgate status`: how a Rollout stands, once or until its newest version serves or has failed.

Owns the arguments. What reads and shows is loaded when it is needed: the operator's process has this module as well.
"""

import argparse
import math
from typing import Final

from headgate.cli.command import Command

_EPILOG: Final = """\
exit codes:
  0  the newest version serves; without --watch also: it is on its way
  1  the Rollout cannot be read
  2  the arguments are wrong
  3  the newest version was taken back, or the Rollout is degraded
  4  --timeout is over

Reading takes the right to get rollouts.headgate.dev, --watch that to watch them too. With the right to list (and
watch) Deployments and Events, their pods as they are now and what was decided are shown as well.
"""


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the Rollout's name")
    parser.add_argument("-n", "--namespace", default="", help="its namespace; else that of the kubeconfig's context")
    parser.add_argument(
        "-w", "--watch", action="store_true", help="follow it until the newest version serves or has failed"
    )
    parser.add_argument(
        "--timeout",
        type=_duration,
        default=math.inf,
        metavar="DURATION",
        help="with --watch: end with 4 after so long, such as 10m",
    )
    parser.add_argument("--kubeconfig", default="", metavar="FILE", help="else $KUBECONFIG, or ~/.kube/config")
    parser.add_argument("--context", default="", help="a context of the kubeconfig; else its current one")


def _duration(text: str) -> float:
    from headgate.api import values  # noqa: PLC0415 - see the module's docstring

    try:
        return values.parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _run(arguments: argparse.Namespace) -> int:
    from headgate.cli.status import session  # noqa: PLC0415 - see the module's docstring

    return session.run(arguments)


COMMAND: Final = Command(
    name="status",
    summary="show how a Rollout stands, or follow it to its end",
    add_arguments=_add_arguments,
    epilog=lambda: _EPILOG,
    run=_run,
)
