"""An admission webhook that takes its time: what a cluster's own policies may do to every Deployment."""

import base64
import contextlib
import dataclasses
import http.server
import json
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hack.cluster import certificates
from tests.control_plane.life.rollouts import Json, Kubectl

TIMEOUT_SECONDS = 30
"""The longest that an API server waits for a webhook."""
REFUSAL = "Deployments are frozen"


@dataclasses.dataclass
class Admission:
    """How Deployments are admitted; change it at any time."""

    seconds: float = 0.0
    """How long each answer takes."""
    refuses: bool = False
    asked: int = 0
    released: threading.Event = dataclasses.field(default_factory=threading.Event)
    """Set when nobody is kept waiting any more."""

    def answer(self, review: Json) -> Json:
        """Return the answer to *review*, when it is time."""
        self.asked += 1
        if self.seconds:
            self.released.wait(self.seconds)
        said: Json = {"uid": review["request"]["uid"], "allowed": not self.refuses}
        if self.refuses:
            said["status"] = {"message": REFUSAL, "code": 403}
        return {"apiVersion": review["apiVersion"], "kind": review["kind"], "response": said}


@contextlib.contextmanager
def admitting(kubectl: Kubectl, namespace: str, folder: Path, **options: Any) -> Iterator[Admission]:
    """Have all writes to Deployments of *namespace* admitted by a webhook, until the block ends."""
    admission = Admission(**options)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            content = json.dumps(admission.answer(body)).encode()
            with contextlib.suppress(OSError):  # whoever asked may not wait any more
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    authority = certificates.authority(folder, "admission")
    pair = authority.server("webhook", ["127.0.0.1"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, name="admission", daemon=True).start()
        trust = base64.b64encode(authority.pair.certificate.read_bytes()).decode()
        address = f"https://127.0.0.1:{server.server_address[1]}/"
        kubectl("apply", "-f", "-", stdin=json.dumps(_configuration(namespace, address, trust)))
        try:
            yield admission
        finally:
            admission.released.set()
            kubectl("delete", "validatingwebhookconfiguration", namespace)
            server.shutdown()


def _configuration(namespace: str, address: str, trust: str) -> Json:
    rule = {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["*"], "resources": ["deployments"]}
    webhook = {
        "name": "slow.headgate.test",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Fail",
        "timeoutSeconds": TIMEOUT_SECONDS,
        "clientConfig": {"url": address, "caBundle": trust},
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "rules": [rule],
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": namespace},
        "webhooks": [webhook],
    }
