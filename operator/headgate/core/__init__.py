"""The pure core: decisions, weights and verdicts. No clock, randomness, logging or I/O; the shell observes and acts."""
