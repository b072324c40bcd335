"""How hypothesis tries examples, in every tier that does not say otherwise."""

import hypothesis

# How long one example takes says something of the machine, not of the code: CI plays other tiers beside this one.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")
