"""How much is tried: the same cases on every run. HYPOTHESIS_PROFILE=deep takes all cases and seeks new examples."""

import gc
import os

import hypothesis

from headgate.simulation.invariants.decisions import Decisions
from tests.simulation import samples

_ALL = (hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.data_too_large)
hypothesis.settings.register_profile(
    "ci",
    derandomize=True,
    database=None,
    deadline=None,
    # They are the same ones each time, which guards what was once found; new ones are for the profile `deep`.
    max_examples=int(os.environ.get("EXAMPLES", "15")),
    stateful_step_count=20,
    suppress_health_check=_ALL,
    print_blob=True,
)
hypothesis.settings.register_profile(
    "deep",
    deadline=None,
    max_examples=2000,
    stateful_step_count=40,
    suppress_health_check=_ALL,
    print_blob=True,
)
hypothesis.settings.register_profile(
    "quick",
    derandomize=False,
    parent=hypothesis.settings.get_profile("ci"),
    phases=(hypothesis.Phase.generate,),
    report_multiple_bugs=False,
)
hypothesis.settings.load_profile(samples.PROFILE)
if samples.WHOLE:
    Decisions.decided_twice_every = 1


def pytest_collection_finish() -> None:
    """Let the collector look rarely, never at what was there before the first test: it took a tenth of the CPU."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)
