"""Identity: golden hashes, names that fit, numbers."""

import pytest

from headgate.core.revisions import identity
from tests.core.worlds import A, World, template


@pytest.mark.parametrize(
    ("name", "held", "expected"),
    [
        ("web", {}, "drwfbpm7c8"),
        ("web", {"spec": {"containers": [{"name": "web", "image": "podinfo:1"}]}}, "4plpzpngf9"),
        ("web", {"spec": {"containers": [{"image": "podinfo:1", "name": "web"}]}}, "4plpzpngf9"),
        ("api", {"spec": {"containers": [{"name": "web", "image": "podinfo:1"}]}}, "mxbdfh8cbp"),
        ("web", {"metadata": {"labels": {"größe": "1"}}, "n": [1, 1.5, True, None]}, "xv5djmdmrx"),
    ],
)
def test_template_hashes_are_golden(name: str, held: object, expected: str) -> None:
    """H22: these hashes hold in every release, or an upgrade of Headgate would restart every workload."""
    assert expected == identity.template_hash(name, held)


def test_policy_hash_is_golden() -> None:
    """The hash of a policy holds in every release and is not that of an equal template."""
    assert identity.policy_hash("web", {"strategy": {"canary": {}}}) == "pqgn6trrs9"
    assert identity.template_hash("web", {"strategy": {"canary": {}}}) != "pqgn6trrs9"


def test_canonical() -> None:
    """The canonical form sorts keys at every depth, keeps the order of lists, and is ASCII without white space."""
    assert identity.canonical({"b": [2, 1], "a": {"ü": None, "d": 1.0}}) == '{"a":{"d":1.0,"\\u00fc":null},"b":[2,1]}'


def test_parts_of_a_digest_matter() -> None:
    """A name and a template hash together: neither alone tells revisions of two Rollouts apart."""
    assert len({identity.digest("a", "b"), identity.digest("b", "a"), identity.digest("a"), identity.digest("b")}) == 4
    assert identity.is_hash(identity.digest("a"))


@pytest.mark.parametrize(
    "text", ["", "bbbbbbbbb", "bbbbbbbbbbb", "bbbbbbbbba", "BBBBBBBBBB", "bbbbbbbbb1", "bbbbbbbbbb\n"]
)
def test_what_is_no_hash(text: str) -> None:
    """A hash has ten characters of our alphabet, which has no vowels and nothing that looks like something else."""
    assert not identity.is_hash(text)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("web", f"web-{A}"),
        ("x" * 253, f"{'x' * 30}-{A}"),
        (f"{'x' * 29}-y", f"{'x' * 29}-{A}"),
        (f"{'x' * 27}.-.y", f"{'x' * 27}-{A}"),
    ],
)
def test_deployment_names(name: str, expected: str) -> None:
    """A Deployment's name is cut so that its pods keep it, and never ends its prefix with a separator."""
    assert expected == identity.deployment_name(name, A)
    assert identity.policy_name(name, A) == expected.replace(A, f"policy-{A}")


def test_label_values() -> None:
    """A name of up to 63 characters is its own label value; a longer one fits and stays apart from others."""
    long = f"{'x' * 51}-{'y' * 200}"
    assert identity.label_value("x" * 63) == "x" * 63
    assert identity.label_value(long).startswith("x" * 51 + "-")
    assert len(identity.label_value(long)) <= 63
    assert identity.label_value(long) != identity.label_value(long + "y")
    assert "--" not in identity.label_value(long)


@pytest.mark.parametrize(
    ("name", "shared"), [("web", False), ("web-2026", False), (f"web-{A}", True), ("x" * 70, True)]
)
def test_labels_that_two_rollouts_can_have(name: str, *, shared: bool) -> None:
    """Only a name that looks like the label of a longer one can share that label."""
    assert identity.may_be_shared(identity.label_value(name)) == shared


def test_numbers() -> None:
    """A new revision's number is one more than any that is recorded or known, and the first one is 1."""
    record = World().recorded(A).templates[A]
    assert identity.next_number(()) == 1
    assert identity.next_number((record,)) == 2
    assert identity.next_number((record,), 7, 3) == 8


@pytest.mark.parametrize(
    ("known", "expected"),
    [((2, 3, 2**63 - 2), 4), ((2, 3, 10**30), 4), ((2, -5), 3), ((2, 1002), 1003), ((2, 1003), 3), ((5000,), 5001)],
)
def test_a_number_that_nothing_leads_to_is_ignored(known: tuple[int, ...], expected: int) -> None:
    """Annotations can be edited: one of them must not lead all later numbers beyond what the status can hold."""
    assert identity.next_number((), *known) == expected


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        (template(A), (f"web:{A}",)),
        ({"spec": {"containers": [{"image": "a"}, {"name": "no image"}, {"image": "b"}]}}, ("a", "b")),
        ({"spec": {"containers": [{"image": str(number)} for number in range(101)]}}, tuple(map(str, range(100)))),
        ({"spec": {"containers": "hostile"}}, ()),
        ({"spec": {"containers": None}}, ()),
        ({"spec": None}, ()),
        ({}, ()),
        (None, ()),
    ],
)
def test_images(held: object, expected: tuple[str, ...]) -> None:
    """Images are told in order, at most as many as the status holds; a malformed template has none."""
    assert expected == identity.images(held)


def test_texts() -> None:
    """A selector is sorted text, and an attempt is told by its hash and start."""
    assert identity.selector_text({"b": "2", "a": "1"}) == "a=1,b=2"
    assert identity.attempt(A, 12) == f"{A}/12"


def test_record_of_target() -> None:
    """The spec holds the raw template of a revision only if it is written in the same way, not if it means the same."""
    rollout = World().but(written="other").observe().rollout
    assert not identity.record_of_target(rollout, A)
    assert identity.record_of_target(rollout, "other")


def test_the_hash_in_a_name() -> None:
    """Only a name that is given to that revision of that Rollout tells its hash."""
    hash_ = identity.template_hash("web", {})
    name = identity.deployment_name("web", hash_)

    assert hash_ == identity.hash_in_name("web", name)
    assert "" == identity.hash_in_name("shop", name)
    assert "" == identity.hash_in_name("web", "web-canary")
