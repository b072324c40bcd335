"""What files the project is made of. Owns how they are found; must not know what is asked of them."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def files(*, ending: str = "") -> list[Path]:
    """Return every file that is tracked, or would be by `git add`, whose name ends with *ending*."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\0")
    return [ROOT / name for name in sorted(set(names)) if name.endswith(ending) and (ROOT / name).is_file()]


def sources(*folders: str) -> dict[str, str]:
    """Return the text of each Python file under *folders*, by its path from the root."""
    found = {path.relative_to(ROOT).as_posix(): path for path in files(ending=".py")}
    return {
        name: path.read_text(encoding="utf-8")
        for name, path in found.items()
        if name.startswith(tuple(f"{folder}/" for folder in folders))
    }


def texts() -> dict[str, str]:
    """Return every file that is text, by its path from the root."""
    found = {}
    for path in files():
        try:
            found[path.relative_to(ROOT).as_posix()] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
    return found
