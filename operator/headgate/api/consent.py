"""The ValidatingAdmissionPolicy by which a Rollout names only Services and routes that its author may change as well.

Headgate may patch every Service and every route. Without the policy, who may write Rollouts could have it change one
without any right to it. Owns what the API server is asked about whom; must not know how that is written to a file.

A question to the authorizer costs 350,000. One expression may cost 1,000,000 and a policy 10,000,000, so each name has
a validation of its own with one question: 18 of them cost 6,300,000.
"""

from typing import Final

from pydantic.config import JsonDict, JsonValue

from headgate.api import names, traffic

NAME: Final = "headgate-consent"
"""Of the policy and of its binding, where they are applied from the file."""

_TRAFFIC: Final = "spec.traffic"
_ROUTES: Final = f"{_TRAFFIC}.gatewayAPI.routes"
_GATEWAY_GROUP: Final = "gateway.networking.k8s.io"
_VARIABLES: Final = {
    "named": "object.?spec.?traffic.orValue({})",
    "before": "oldObject == null ? {} : oldObject.?spec.?traffic.orValue({})",
    "routes": "variables.named.?gatewayAPI.?routes.orValue([])",
    "routesBefore": "variables.before.?gatewayAPI.?routes.orValue([])",
    "resources": "{'HTTPRoute': 'httproutes', 'GRPCRoute': 'grpcroutes'}",
}


def definitions() -> tuple[JsonDict, JsonDict]:
    """Return the policy, and the binding that puts it to work in all namespaces."""
    binding: JsonDict = {"policyName": NAME, "validationActions": ["Deny"]}
    return _body("ValidatingAdmissionPolicy", _policy()), _body("ValidatingAdmissionPolicyBinding", binding)


def _body(kind: str, spec: JsonDict) -> JsonDict:
    return {"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": NAME}, "spec": spec}


def _policy() -> JsonDict:
    rule: JsonDict = {
        "apiGroups": [names.GROUP],
        "apiVersions": [names.VERSION],
        "operations": ["CREATE", "UPDATE"],
        "resources": [names.PLURAL],  # not their status, not their scale
        "scope": "Namespaced",
    }
    # All that the API server would fill in is written out, so that GitOps tools see no difference.
    matched: JsonDict = {
        "matchPolicy": "Equivalent",
        "namespaceSelector": {},
        "objectSelector": {},
        "resourceRules": [rule],
    }
    # This cannot fail: a write of metadata alone, such as the removal of a finalizer, passes whatever else is wrong.
    differs: JsonDict = {
        "name": "spec-differs",
        "expression": "oldObject == null || object.?spec != oldObject.?spec",
    }
    services = [_service(field) for field in ("stableService", "canaryService")]
    routes = [_route(index) for index in range(traffic.ROUTES_MAX)]
    variables: list[JsonValue] = [{"name": name, "expression": text} for name, text in _VARIABLES.items()]
    return {
        "failurePolicy": "Fail",  # a Rollout that got in unasked would be obeyed for ever
        "matchConstraints": matched,
        "matchConditions": [differs],
        "variables": variables,
        "validations": [*services, *routes, _bound()],
    }


def _service(field: str) -> JsonDict:
    name = f"variables.named.{field}"
    passes = (f"!has({name})", f"variables.before.?{field} == optional.of({name})")
    return _validation(f"{_TRAFFIC}.{field}", passes, group="", resource="'services'", name=name)


def _route(index: int) -> JsonDict:
    one = f"variables.routes[{index}]"
    # Other rules of a route are other people's: who names them anew is asked as well.
    alike = f"r.kind == {one}.kind && r.name == {one}.name && r.?rules.orValue([]) == {one}.?rules.orValue([])"
    passes = (f"size(variables.routes) <= {index}", f"variables.routesBefore.exists(r, {alike})")
    resource = f"variables.resources[{one}.kind]"
    return _validation(f"{_ROUTES}[{index}]", passes, group=_GATEWAY_GROUP, resource=resource, name=f"{one}.name")


def _validation(path: str, passes: tuple[str, ...], *, group: str, resource: str, name: str) -> JsonDict:
    """Return the validation that lets *passes* through unasked, and else asks whether the user may patch the object."""
    asked = f"authorizer.group('{group}').resource({resource}).namespace(request.namespace).name({name})"
    resource_words = f"{resource} + '.{group}'" if group else resource
    # A messageExpression may not ask the authorizer again.
    words = (
        f"'{path}: ' + request.userInfo.username + ' may not patch ' + {resource_words} + '/' + {name} + "
        "' in namespace ' + request.namespace + ', which Headgate would change for this Rollout: name one that you may "
        "patch, or have the right granted by a rolebinding to: kubectl create role NAME --namespace=' + "
        f"request.namespace + ' --verb=patch --resource=' + {resource_words} + ' --resource-name=' + {name}"
    )
    return {
        "expression": " || ".join((*passes, f"{asked}.check('patch').allowed()")),
        "message": f"{path}: name what you may patch: Headgate would change it for this Rollout",
        "messageExpression": words,
        "reason": "Forbidden",
    }


def _bound() -> JsonDict:
    return {
        "expression": f"size(variables.routes) <= {traffic.ROUTES_MAX}",
        "message": f"{_ROUTES}: name at most {traffic.ROUTES_MAX}: whether you may patch more cannot be asked",
        "reason": "Forbidden",
    }
