"""How JSON patches are spelled: pointers, and operations that test before they change."""

from headgate.core.model import Json


def pointer(*parts: str) -> str:
    """Return a JSON pointer (RFC 6901) to the member at *parts*."""
    return "".join(f"/{part.replace('~', '~0').replace('/', '~1')}" for part in parts)


def operation(kind: str, path: str, value: object) -> Json:
    """Return one operation with a value: add, replace or test."""
    return {"op": kind, "path": path, "value": value}


def removal(path: str) -> Json:
    """Return the operation that removes what is at *path*."""
    return {"op": "remove", "path": path}


def unchanged(resource_version: str) -> Json:
    """Return the operation that refuses the patch of an object that was changed since it was read."""
    return operation("test", pointer("metadata", "resourceVersion"), resource_version)
