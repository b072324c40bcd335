"""The demonstration: a good version promoted and a bad one taken back, under real load, before your eyes.

`python -m demo` runs it. It stands on hack.cluster and tests.e2e; nothing stands on it.
"""
