"""When to look at which Rollout: watches, timers and resyncs wake keys; workers make one pass over each.

```
kopf's watches ─┐
resync ─────────┼─> triggers ─> queue ─> workers ─> passes: observe → decide → act
timers, metrics ┘
```
What wakes a key is never trusted for more than that: every pass reads the cluster anew.
"""
