"""Hazards to the operator's own life: killed, cut off, doubled. The real process on the real API server."""
