"""Whatever cannot be read, in any order with all else: nothing is taken away for it, and all comes to rest after it."""

from tests.simulation.unreadable_lives import AnythingHappensUnread, AnythingHappensUnreadBehindARouter

TestAnythingHappensUnread = AnythingHappensUnread.TestCase
TestAnythingHappensUnreadBehindARouter = AnythingHappensUnreadBehindARouter.TestCase
