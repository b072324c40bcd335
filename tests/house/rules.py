"""The house rules that a linter does not know, each a function from a file to what is wrong with it.

Owns the rules and their numbers; must not know which files they are held against.
"""

import ast
import functools
import re
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

FUNCTION_LINES = 40
MODULE_LINES = 400
FUNCTION_BRANCHES = 12
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
SILENCER = re.compile(r"#\s*(?P<what>noqa|type:\s*ignore|pragma:\s*no cover)(?P<rest>.*)")
CODES = re.compile(r"^(:\s*[A-Z]+\d+(,\s*[A-Z]+\d+)*|\[[a-z, -]+\])?\s*(?P<reason>.*)$")
# What makes a decision differ between two runs on the same Observation. hash() of a string changes with each process.
IMPURE_MODULES = {"asyncio", "logging", "os", "random", "secrets", "socket", "time", "uuid"}
IMPURE_CALLS = {"hash", "id", "input", "open", "print"}
CLOCKS = {"now", "today", "utcnow"}

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
BRANCHING = (
    *(ast.If, ast.IfExp, ast.For, ast.AsyncFor, ast.While),
    *(ast.ExceptHandler, ast.match_case, ast.Assert),
)
Rule = Callable[[str, str], Iterator[str]]


@functools.lru_cache(maxsize=1)
def _nodes(text: str) -> tuple[ast.AST, ...]:
    """Return all nodes of a module, parsed once for all rules that are held against it in a row."""
    return tuple(ast.walk(ast.parse(text)))


def short_functions(path: str, text: str) -> Iterator[str]:
    """Yield functions that are too long to be read at once."""
    for node in _nodes(text):
        if isinstance(node, FUNCTIONS):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES:
                yield f"{path}:{node.lineno} {node.name} has {lines} lines, {FUNCTION_LINES} are allowed"


def few_branches(path: str, text: str) -> Iterator[str]:
    """Yield functions with too many branches: ruff's complexity sees no operators and no comprehensions."""
    for node in _nodes(text):
        if isinstance(node, FUNCTIONS) and (branches := sum(map(_branches, _own_nodes(node)))) > FUNCTION_BRANCHES:
            yield f"{path}:{node.lineno} {node.name} has {branches} branches, {FUNCTION_BRANCHES} are allowed"


def _own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a function without those of the functions inside it, which are counted for themselves."""
    for node in ast.iter_child_nodes(function):
        yield node
        if not isinstance(node, FUNCTIONS):
            yield from _own_nodes(node)


def _branches(node: ast.AST) -> int:
    """Return how many ways a reader has to follow more for that node."""
    if isinstance(node, ast.BoolOp):
        return len(node.values) - 1
    if isinstance(node, ast.comprehension):
        return 1 + len(node.ifs)
    return int(isinstance(node, BRANCHING))


def short_modules(path: str, text: str) -> Iterator[str]:
    """Yield the module if it should be a folder by now."""
    lines = text.count("\n")
    if lines > MODULE_LINES:
        yield f"{path} has {lines} lines, {MODULE_LINES} are allowed"


def telling_names(path: str, _text: str) -> Iterator[str]:
    """Yield the module, or its folder, if its name says nothing."""
    for part in PurePosixPath(path).with_suffix("").parts:
        if part in EMPTY_NAMES:
            yield f"{path}: the name {part} says nothing of what is inside"


def documented_tests(path: str, text: str) -> Iterator[str]:
    """Yield tests that do not say which truth they hold."""
    for node in _nodes(text):
        if isinstance(node, FUNCTIONS) and node.name.startswith("test_") and not ast.get_docstring(node):
            yield f"{path}:{node.lineno} {node.name} has no docstring"


def reasoned_silence(path: str, text: str) -> Iterator[str]:
    """Yield silenced checks that do not say why."""
    for number, line in enumerate(text.splitlines(), start=1):
        found = SILENCER.search(line)
        codes = CODES.match(found["rest"]) if found else None
        if found and (codes is None or len(codes["reason"].strip(" #-—:")) < len("a reason")):
            yield f"{path}:{number} {found['what']} without a reason"


def no_sleep(path: str, text: str) -> Iterator[str]:
    """Yield sleeps: a test waits for a fact, never for a while."""
    for node in _nodes(text):
        if isinstance(node, ast.Call) and _called(node) in {"time.sleep", "asyncio.sleep", "sleep"}:
            yield f"{path}:{node.lineno} sleeps"


def pure(path: str, text: str) -> Iterator[str]:
    """Yield what a pure module must not do: wait, look at a clock, throw dice, log, open."""
    for node in _nodes(text):
        if isinstance(node, (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)):
            yield f"{path}:{node.lineno} waits"
        elif isinstance(node, ast.Import):
            yield from (f"{path}:{node.lineno} imports {a.name}" for a in node.names if a.name in IMPURE_MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module in IMPURE_MODULES:
            yield f"{path}:{node.lineno} imports from {node.module}"
        elif isinstance(node, ast.Call):
            yield from _impure_call(path, node)


def _called(node: ast.Call) -> str:
    """Return the dotted name of what is called; it begins with a dot where an expression has no name."""
    parts: list[str] = []
    owner = node.func
    while isinstance(owner, ast.Attribute):
        parts.append(owner.attr)
        owner = owner.value
    parts.append(owner.id if isinstance(owner, ast.Name) else "")
    return ".".join(reversed(parts))


def _impure_call(path: str, node: ast.Call) -> Iterator[str]:
    called = _called(node)
    owner, _, name = called.rpartition(".")
    if called in IMPURE_CALLS:
        yield f"{path}:{node.lineno} calls {called}()"
    elif name in CLOCKS and owner.rpartition(".")[2] in {"datetime", "date"}:
        yield f"{path}:{node.lineno} reads the clock: {called}()"
