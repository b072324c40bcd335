"""How hard hypothesis looks: the same examples on every CI run; HYPOTHESIS_PROFILE=deep looks for new ones."""

import os

import hypothesis

_ALL = (hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.data_too_large)
hypothesis.settings.register_profile(
    "ci",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=int(os.environ.get("EXAMPLES", "40")),
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
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
