"""How to go on by hand, in a cluster that was kept. Owns the words."""

import os
import sys
from pathlib import Path

from demo.stage import CLUSTER, NAMESPACE
from hack.cluster import Cluster
from tests.e2e import podinfo


def words(cluster: Cluster) -> str:
    """Return what can be done with *cluster* now, command by command."""
    python = os.path.relpath(sys.executable) if Path(sys.executable).is_relative_to(Path.cwd()) else sys.executable
    load = f'echo "GET {podinfo.url(cluster)}" | {cluster.vegeta} attack -rate=60 -duration=60s'
    return f"""
The cluster and the operator are up. Nothing of them is reached from outside, so go in first:

  {python} -m hack.cluster enter --name {CLUSTER}        # a shell in there, with kubectl

Look, and ship something else:

  kubectl -n {NAMESPACE} edit rollouts.headgate.dev {podinfo.NAME}   # another image, other steps
  {python} -m headgate.cli status {podinfo.NAME} -n {NAMESPACE} --watch
  {load} | {cluster.vegeta} report

Your own service: load its image from outside, as there is no registry, and apply a Rollout like this one with a Service
and an HTTPRoute of its own (this one takes all hosts; give yours a hostname, or delete this one):

  docker save IMAGE -o image.tar && {python} -m hack.cluster load --name {CLUSTER} image.tar
  kubectl -n {NAMESPACE} get rollouts.headgate.dev,service,httproute {podinfo.NAME} -o yaml > mine.yaml

And when you are done (the operator ends with it):

  make cluster-down NAME={CLUSTER}
"""
