"""The pure core: decisions, weights and verdicts. No clock, randomness, logging or I/O; the shell brings facts and acts."""
