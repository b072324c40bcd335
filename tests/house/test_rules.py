"""The house rules hold everywhere, and each of them can fail."""

import pytest

from tests.house import rules, tree

EVERYWHERE: list[rules.Rule] = [
    rules.short_functions,
    rules.short_modules,
    rules.telling_names,
    rules.reasoned_silence,
]
OVER_BRANCHES = 48
"""How many functions of the package have more branches than a new one may have: fewer with each change, never more."""
IN_TESTS: list[rules.Rule] = [rules.documented_tests, rules.no_sleep]
PURE = ("operator/headgate/core/", "operator/headgate/api/")
MARK = "# " + "noqa"  # joined, so that the rule does not find it here

BROKEN: dict[str, tuple[rules.Rule, str, str]] = {
    "a function of 41 lines": (rules.short_functions, "a.py", "def f():\n" + "    x = 1\n" * 40),
    "13 branches by operators": (rules.few_branches, "a.py", "def f():\n    return " + " or ".join("x" * 14) + "\n"),
    "13 branches of all kinds": (
        rules.few_branches,
        "a.py",
        "def f():\n" + "    x = [y for y in z if y and x] if x else y\n" * 3 + "    if x:\n        y = x\n",
    ),
    "a module of 401 lines": (rules.short_modules, "a.py", "x = 1\n" * 401),
    "a module named helpers": (rules.telling_names, "operator/headgate/helpers.py", ""),
    "a folder named common": (rules.telling_names, "operator/headgate/common/faults.py", ""),
    "a test without a docstring": (rules.documented_tests, "a.py", "class T:\n    def test_x(self):\n        pass\n"),
    "a silenced line": (rules.reasoned_silence, "a.py", f"x = 1  {MARK}\n"),
    "a silenced code": (rules.reasoned_silence, "a.py", f"x = 1  {MARK}: S101, E501\n"),
    "a silenced type": (rules.reasoned_silence, "a.py", "x = 1  # type" + ": ignore[arg-type]\n"),
    "an uncovered line": (rules.reasoned_silence, "a.py", "x = 1  # pragma" + ": no cover\n"),
    "a sleep": (rules.no_sleep, "a.py", "import time\ntime.sleep(1)\n"),
    "an awaited sleep": (rules.no_sleep, "a.py", "async def f():\n    await asyncio.sleep(1)\n"),
    "an await in core": (rules.pure, "a.py", "async def f():\n    await g()\n"),
    "a clock in core": (rules.pure, "a.py", "import datetime\nx = datetime.datetime.now(datetime.UTC)\n"),
    "a date in core": (rules.pure, "a.py", "from datetime import date\nx = date.today()\n"),
    "dice in core": (rules.pure, "a.py", "import random\n"),
    "time in core": (rules.pure, "a.py", "from time import monotonic\n"),
    "a log in core": (rules.pure, "a.py", "import logging\n"),
    "a file in core": (rules.pure, "a.py", "x = open('y')\n"),
    "a hash that changes with each process": (rules.pure, "a.py", "x = hash('y')\n"),
}
FINE: dict[str, tuple[rules.Rule, str, str]] = {
    "a function of 40 lines": (rules.short_functions, "a.py", "def f():\n" + "    x = 1\n" * 39),
    "12 branches, and others in a function inside": (
        rules.few_branches,
        "a.py",
        f"def f():\n    x = {' or '.join('x' * 13)}\n    def g():\n        return x and y\n",
    ),
    "a module of 400 lines": (rules.short_modules, "a.py", "x = 1\n" * 400),
    "a silenced code with a reason": (rules.reasoned_silence, "a.py", f"x = 1  {MARK}: S101 - because it must\n"),
    "a silenced type with a reason": (
        rules.reasoned_silence,
        "a.py",
        "x = 1  # type" + ": ignore[misc]  # untyped there\n",
    ),
    "the observation's own now": (rules.pure, "a.py", "x = observation.now\ny = window.now()\n"),
}


Found = dict[rules.Rule, list[str]]


def rules_of(path: str) -> list[rules.Rule]:
    """Return the rules that the file at *path* must keep."""
    in_tests = IN_TESTS if path.startswith("tests/") else []
    return [*EVERYWHERE, *in_tests, *([rules.pure] if path.startswith(PURE) else [])]


@pytest.fixture(scope="module")
def found() -> Found:
    """What breaks each rule that a file must keep: file by file, so that each is parsed once for all of them."""
    broken: Found = {}
    for path, text in tree.sources("bench", "demo", "hack", "operator", "tests").items():
        for rule in rules_of(path):
            broken.setdefault(rule, []).extend(rule(path, text))
    return broken


@pytest.mark.parametrize("rule", EVERYWHERE, ids=lambda rule: rule.__name__)
def test_rule_holds_everywhere(found: Found, rule: rules.Rule) -> None:
    """Source and tests alike keep the rule."""
    assert [] == found[rule]


def test_few_functions_have_many_branches() -> None:
    """No new function has more branches than a reader can hold, and the number of old ones only falls."""
    sources = tree.sources("operator").items()
    many = [found for path, text in sources for found in rules.few_branches(path, text)]

    assert len(many) <= OVER_BRANCHES, "\n".join(many)


@pytest.mark.parametrize("rule", IN_TESTS, ids=lambda rule: rule.__name__)
def test_rule_holds_in_tests(found: Found, rule: rules.Rule) -> None:
    """Tests keep the rules that are theirs alone."""
    assert [] == found[rule]


def test_core_and_api_are_pure(found: Found) -> None:
    """Neither a decision nor a model waits, reads a clock, throws dice, logs or opens anything."""
    assert [] == found[rules.pure]


@pytest.mark.parametrize("folder", PURE)
def test_pure_folders_are_there(folder: str) -> None:
    """A rule for a folder without files holds nothing."""
    assert tree.sources(folder.removesuffix("/"))


@pytest.mark.parametrize(("rule", "path", "text"), BROKEN.values(), ids=BROKEN)
def test_rule_finds_what_breaks_it(rule: rules.Rule, path: str, text: str) -> None:
    """A rule that cannot fail holds nothing."""
    assert list(rule(path, text))


@pytest.mark.parametrize(("rule", "path", "text"), FINE.values(), ids=FINE)
def test_rule_leaves_the_rest_alone(rule: rules.Rule, path: str, text: str) -> None:
    """What stands at the limit is within it."""
    assert [] == list(rule(path, text))
