"""Run the scripted server as a process of its own: `python -m tests.prometheus --port N [--script FILE]`.

The first line on standard output is the address; SIGTERM and SIGINT end it.
"""

import argparse
import json
import signal
import sys
import threading
from pathlib import Path

from tests.prometheus import scripts
from tests.prometheus.server import ScriptedPrometheus


def main() -> None:
    """Serve until a signal comes."""
    parser = argparse.ArgumentParser(prog="python -m tests.prometheus", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="where to listen on 127.0.0.1; 0: any free port")
    parser.add_argument("--script", type=Path, help="a JSON file with the first script, as for PUT /script")
    options = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    rules = scripts.from_json(json.loads(options.script.read_text())) if options.script else []
    with ScriptedPrometheus(*rules, port=options.port) as server:
        sys.stdout.write(f"{server.address}\n")
        sys.stdout.flush()
        ended.wait()


if __name__ == "__main__":
    main()
