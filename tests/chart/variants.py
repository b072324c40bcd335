"""Values as users set them: the least that works, all that is optional, and the two other shapes of a release."""

from typing import Any, Final

Json = dict[str, Any]

SMALLEST: Final[Json] = {"image": {"repository": "registry.example/headgate"}}
NAMESPACED: Final[Json] = {**SMALLEST, "namespaces": ["shop", "blog"]}
TOKEN: Final[Json] = {
    **SMALLEST,
    "prometheus": {
        "address": "https://prometheus.monitoring:9090",
        "bearerToken": {"secretName": "metrics"},
        "ca": {"configMapName": "authorities"},
    },
}
PASSWORD: Final[Json] = {
    **SMALLEST,
    "prometheus": {
        "address": "https://prometheus.monitoring:9090",
        "allowedAddresses": ["http://one:9090", "http://two:9090"],
        "scrapeIntervalSeconds": 7.5,
        "basicAuth": {"secretName": "metrics", "usernameKey": "who", "passwordKey": "key"},
        "ca": {"secretName": "authorities", "key": "root.pem"},
    },
}
TENANTS: Final[Json] = {
    **PASSWORD,
    "prometheus": {
        **PASSWORD["prometheus"],
        "headers": {"secretName": "tenant", "key": "header-lines"},
        "namespaceHeader": "X-Scope-OrgID",
        "namespaceParameter": "namespace",
        "metricIntervalSecondsMin": 5,
        "metricsPerNamespaceMax": 100000,
    },
}
EVERYTHING: Final[Json] = {
    **TENANTS,
    "fullnameOverride": "gate",
    "image": {"repository": "registry.example/headgate", "tag": "1", "digest": f"sha256:{'0' * 64}"},
    "imagePullSecrets": [{"name": "registry"}],
    "namespaces": ["shop", "blog"],
    "log": {"format": "human", "level": "debug"},
    "workers": 4,
    "resyncSeconds": 86400,
    "requestTimeoutSeconds": 2.5,
    "shutdownSeconds": 30,
    "crds": {"keep": False},
    "serviceAccount": {"name": "gatekeeper"},
    "metricsService": {"enabled": True},
    "podAnnotations": {"example.com/scrape": "true"},
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "dedicated", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
    "priorityClassName": "system-cluster-critical",
}
ALL: Final = {
    "smallest": SMALLEST,
    "namespaced": NAMESPACED,
    "token": TOKEN,
    "password": PASSWORD,
    "tenants": TENANTS,
    "everything": EVERYTHING,
}
