{{/* The name of everything: the release, unless it already says what it is. */}}
{{- define "api.name" -}}
{{- $name := ternary .Release.Name (printf "%s-%s" .Release.Name .Chart.Name) (contains .Chart.Name .Release.Name) }}
{{- $name | trunc 50 | trimSuffix "-" }}
{{- end }}

{{/* Labels by which pods are found: they never change. The dict: root, component. */}}
{{- define "api.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "api.labels" -}}
{{ include "api.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "api.image" -}}
{{- with .Values.image }}{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}{{ end }}
{{- end }}

{{/* Each secret setting as the file that holds it. The dict: keys. */}}
{{- define "api.secretSettings" -}}
{{- range $setting, $key := .keys }}{{ if $key }}
- { name: {{ $setting }}_FILE, value: {{ printf "/secrets/%s" $key | quote }} }
{{- end }}{{ end }}
{{- end }}

{{/* The secret as a volume that the account of the pod alone reads. The dict: existingSecret, keys. */}}
{{- define "api.secretVolume" -}}
- name: secrets
  secret:
    secretName: {{ .existingSecret }}
    defaultMode: 0440
    items:
    {{- range $setting, $key := .keys }}{{ if $key }}
      - { key: {{ $key }}, path: {{ $key }} }
    {{- end }}{{ end }}
{{- end }}

{{/* What every pod has; the account is node's of the image. */}}
{{- define "api.podSecurity" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "api.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}
