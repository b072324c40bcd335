"""Measurements from Prometheus, without ever making a decision wait.

settings.py     where to ask and with what; which addresses a Rollout may name
sampling.py     `Sampler`: what is known of each query, and when to ask for the rest
series.py       one question: which ticks are kept, which are asked for next, and when again after a problem
samples.py      what was read, in little memory
lanes.py        the way to one server: when a query begins, and how long it is waited for
turns.py        whose query is next: places go round over namespaces and Rollouts
threads.py      daemon threads, for which no exit waits
prometheus.py   one query to one server; whatever happens comes back as a Reading
transport.py    the request: no retries, no redirects, no cookies, bounded answers
connections.py  the sockets: one deadline from the name's look-up to the answer's last byte
scope.py        what goes with a query: credentials, fixed headers, the Rollout's namespace
credentials.py  tokens and passwords from files
answers.py      whether what came back is an answer, and the samples in it
"""
