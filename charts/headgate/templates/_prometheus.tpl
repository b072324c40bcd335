{{/*
The files with credentials and certificate authorities for Prometheus, as the sources of one projected volume. Whole
folders follow a change in a Secret; the operator reads each file anew when it needs it.
*/}}
{{- define "headgate.prometheus.sources" -}}
{{- with .Values.prometheus -}}
{{- if and .bearerToken.secretName .basicAuth.secretName -}}
{{- fail "prometheus.bearerToken.secretName and prometheus.basicAuth.secretName are both set: give a token, or a user name and password" -}}
{{- end -}}
{{- if and .ca.secretName .ca.configMapName -}}
{{- fail "prometheus.ca.secretName and prometheus.ca.configMapName are both set: give one of them" -}}
{{- end -}}
{{- with .bearerToken }}{{ if .secretName }}
- secret:
    name: {{ .secretName }}
    items:
    - {key: {{ .key | quote }}, path: token}
{{- end }}{{ end }}
{{- with .basicAuth }}{{ if .secretName }}
- secret:
    name: {{ .secretName }}
    items:
    - {key: {{ .usernameKey | quote }}, path: username}
    - {key: {{ .passwordKey | quote }}, path: password}
{{- end }}{{ end }}
{{- with .headers }}{{ if .secretName }}
- secret:
    name: {{ .secretName }}
    items:
    - {key: {{ .key | quote }}, path: headers}
{{- end }}{{ end }}
{{- with .ca }}{{ if or .secretName .configMapName }}
- {{ ternary "secret" "configMap" (not (empty .secretName)) }}:
    name: {{ default .configMapName .secretName }}
    items:
    - {key: {{ .key | quote }}, path: ca.crt}
{{- end }}{{ end }}
{{- end -}}
{{- end -}}

{{/* The settings about Prometheus, as environment variables. */}}
{{- define "headgate.prometheus.environment" -}}
{{- with .Values.prometheus -}}
- {name: HEADGATE_PROMETHEUS_ADDRESS, value: {{ .address | quote }}}
- {name: HEADGATE_PROMETHEUS_ALLOWED_ADDRESSES, value: {{ join "," .allowedAddresses | quote }}}
- {name: HEADGATE_PROMETHEUS_TIMEOUT_SECONDS, value: {{ .timeoutSeconds | quote }}}
- {name: HEADGATE_SCRAPE_INTERVAL_SECONDS, value: {{ .scrapeIntervalSeconds | quote }}}
- {name: HEADGATE_PROMETHEUS_NAMESPACE_HEADER, value: {{ .namespaceHeader | quote }}}
- {name: HEADGATE_PROMETHEUS_NAMESPACE_PARAMETER, value: {{ .namespaceParameter | quote }}}
- {name: HEADGATE_METRIC_INTERVAL_SECONDS_MIN, value: {{ .metricIntervalSecondsMin | quote }}}
- {name: HEADGATE_METRICS_PER_NAMESPACE_MAX, value: {{ .metricsPerNamespaceMax | int | quote }}}
{{- if .headers.secretName }}
- {name: HEADGATE_PROMETHEUS_HEADERS_FILE, value: /etc/headgate/prometheus/headers}
{{- end }}
{{- if .bearerToken.secretName }}
- {name: HEADGATE_PROMETHEUS_BEARER_TOKEN_FILE, value: /etc/headgate/prometheus/token}
{{- end }}
{{- if .basicAuth.secretName }}
- {name: HEADGATE_PROMETHEUS_USERNAME_FILE, value: /etc/headgate/prometheus/username}
- {name: HEADGATE_PROMETHEUS_PASSWORD_FILE, value: /etc/headgate/prometheus/password}
{{- end }}
{{- if or .ca.secretName .ca.configMapName }}
- {name: HEADGATE_PROMETHEUS_CA_FILE, value: /etc/headgate/prometheus/ca.crt}
{{- end }}
{{- end -}}
{{- end -}}
