"""Whatever cannot be read, in any order with all else: nothing is taken away for it, and all comes to rest after it."""

import hypothesis

from tests.simulation.unreadable_lives import AnythingHappensUnread, AnythingHappensUnreadBehindARouter

TestAnythingHappensUnread = AnythingHappensUnread.TestCase
TestAnythingHappensUnreadBehindARouter = AnythingHappensUnreadBehindARouter.TestCase

# Half as many lives as elsewhere: those that are behind a Gateway cost about a second each.
_HALF = hypothesis.settings(max_examples=hypothesis.settings().max_examples // 2)
TestAnythingHappensUnread.settings = _HALF
TestAnythingHappensUnreadBehindARouter.settings = _HALF
