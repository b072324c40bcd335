"""The invariants of the design, in a virtual cluster."""
