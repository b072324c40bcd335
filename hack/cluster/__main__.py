"""The command line of the local clusters, and of those of kind.

Owns arguments, output, exit codes, and the choice between the two. What `eval`
is to read goes to stdout, everything else to stderr.
"""

import argparse
import enum
import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from hack.cluster import kind, layout, lifecycle
from hack.cluster.errors import ClusterError
from hack.cluster.lifecycle import Logs

INTERRUPTED = 130


class On(enum.Enum):
    """What a cluster stands on."""

    LOCAL = "local"
    KIND = "kind"
    # KIND if it can be had, and LOCAL if not.
    DETECT = "detect"


def _up(arguments: argparse.Namespace) -> None:
    if _chosen(arguments) is On.KIND:
        kubeconfig = _up_on_kind(arguments)
    else:
        cluster = lifecycle.start(arguments.name, arguments.size)
        kubeconfig = cluster.kubeconfig
        lifecycle.to_standard_error(
            f"server {cluster.server}, state and logs {cluster.state}, kubectl {cluster.kubectl}"
        )
    print(f"export KUBECONFIG={shlex.quote(str(kubeconfig))}")


def _chosen(arguments: argparse.Namespace) -> On:
    """Choose what the cluster is to stand on, and say in one line which and why if anybody asked."""
    on: On | None = arguments.on
    if on is None:
        return On.LOCAL
    if on is not On.DETECT:
        why = "as asked"
    elif layout.read_record(layout.of(arguments.name)) is not None:
        on, why = On.LOCAL, "it is there already"
    elif kind.knows(arguments.name):
        on, why = On.KIND, "it was before"
    elif lacking := kind.lacks():
        on, why = On.LOCAL, lacking
    else:
        on, why = On.KIND, "kind is on the PATH and a Docker engine answers"
    lifecycle.to_standard_error(f"the cluster {arguments.name} is {on.value}: {why}")
    return on


def _up_on_kind(arguments: argparse.Namespace) -> Path:
    cluster = kind.start(arguments.name, arguments.size, lifecycle.to_standard_error)
    offers = "".join(f", {name} {url}" for name, url in cluster.urls.items())
    lifecycle.to_standard_error(f"the cluster {arguments.name} is ready for your own kubectl{offers}")
    return cluster.kubeconfig


def _down(arguments: argparse.Namespace) -> None:
    words = []
    on: On = arguments.on or On.LOCAL
    if on is not On.KIND:
        ended = lifecycle.stop(arguments.name, arguments.logs)
        words.append(f"{ended} processes ended, logs {arguments.logs.value}")
    if on is not On.LOCAL:
        words.append(kind.stop(arguments.name))
    lifecycle.to_standard_error(f"the cluster {arguments.name} is down: {'; '.join(words)}")


def _build(arguments: argparse.Namespace) -> None:
    for folder in lifecycle.build(arguments.size).folders.values():
        print(folder)


def _kubeconfig(arguments: argparse.Namespace) -> None:
    print(lifecycle.find(arguments.name).kubeconfig)


def _enter(arguments: argparse.Namespace) -> None:
    cluster = lifecycle.find(arguments.name)
    words = arguments.words[1:] if arguments.words[:1] == ["--"] else arguments.words
    # As `up` would have it: kubectl, and the kubeconfig that it is to use.
    search = os.pathsep.join((str(cluster.kubectl.parent), os.environ.get("PATH", os.defpath)))
    environment = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig), "PATH": search}
    argv = lifecycle.command(cluster, words or [os.environ.get("SHELL", "/bin/sh")])
    try:
        os.execvpe(argv[0], argv, environment)  # noqa: S606 - the command takes our place, signals and exit code included
    except OSError as error:
        raise ClusterError(f"cannot start {argv[0]}: {error.strerror}") from None


def _load(arguments: argparse.Namespace) -> None:
    cluster = lifecycle.find(arguments.name)
    for archive in arguments.archives:
        print(lifecycle.load_image(cluster, archive))


COMMANDS: Mapping[str, tuple[Callable[[argparse.Namespace], None], str]] = {
    "up": (_up, "start a cluster, print 'export KUBECONFIG=...' for eval"),
    "down": (_down, "end a cluster and remove its state"),
    "build": (_build, "build the binaries into the cache and print where they are, start nothing"),
    "kubeconfig": (_kubeconfig, "print the path of a cluster's kubeconfig"),
    "enter": (_enter, "run a command where a cluster's addresses are reached: enter -- kubectl get nodes"),
    "load": (_load, "load images (docker-archive tars) into a cluster's node, without a registry"),
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m hack.cluster", description="Kubernetes here, without Docker or with kind."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    parsers = {name: commands.add_parser(name, help=text) for name, (_, text) in COMMANDS.items()}
    for name, (run, _) in COMMANDS.items():
        parsers[name].set_defaults(run=run)
    for name in ("up", "down", "kubeconfig", "enter", "load"):
        parsers[name].add_argument("--name", default="local", help="which cluster (default: %(default)s)")
    for name in ("up", "build"):
        parsers[name].add_argument(
            "--size", default=lifecycle.DEFAULT_SIZE, choices=lifecycle.SIZES, help="how much of one (%(default)s)"
        )
    for name in ("up", "down"):
        # Tests use this command line as well, and they never stand on kind: who wants it, says so.
        parsers[name].add_argument(
            "--on", type=On, metavar="|".join(on.value for on in On), help="what it stands on (default: local)"
        )
    parsers["enter"].add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND", help="what to run (a shell)")
    parsers["load"].add_argument("archives", nargs="+", type=Path, metavar="IMAGE.tar", help="what to load")
    parsers["down"].add_argument(
        "--keep-logs", dest="logs", action="store_const", const=Logs.KEPT, default=Logs.DISCARDED, help="leave them"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Do what *argv* says and return the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except ClusterError as error:
        lifecycle.to_standard_error(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        lifecycle.to_standard_error("interrupted: what this command had started was ended; 'down' removes the rest")
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
