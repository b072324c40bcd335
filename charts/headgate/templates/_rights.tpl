{{/* What Headgate may do: the least that it needs, all of it inside namespaces. No Secrets, no ConfigMaps, no nodes. */}}
{{- define "headgate.rights" -}}
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
  verbs: [list, create, patch, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [list]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}
