"""A virtual cluster and its users: the real observe, decide and act in a world of one seed and no real time.

Owns a model of the API server, of the Deployment controller and its pods, of metrics, of faults and of the operator's
process, and judges that look at what happens and know nothing of how it was decided. Knows no clock, socket or task.
"""
