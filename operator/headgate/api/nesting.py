"""How deep and how large what people write may be, measured without recursion.

The API server takes 10,000 levels. Python's interpreter gives up at 1,000 of its own, and copying one level takes two
of these, so that 7 kB of braces would end whatever walks over them. Pure text and plain values.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from headgate.api import dns

DEEPEST: Final = 64
"""The levels that a spec may have: no pod template that makes sense has 20."""
KEPT: Final = 80
"""The levels of an answer that are kept: enough to see that a part of it has more than DEEPEST."""
LARGEST_BYTES: Final = 1024 * 1024
"""The size of a spec as JSON. etcd takes 1.5 MB, and a Deployment says more than its template."""

_NESTS: Final = (dict, list)
"""What has levels. `dict | list` would be made anew for each part of every object that is read."""
_SIMPLE: Final = re.compile(r"[A-Za-z0-9_-]{1,40}")
_TOKEN: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)
_CUT: Final = b"null"
_PLACE_PARTS: Final = 6


def parsed(data: bytes) -> Any:
    """Return the JSON value that *data* holds; whatever lies deeper than KEPT levels is null there.

    Raises:
        ValueError: if it holds none.
    """
    try:
        value = json.loads(data)
    except RecursionError:
        return json.loads(_cut(data))
    return json.loads(_cut(data)) if deeper(value, KEPT) else value


def mapping(value: Any) -> dict[str, Any]:
    """Return *value* if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def deeper(value: Any, levels: int) -> bool:
    """Return whether *value* has more than so many *levels* of objects and lists, one inside the other."""
    layer = [value] if isinstance(value, _NESTS) else []
    for _ in range(levels):
        layer = [part for one in layer for part in _parts(one) if isinstance(part, _NESTS)]
        if not layer:
            return False
    return bool(layer)


def shallow(value: Any, levels: int = KEPT) -> Any:
    """Return *value* with null for whatever lies deeper than so many *levels*."""
    return _shallow(value, levels) if deeper(value, levels) else value


def problem(value: Any, path: str) -> str:
    """Return what is wrong with the depth or the size of *value*, which stands at *path*; or an empty text."""
    return too_deep(value, path) or too_large(len(json.dumps(value, separators=(",", ":"))), path)


def too_deep(value: Any, path: str) -> str:
    """Return what is wrong with the depth of *value*, which stands at *path*; or an empty text."""
    if not deeper(value, DEEPEST):
        return ""
    return f"{_deep_place(value, path)}: nested deeper than {DEEPEST} levels: make it flatter"


def too_large(size_bytes: int, path: str) -> str:
    """Return what is wrong with a value at *path* that takes so many bytes as JSON; or an empty text."""
    if size_bytes <= LARGEST_BYTES:
        return ""
    return f"{path}: {size_bytes:,} bytes as JSON, and at most {LARGEST_BYTES:,} can be kept: move data to a ConfigMap"


def _shallow(value: Any, levels: int) -> Any:
    # Calls itself for as many levels as are kept, and no more.
    if not isinstance(value, dict | list):
        return value
    if levels == 0:
        return None
    if isinstance(value, dict):
        return {name: _shallow(part, levels - 1) for name, part in value.items()}
    return [_shallow(part, levels - 1) for part in value]


def _parts(one: Any) -> Any:
    return one.values() if isinstance(one, dict) else one


def _named_parts(one: Any, path: str) -> Iterator[tuple[Any, str]]:
    if isinstance(one, dict):
        for name, part in one.items():
            yield part, f"{path}.{name}" if _SIMPLE.fullmatch(str(name)) else f"{path}[{dns.shown(name)}]"
    else:
        yield from ((part, f"{path}[{index}]") for index, part in enumerate(one))


def _deep_place(value: Any, path: str) -> str:
    """Return the path of the part of *value* that is too deep, down to where only one line can show it."""
    levels, place = DEEPEST, path
    for _ in range(_PLACE_PARTS):
        levels -= 1
        found = next(
            (
                (part, name)
                for part, name in _named_parts(value, place)
                if isinstance(part, dict | list) and deeper(part, levels)
            ),
            None,
        )
        if found is None:
            break
        value, place = found
    return place


def _cut(data: bytes) -> bytes:
    """Return *data* with null for every object and list that begins deeper than KEPT levels."""
    pieces, depth, begin = [], 0, 0
    for token in _TOKEN.finditer(data):
        mark = token[0][:1]
        if mark in b"[{":
            depth += 1
            if depth == KEPT + 1:
                pieces += [data[begin : token.start()], _CUT]
        elif mark in b"]}":
            if depth == KEPT + 1:
                begin = token.end()
            depth -= 1
    return b"".join([*pieces, data[begin:]])
