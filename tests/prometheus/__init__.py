"""A scripted server that speaks Prometheus' HTTP API: `python -m tests.prometheus --port N`, or in a thread of a test.

scripts.py  what is answered to which query
server.py   the server, and what it was asked
promql.py   just enough PromQL to tell what a query makes of given traffic
"""
