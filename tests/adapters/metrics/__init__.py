"""Prometheus as it is and as it should not be: every outcome, and nobody waits for anybody."""
