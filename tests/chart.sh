#!/usr/bin/env bash
# The chart lints, refuses to render without an image, installs against a real API server under restricted pod security,
# and its ServiceAccount may do what the operator does and no more.
# Needs `helm` and `kubectl` on PATH and the test cluster (tests/cluster/build.sh).
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
chart=$root/charts/rolecall
cluster=$("$root/tests/cluster/build.sh")
scratch=$(mktemp -d)
# Server and scratch end with this script, however it ends.
trap 'kill "${server:-}" 2>/dev/null || true; wait "${server:-}" 2>/dev/null || true; rm -rf "$scratch"' EXIT

fail() { echo "FAILED: $1" >&2; exit 1; }

helm lint --quiet "$chart" --set image.repository=example.invalid/rolecall
! helm template rolecall "$chart" --kube-version 1.34.4 >/dev/null 2>"$scratch/refused" || fail 'rendered without an image'
grep -q 'image.repository is required' "$scratch/refused" || fail 'the refusal does not say what is missing'
echo 'ok: lints, and wants an image'

mkfifo "$scratch/ready"
"$cluster" --dir "$scratch/cluster" >"$scratch/ready" &
server=$!
read -r _ KUBECONFIG <"$scratch/ready" || fail 'the API server did not start'
export KUBECONFIG

kubectl create namespace rolecall >/dev/null
kubectl label namespace rolecall pod-security.kubernetes.io/enforce=restricted >/dev/null
helm install rolecall "$chart" --namespace rolecall --set image.repository=example.invalid/rolecall >/dev/null
kubectl get crd functionidentitypolicies.rolecall.dev identityboundaries.rolecall.dev >/dev/null
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
may create events.events.k8s.io -n anywhere || fail 'cannot record events'
may create leases.coordination.k8s.io -n rolecall || fail 'cannot create its lease'
may get leases.coordination.k8s.io/rolecall -n rolecall || fail 'cannot read its lease'
may update leases.coordination.k8s.io/rolecall -n rolecall || fail 'cannot renew its lease'
for verb in get update; do
  ! may "$verb" leases.coordination.k8s.io/another -n rolecall || fail "may $verb the leases of others"
  ! may "$verb" leases.coordination.k8s.io/rolecall -n anywhere || fail "may $verb leases elsewhere"
done
! may create leases.coordination.k8s.io -n anywhere || fail 'may create leases elsewhere'
! may delete leases.coordination.k8s.io/rolecall -n rolecall || fail 'may delete its lease'
! may list leases.coordination.k8s.io -n rolecall || fail 'may list leases'
! may update functionidentitypolicies.rolecall.dev -n anywhere || fail 'may change policies'
! may patch identityboundaries.rolecall.dev || fail 'may change boundaries'
! may get secrets -n rolecall || fail 'may read secrets'
! may create deployments.apps -n rolecall || fail 'may create deployments'
echo 'ok: the ServiceAccount may do what the operator does, and no more'

helm upgrade rolecall "$chart" --namespace rolecall --set image.repository=example.invalid/rolecall,concurrency=4 >/dev/null
kubectl get poddisruptionbudget rolecall -n rolecall >/dev/null || fail 'no disruption budget'
[[ $(kubectl get deployment rolecall -n rolecall -o jsonpath='{.spec.replicas}') == 2 ]] || fail 'not two replicas'
kubectl get deployment rolecall -n rolecall -o jsonpath='{.spec.template.spec.containers[0].args}' | grep -q 'concurrency=4' \
  || fail 'an upgrade does not reach the deployment'
helm uninstall rolecall --namespace rolecall >/dev/null
kubectl get crd functionidentitypolicies.rolecall.dev >/dev/null || fail 'uninstalling took the policies with it'
echo 'ok: upgrades, and uninstalling keeps the policies'
