"""`make bench`: what Headgate costs and how fast it is, on a real control plane, beside what the API itself costs.

figures   what was measured, and whether that is within its budget; pure
table     how figures are shown and kept
scope     how much is measured: quick, full, tiny
stage     a cluster, an operator, a scripted Prometheus, and that all is taken down
client    a plain client: what the operator's work would cost if it were free
audit     who asked the API server for what, and when
usage     what a process uses
crowd     many Rollouts at once
servers   the Prometheus servers that canaries are measured by
raw, react, writes, scale, waves, analysis, soak: a section each
"""
