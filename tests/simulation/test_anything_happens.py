"""Whatever users, pods, metrics, Gateways, the network and the operator's own life do, in any order: promises hold."""

from tests.simulation.earlier_lives import AnythingHappensAfterTwo, AnythingHappensAfterTwoBehindARouter
from tests.simulation.lives import AnythingHappens
from tests.simulation.routed_lives import AnythingHappensBehindARouter

TestAnythingHappens = AnythingHappens.TestCase
TestAnythingHappensBehindARouter = AnythingHappensBehindARouter.TestCase
TestAnythingHappensAfterTwo = AnythingHappensAfterTwo.TestCase
TestAnythingHappensAfterTwoBehindARouter = AnythingHappensAfterTwoBehindARouter.TestCase
