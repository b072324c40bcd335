{{/* Generated from operator/headgate/kinds. Do not edit: change the table, run `make crds`. */}}
{{/* What Headgate may do: the least that it needs, all of it inside namespaces but to look at GatewayClasses. No Secrets, no ConfigMaps, no nodes. */}}
{{- define "headgate.rights.operator" -}}
- apiGroups: [headgate.dev]
  resources: [rollouts]
  verbs: [get, list, watch, patch]
- apiGroups: [headgate.dev]
  resources: [rollouts/status]
  verbs: [patch]
- apiGroups: [headgate.dev] # to own objects with blockOwnerDeletion where that is enforced
  resources: [rollouts/finalizers]
  verbs: [update]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [apps]
  resources: [controllerrevisions]
  verbs: [get, list, create, patch, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [list]
- apiGroups: [""] # to restart pods: budgets hold for each
  resources: [pods/eviction]
  verbs: [create]
- apiGroups: [""]
  resources: [services]
  verbs: [get, list, watch, create, patch]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list, watch]
- apiGroups: [gateway.networking.k8s.io]
  resources: [httproutes, grpcroutes]
  verbs: [get, list, watch, patch]
- apiGroups: [gateway.networking.k8s.io] # to tell whether Gateways can copy requests, before a step asks for it
  resources: [gateways, gatewayclasses]
  verbs: [get]
- apiGroups: [autoscaling] # to tell what scales a Rollout, or by mistake one of its Deployments
  resources: [horizontalpodautoscalers]
  verbs: [list]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}

{{/* What all people with the role view may do with Rollouts. */}}
{{- define "headgate.rights.view" -}}
- apiGroups: [headgate.dev]
  resources: [rollouts]
  verbs: [get, list, watch]
- apiGroups: [headgate.dev]
  resources: [rollouts/scale]
  verbs: [get]
{{- end -}}

{{/* What all people with the role edit may do with Rollouts, besides what view may do. */}}
{{- define "headgate.rights.edit" -}}
- apiGroups: [headgate.dev]
  resources: [rollouts]
  verbs: [create, update, patch, delete, deletecollection]
- apiGroups: [headgate.dev] # kubectl scale
  resources: [rollouts/scale]
  verbs: [update, patch]
{{- end -}}
