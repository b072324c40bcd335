"""The load generator: vegeta, called by tests and people, never by a cluster.

Owns what it is built from. Its command line bounds every attack by rate and
duration; README.md has an example.
"""

from hack.cluster.components import Layer, ModuleGroup

VEGETA = ModuleGroup(
    name="vegeta",
    module="vegeta",
    packages={"vegeta": "github.com/tsenart/vegeta/v12"},
    variables={"main.Version": "{version}"},
    versioned_by="github.com/tsenart/vegeta/v12",
)
LAYER = Layer(name="load", groups=(VEGETA,))
