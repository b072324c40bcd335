"""What the Gateways say of the routes as they are now."""

from typing import Final

from headgate.core.model.traffic import TrafficFacts

TOLD_SECONDS: Final = 5
"""How long after our write a Gateway that has not answered is told of: most are quicker, and telling costs a write."""


def accepted(facts: TrafficFacts) -> bool:
    """Return whether every route has a parent that answers, and all that answer have accepted it as it is now."""
    found = facts.known_routes
    return len(found) == len(facts.routes) and all(
        route.parents and all(parent.current and parent.accepted for parent in route.parents) for route in found
    )


def unanswered(facts: TrafficFacts) -> str:
    """Return which parent does not follow which route yet, for people; empty if all do."""
    for route in facts.known_routes:
        for parent in route.parents:
            if not parent.current:
                return f"waiting for {parent.name} to accept {route} at generation {route.generation}"
            if not parent.follows:
                return f"{parent.name} does not accept {route} and may go on as before: {parent.words}"
    return ""


def told_from(facts: TrafficFacts) -> int | None:
    """Return from when on it is told that a parent has not answered; None if all have."""
    late = [route for route in facts.known_routes if not all(parent.current for parent in route.parents)]
    return min((route.written + TOLD_SECONDS for route in late if route.written is not None), default=None)
