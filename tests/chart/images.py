"""Builds the operator's image on this machine without Docker: `python -m tests.chart.images` prints its archive.

Owns what the image is made of and the cache of archives, one per content. What is in the image is the Dockerfile's.
"""

import ast
import contextlib
import dataclasses
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from hack.cluster import files, layout
from tests.chart import root_filesystem
from tests.chart.root_filesystem import ImageError, Say

ROOT: Final = Path(__file__).resolve().parent.parent.parent
REPOSITORY: Final = "headgate.test/headgate"
BASE: Final = "headgate.test/base"
ARCHIVES_KEPT: Final = 3
"""A clone or two, and the content before this one; an archive takes about 250 MB."""

# Where packages come from and how to get there. The rest of a pip configuration is about the machine that it is for.
_PIP_SETTINGS: Final = (
    *("cert", "client-cert", "trusted-host", "proxy"),
    *("index-url", "extra-index-url", "find-links", "no-index"),
    *("default-timeout", "timeout", "retries"),
)


@dataclasses.dataclass(frozen=True, slots=True)
class Image:
    """The operator's image, as a file that container runtimes import."""

    archive: Path
    """In the format docker-archive."""
    repository: str
    tag: str
    """Says what the image is made of: another content has another tag."""


def cache() -> Path:
    """Return the folder that holds archives, for every clone of the tree on this machine."""
    return layout.cache_root().parent / "images"


def ingredients(root: Path = ROOT) -> list[Path]:
    """Return the files that the image is made of, as .dockerignore lets them in, and what says how."""
    lines = (root / ".dockerignore").read_text(encoding="utf-8").splitlines()
    entries = [root / line.removeprefix("!") for line in lines if line.startswith("!")]
    found = [root / "Dockerfile", root / ".dockerignore"]
    for entry in entries:
        found += [entry] if entry.is_file() else [path for path in entry.rglob("*") if path.is_file()]
    return sorted(path for path in found if "__pycache__" not in path.parts)


def key(root: Path = ROOT) -> str:
    """Return a name for the content of all ingredients."""
    digest = hashlib.sha256()
    for path in ingredients(root):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(root).as_posix()}\0{content}\0".encode())
    return digest.hexdigest()[:16]


def copy_ingredients(target: Path) -> None:
    """Copy all ingredients to the folder *target*."""
    for path in ingredients():
        copy = target / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)


def build(say: Say) -> Image:
    """Return the image of the tree as it is now, built if there is none in the cache.

    Raises:
        ImageError: if this machine cannot build it.
    """
    tag = key()
    image = Image(cache() / f"headgate-{tag}.tar", REPOSITORY, tag)
    with files.locked_file(cache() / "images.lock"):
        if not image.archive.exists():
            started = time.monotonic()
            root_filesystem.require(["mmdebstrap", "buildah"], say)
            base = root_filesystem.make(cache(), say)
            say("building the image")
            _build(base, image)
            _forget_old_ones(image)
            size = image.archive.stat().st_size / 1e6
            say(f"built {image.repository}:{image.tag} in {time.monotonic() - started:.0f} s, {size:.0f} MB")
    return image


def _build(base: Path, image: Image) -> None:
    for left in cache().glob("building-*"):
        shutil.rmtree(left)
    with tempfile.TemporaryDirectory(dir=cache(), prefix="building-") as folder:
        work = Path(folder)
        source = work / "source"
        copy_ingredients(source)
        if key(source) != image.tag:
            raise ImageError("the tree changed while it was read: build again")
        # Storage of its own, gone at the end: nothing here depends on what this machine has, or changes it.
        storage = [f"--root={work / 'storage'}", f"--runroot={work / 'run'}", "--storage-driver=vfs"]
        buildah = ["buildah", *storage]
        options = ["--isolation=chroot", "--network=host", "--pull-never", "--format=docker"]
        (work / "base").mkdir()
        (work / "base" / "Dockerfile").write_text("FROM scratch\nADD root.tar /\n", encoding="utf-8")
        os.link(base, work / "base" / "root.tar")
        root_filesystem.run([*buildah, "bud", *options, f"--tag={BASE}", str(work / "base")])
        name = f"{image.repository}:{image.tag}"
        here = [*options, f"--build-arg=BASE={BASE}", *_pip_volumes(work), f"--tag={name}"]
        root_filesystem.run([*buildah, "bud", *here, str(source)])
        unfinished = work / "image.tar"
        root_filesystem.run([*buildah, "push", "--quiet", name, f"docker-archive:{unfinished}:{name}"])
        unfinished.rename(image.archive)


def _pip_volumes(work: Path) -> Iterator[str]:
    """Yield options that show this machine's pip configuration to the build, where no layer keeps it.

    Only the build stage runs commands, and nothing of it but /opt/headgate gets into the image.
    """
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    settings, named = pip_settings(listed)
    configuration = work / "pip.conf"
    configuration.touch(mode=0o600)
    configuration.write_text(settings, encoding="utf-8")
    yield f"--volume={configuration}:/etc/pip.conf:ro"
    yield from (f"--volume={path}:{path}:ro" for path in named)


def pip_settings(listed: str) -> tuple[str, list[str]]:
    """Return a pip.conf that says what `pip config list` *listed*, and the existing files that it names."""
    found: dict[str, str] = {}
    for line in sorted(listed.splitlines(), reverse=True):  # ":env:" sorts before "global", and outdoes it
        option, _, value = line.partition("=")
        section, _, name = option.rpartition(".")
        if section in ("global", ":env:") and name in _PIP_SETTINGS:
            found[name] = str(ast.literal_eval(value))
    words = [word for value in found.values() for word in value.split()]
    named = sorted({word for word in words if word.startswith("/") and Path(word).exists()})
    lines = [f"{name} = {' '.join(value.split())}" for name, value in sorted(found.items())]
    return "\n".join(["[global]", *lines, ""]), named


def _forget_old_ones(image: Image) -> None:
    archives = sorted(cache().glob("headgate-*.tar"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in [path for path in archives if path != image.archive][ARCHIVES_KEPT - 1 :]:
        with contextlib.suppress(FileNotFoundError):
            old.unlink()


def main(arguments: Sequence[str]) -> int:
    """Build the image, print the path of its archive and its name, and return the exit code."""
    if arguments:
        sys.stderr.write("usage: python -m tests.chart.images\n")
        return 2
    try:
        image = build(lambda words: print(words, file=sys.stderr, flush=True))  # noqa: T201 - progress, for people
    except ImageError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{image.archive} {image.repository}:{image.tag}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
