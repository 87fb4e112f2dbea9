#!/usr/bin/env bash
# The chart lints, refuses wrong values, installs against a real API server under restricted pod security; its
# ServiceAccount may do what the operator does and no more; an upgrade brings new fields of the custom resources.
# Needs `helm` and `kubectl` on PATH and the test cluster (tests/cluster/build.sh).
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
chart=$root/charts/rolecall
cluster=$("$root/tests/cluster/build.sh")
scratch=$(mktemp -d)
# Server and scratch end with this script, however it ends.
trap 'kill "${server:-}" 2>/dev/null || true; wait "${server:-}" 2>/dev/null || true; rm -rf "$scratch"' EXIT

fail() { echo "FAILED: $1" >&2; exit 1; }
image=image.repository=example.invalid/rolecall
render() { helm template rolecall "$chart" --namespace rolecall --kube-version 1.34.4 --set "$image" "$@"; }

cat >"$scratch/everything.yaml" <<'YAML'
image: { repository: example.invalid/rolecall, tag: "1", pullSecrets: [{ name: registry }] }
azure: { cloud: AzureChinaCloud, tokenSource: managed-identity }
metrics: { port: 9100, serviceMonitor: { enabled: true, labels: { release: prometheus } } }
serviceAccount: { annotations: { team: platform } }
nodeSelector: { kubernetes.io/os: linux }
tolerations: [{ key: dedicated, operator: Exists }]
affinity: { podAntiAffinity: {} }
topologySpreadConstraints: [{ maxSkew: 1, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway }]
priorityClassName: system-cluster-critical
YAML
helm lint --quiet "$chart" --set "$image"
helm lint --quiet "$chart" --values "$scratch/everything.yaml"
! helm template rolecall "$chart" --kube-version 1.34.4 >/dev/null 2>"$scratch/refused" || fail 'rendered without an image'
grep -q 'image.repository is required' "$scratch/refused" || fail 'the refusal does not say what is missing'
for wrong in metrcs.port=9100 concurrency=0 azure.tokenSource=static metrics.port=8081 crds.install=maybe; do
  ! render --set "$wrong" >/dev/null 2>"$scratch/refused" || fail "rendered with $wrong"
  grep -q "don't meet the specifications of the schema" "$scratch/refused" || fail "$wrong: $(cat "$scratch/refused")"
done
echo 'ok: lints, wants an image, refuses wrong values'

render >"$scratch/default.yaml"
render --values "$scratch/everything.yaml" >"$scratch/everything.out"
has() { grep -qF -- "$2" "$scratch/$1" || fail "$1 has no: $2"; }
has everything.out '- --metrics-listen=0.0.0.0:9100'
has everything.out '- { name: metrics, containerPort: 9100 }'
has everything.out '- { name: metrics, port: 9100, targetPort: metrics }'
has everything.out 'kind: ServiceMonitor'
has everything.out 'release: prometheus'
has everything.out 'priorityClassName: system-cluster-critical'
! grep -q 'kind: ServiceMonitor' "$scratch/default.yaml" || fail 'a ServiceMonitor that nobody asked for'
[[ $(grep -c 'helm.sh/resource-policy: keep' "$scratch/default.yaml") == 2 ]] || fail 'the definitions would not be kept'
! render --set crds.install=false | grep -q 'kind: CustomResourceDefinition' || fail 'definitions that nobody asked for'
# Every flag that the chart passes is one of the binary's.
help=$(cd "$root" && cargo run --quiet --locked -- run --help)
for flag in $(sed -n 's/^ *- \(--[a-z-]*\)=.*/\1/p' "$scratch/default.yaml"); do
  grep -qE -- "^ +$flag " <<<"$help" || fail "\`rolecall run\` has no $flag"
done
echo 'ok: renders metrics, monitor and topology, and flags that exist'

mkfifo "$scratch/ready"
"$cluster" --dir "$scratch/cluster" >"$scratch/ready" &
server=$!
read -r _ KUBECONFIG <"$scratch/ready" || fail 'the API server did not start'
export KUBECONFIG

kubectl create namespace rolecall >/dev/null
kubectl label namespace rolecall pod-security.kubernetes.io/enforce=restricted >/dev/null

# An earlier version of the chart, whose policies have no `suspend` yet.
cp -r "$chart" "$scratch/earlier"
sed -i 's/^version: .*/version: 0.0.9/' "$scratch/earlier/Chart.yaml"
cat >"$scratch/without" <<'TEMPLATE'
{{- if eq $definition.spec.names.kind "FunctionIdentityPolicy" }}
{{- $_ := unset (index $definition.spec.versions 0).schema.openAPIV3Schema.properties.spec.properties "suspend" }}
{{- end }}
TEMPLATE
awk -v without="$scratch/without" '/^---$/ { while ((getline line <without) > 0) print line } { print }' \
  "$chart/templates/crds.yaml" >"$scratch/earlier/templates/crds.yaml"
suspend() {
  kubectl get crd functionidentitypolicies.rolecall.dev \
    -o jsonpath='{.spec.versions[0].schema.openAPIV3Schema.properties.spec.properties.suspend.type}'
}
suspended() {
  sed 's/^  mode: .*/  mode: Report\n  suspend: true/' "$root/examples/orders/policy.yaml" | kubectl create -f - "$@"
}
kubectl create namespace payments >/dev/null
helm install rolecall "$scratch/earlier" --namespace rolecall --set "$image" >/dev/null
kubectl wait --for=condition=Established crd/functionidentitypolicies.rolecall.dev --timeout=30s >/dev/null
[[ -z $(suspend) ]] || fail 'the earlier chart is not what this test takes it for'
! suspended --dry-run=server 2>"$scratch/refused" || fail 'the earlier version knew the field'
grep -q 'unknown field "spec.suspend"' "$scratch/refused" || fail "$(cat "$scratch/refused")"
kubectl create -f "$root/examples/orders/policy.yaml" >/dev/null
uid=$(kubectl get fip orders -n payments -o jsonpath='{.metadata.uid}')

helm upgrade rolecall "$chart" --namespace rolecall --set "$image" >/dev/null
[[ $(suspend) == boolean ]] || fail 'an upgrade does not bring a new field'
[[ $(kubectl get fip orders -n payments -o jsonpath='{.metadata.uid}') == "$uid" ]] || fail 'the upgrade made the policy anew'
kubectl patch fip orders -n payments --type merge -p '{"spec":{"suspend":true}}' >/dev/null
[[ $(kubectl get fip orders -n payments -o jsonpath='{.spec.suspend}') == true ]] || fail 'the new field is dropped'
echo 'ok: an upgrade brings new fields, and the policies stay'

# No controller manager makes the pod here: the template itself has to pass pod security.
warnings=$(kubectl get deployment rolecall -n rolecall -o json \
  | sed 's/"name": "rolecall",/"name": "rolecall-dry",/' | kubectl create --dry-run=server -f - 2>&1 >/dev/null)
[[ $warnings != *'would violate PodSecurity'* ]] || fail "pod security: $warnings"
echo 'ok: installs under restricted pod security'

may() { kubectl auth can-i --quiet --as system:serviceaccount:rolecall:rolecall "$@" 2>/dev/null; }
may watch functionidentitypolicies.rolecall.dev -A || fail 'cannot watch policies'
may list identityboundaries.rolecall.dev || fail 'cannot list boundaries'
may watch namespaces || fail 'cannot watch namespaces'
may patch functionidentitypolicies.rolecall.dev --subresource=status -n anywhere || fail 'cannot write status'
may patch functionidentitypolicies.rolecall.dev -n anywhere || fail 'cannot put a finalizer'
may create events.events.k8s.io -n anywhere || fail 'cannot record events'
! may update functionidentitypolicies.rolecall.dev -n anywhere || fail 'may replace policies'
! may delete functionidentitypolicies.rolecall.dev -n anywhere || fail 'may delete policies'
! may patch identityboundaries.rolecall.dev || fail 'may change boundaries'
! may get secrets -n rolecall || fail 'may read secrets'
! may create deployments.apps -n rolecall || fail 'may create deployments'
! may patch clusterroles.rbac.authorization.k8s.io || fail 'may change rights'
helm upgrade rolecall "$chart" --namespace rolecall --set "$image" --set rbac.finalizers=false,concurrency=4 >/dev/null
! may patch functionidentitypolicies.rolecall.dev -n anywhere || fail 'may put a finalizer, and was told not to'
may patch functionidentitypolicies.rolecall.dev --subresource=status -n anywhere || fail 'cannot write status any more'
kubectl get deployment rolecall -n rolecall -o jsonpath='{.spec.template.spec.containers[0].args}' | grep -q 'concurrency=4' \
  || fail 'an upgrade does not reach the deployment'
echo 'ok: the ServiceAccount may do what the operator does, and no more'

helm uninstall rolecall --namespace rolecall >/dev/null 2>&1
kubectl get fip orders -n payments >/dev/null || fail 'uninstalling took the policies with it'
! kubectl get deployment rolecall -n rolecall >/dev/null 2>&1 || fail 'uninstalling left the operator'
helm install rolecall "$chart" --namespace rolecall --set "$image" >/dev/null || fail 'cannot be installed again'
helm uninstall rolecall --namespace rolecall >/dev/null 2>&1
# Definitions that something else applies.
kubectl delete crd functionidentitypolicies.rolecall.dev identityboundaries.rolecall.dev >/dev/null
kubectl create -f "$root/crds" >/dev/null
! helm install rolecall "$chart" --namespace rolecall --set "$image" >/dev/null 2>"$scratch/refused" || fail 'took over definitions'
grep -q 'invalid ownership metadata' "$scratch/refused" || fail "$(cat "$scratch/refused")"
helm install rolecall "$chart" --namespace rolecall --set "$image",crds.install=false >/dev/null
helm upgrade rolecall "$chart" --namespace rolecall --set "$image" --take-ownership >/dev/null || fail 'cannot take over'
echo 'ok: uninstalling keeps the policies, installing again finds them, and definitions of others are taken over only when told'
