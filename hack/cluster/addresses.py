"""The addresses inside a cluster.

Owns the numbers and nothing else. A cluster with a real node has a network of
its own, so every such cluster has the same ones.
"""

SERVICE_RANGE = "10.96.0.0/16"
# The first of the range is always the API server's own Service.
API_SERVICE = "10.96.0.1"
NAME_SERVICE = "10.96.0.10"

NODE = "10.95.0.1"
POD_RANGE = "10.94.0.0/24"
# The node's end of the bridge to which all pods are tied.
POD_GATEWAY = "10.94.0.1/24"
