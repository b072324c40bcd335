{{/* The name of the policy and of its binding. They are the cluster's, so that releases of one name in two namespaces need two. */}}
{{- define "headgate.consent.name" -}}
{{- printf "%s-consent.%s" (include "headgate.fullname" .) .Release.Namespace -}}
{{- end -}}

{{/*
Whether the cluster serves ValidatingAdmissionPolicies: "true", or nothing. Helm and Argo CD know it from the cluster,
kind by kind. Rendered without one (helm template), no kind is known, and the version decides: 1.30 and newer serve it.
*/}}
{{- define "headgate.consent.served" -}}
{{- if .Capabilities.APIVersions.Has "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy" -}}
true
{{- else if not (.Capabilities.APIVersions.Has "apps/v1/Deployment") -}}
{{- if semverCompare ">=1.30.0-0" .Capabilities.KubeVersion.Version }}true{{ end -}}
{{- end -}}
{{- end -}}

{{/* What it means that there is no policy, for people; nothing where there is one. */}}
{{- define "headgate.consent.missing" -}}
{{- $so := "the right to write Rollouts is enough to have Headgate change any Service and route of that namespace" -}}
{{- if not .Values.consent.enabled -}}
consent.enabled is false: {{ $so }}.
{{- else if not (include "headgate.consent.served" .) -}}
This cluster serves no ValidatingAdmissionPolicy, as Kubernetes 1.30 and newer do: {{ $so }}.
{{- end -}}
{{- end -}}
