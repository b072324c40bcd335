"""What the code can say: the reasons of conditions and Events, and the lines of the log.

Owns how they are read from the source: whatever is given to a parameter or a field named `reason`. One that cannot be
read is an error, so that no reason escapes. Must not know any particular reason.
"""

import ast
import functools
import re
from collections import defaultdict
from collections.abc import Iterator

from tests.house import tree

Called = dict[str, int]
"""Functions and classes by name, with the position of their `reason`; -1: by keyword only."""
PLACEHOLDER = re.compile(r"%[-.\d]*[a-z]")
LOUD = {"warning", "error", "exception", "critical", "log"}
SHORTEST = 8


@functools.cache
def sources() -> dict[str, ast.Module]:
    """Return the operator's modules, parsed: the simulation says nothing, and the command line repeats others."""
    found = tree.sources("operator/headgate")
    others = ("operator/headgate/simulation/", "operator/headgate/cli/")
    return {name: ast.parse(text) for name, text in found.items() if not name.startswith(others)}


def called() -> Called:
    """Return what takes a reason."""
    takers: Called = {}
    for module in sources().values():
        for node in ast.walk(module):
            if isinstance(node, ast.FunctionDef):
                given = [argument.arg for argument in node.args.args]
                keywords = [argument.arg for argument in node.args.kwonlyargs]
            elif isinstance(node, ast.ClassDef):
                given = [name for part in node.body for name in _field(part)]
                keywords = []
            else:
                continue
            if "reason" in [*given, *keywords]:
                takers[node.name] = given.index("reason") if "reason" in given else -1
    takers.pop("Rule", None)  # a CEL rule's reason is Kubernetes' own word
    return takers


def _field(part: ast.stmt) -> list[str]:
    return [part.target.id] if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name) else []


def reasons() -> dict[str, set[str]]:
    """Return all reasons, by the function or class that they are given to."""
    takers = called()
    found: defaultdict[str, set[str]] = defaultdict(set)
    for name, module in sources().items():
        for function in ast.walk(module):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                for taker, value in _given(function, takers):
                    found[taker] |= _words(value, function, name)
    return dict(found)


def _given(function: ast.FunctionDef | ast.AsyncFunctionDef, takers: Called) -> Iterator[tuple[str, ast.expr]]:
    for node in ast.walk(function):
        if not isinstance(node, ast.Call):
            continue
        taker = ast.unparse(node.func).rpartition(".")[2]
        if taker not in takers:
            continue
        position = takers[taker]
        yield from ((taker, keyword.value) for keyword in node.keywords if keyword.arg == "reason")
        if 0 <= position < len(node.args):
            yield taker, node.args[position]


def _words(value: ast.expr, function: ast.FunctionDef | ast.AsyncFunctionDef, module: str) -> set[str]:
    """Return the words that *value* can be; none where it only passes on what is said elsewhere."""
    if isinstance(value, ast.Constant):
        return {str(value.value)}
    if isinstance(value, ast.IfExp):
        return _words(value.body, function, module) | _words(value.orelse, function, module)
    if isinstance(value, ast.Attribute) and value.attr == "reason":
        return set()
    if isinstance(value, ast.Name):
        arguments = [argument.arg for argument in (*function.args.args, *function.args.kwonlyargs)]
        assigned = [
            part.value
            for part in ast.walk(function)
            if isinstance(part, ast.Assign) and value.id in map(ast.unparse, part.targets)
        ]
        if assigned or (value.id == "reason" and "reason" in arguments):
            return {word for part in assigned for word in _words(part, function, module)}
    message = f"{module}:{value.lineno} which reason this is cannot be read: {ast.unparse(value)}"
    raise AssertionError(message)


def log_lines() -> dict[str, str]:
    """Return the longest fixed part of each warning and error of the log, by where it stands."""
    found = {}
    for name, module in sources().items():
        for node in ast.walk(module):
            if not isinstance(node, ast.Call) or not re.fullmatch(r"_log(ger)?\.\w+", ast.unparse(node.func)):
                continue
            level = ast.unparse(node.func).rpartition(".")[2]
            line = node.args[1 if level == "log" else 0]
            if level in LOUD and isinstance(line, ast.Constant):
                part = max(PLACEHOLDER.split(str(line.value)), key=len).strip(" :;,")
                found[f"{name}:{node.lineno}"] = part
    return {place: part for place, part in found.items() if len(part) >= SHORTEST}
