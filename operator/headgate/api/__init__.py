"""What users write and read: the Rollout resource as frozen models, and the names that Headgate puts on objects.

Owns the public contract. Knows nothing of clusters, clocks or decisions.
"""
