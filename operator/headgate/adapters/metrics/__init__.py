"""Measurements from Prometheus, without ever making a decision wait.

settings.py     where to ask and with what; which addresses a Rollout may name
sampling.py     `Sampler`: what is known of each query, and when to ask for the rest
lanes.py        one server's own threads, so that a slow server delays nobody else
prometheus.py   one query to one server; whatever happens comes back as a Reading
transport.py    the request: no retries, no redirects, bounded answers
connections.py  the sockets: one deadline from the name's look-up to the answer's last byte
credentials.py  tokens and passwords from files
answers.py      whether what came back is an answer, and the samples in it
"""
