"""What a Rollout says is believed as far as it makes sense."""

from headgate.observe import rollouts


def test_revision_beside_itself_is_there_once() -> None:
    """A status that names one revision as stable and as canary, or as warm, means the stable one."""
    side, then = {"hash": "a", "revision": 1}, "2026-01-01T00:00:00Z"
    others = {"canary": {**side, "started": then}, "warm": {**side, "promoted": then, "started": then}}
    found = rollouts.parsed_status({"stable": side, **others})

    assert found.stable is not None
    assert ("a", None, None) == (found.stable.hash, found.canary, found.warm)
