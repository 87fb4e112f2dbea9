#!/usr/bin/env bash
# Asks the test cluster for everything the suite relies on, restarts it and asks again. One `ok` line per fact.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
binary=$("$here/build.sh")
dir=$(mktemp -d)
export KUBECONFIG=$dir/kubeconfig
server=
watch=
# Only what a failed run leaves behind is killed, by its id.
trap 'for id in $server $watch; do kill -KILL "$id" 2>/dev/null || true; done; rm -rf "$dir"' EXIT

ok() { echo "ok: $*"; }
fail() {
  echo "failed: $*" >&2
  exit 1
}

# Starts the server on $dir with the given arguments and returns at its ready line. Its stdin is a pipe that we hold.
start() {
  mkfifo "$dir/lines" "$dir/stdin"
  "$binary" --dir "$dir" "$@" <"$dir/stdin" >"$dir/lines" &
  server=$!
  exec 8>"$dir/stdin"
  local line
  read -r line <"$dir/lines" || fail "no ready line"
  rm "$dir/lines" "$dir/stdin"
  [[ $line == "ready $KUBECONFIG" ]] || fail "unexpected line \`$line\`"
}

# Waits for the server's end, which must be soon and with exit code 0.
ended() {
  local from=$SECONDS
  wait "$server" || fail "exit code $?"
  server=
  ((SECONDS - from <= 3)) || fail "it took $((SECONDS - from)) s to stop"
}

example() {
  cat <<YAML
apiVersion: smoke.rolecall.dev/v1
kind: Example
metadata: {name: $1, namespace: smoke}
spec: {low: $2, high: $3}
YAML
}

high() { kubectl -n smoke get example first -o 'jsonpath={.spec.high}'; }

start
address=$(kubectl config view --minify -o 'jsonpath={.clusters[0].cluster.server}')
ok "ready at $address"

built=$(sed -n 's|^\tk8s.io/kubernetes ||p' "$here/go.mod")
kubectl version 2>/dev/null | grep -qx "Server Version: $built" || fail "kubectl version: $(kubectl version 2>&1)"
ok "kubectl version reads $built"

! "$binary" --dir "$dir" >/dev/null 2>"$dir/second" || fail "a second server on the same directory started"
grep -q 'is in use by another cluster' "$dir/second" || fail "$(cat "$dir/second")"
ok "a second server on the same directory is refused"

kubectl get namespace default kube-system >/dev/null
kubectl create namespace smoke >/dev/null
ok "namespaces"

kubectl apply --server-side -f - >/dev/null <<'YAML'
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: examples.smoke.rolecall.dev}
spec:
  group: smoke.rolecall.dev
  scope: Namespaced
  names: {kind: Example, plural: examples, singular: example}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              properties:
                low: {type: integer}
                high: {type: integer}
              x-kubernetes-validations:
                - rule: self.low < self.high
                  message: low is below high
YAML
kubectl wait --for=condition=Established crd/examples.smoke.rolecall.dev --timeout=10s >/dev/null
ok "custom resource definition"

example first 1 7 | kubectl apply --server-side --field-manager=smoke -f - >/dev/null
[[ $(high) == 7 ]] || fail "the object read is not the one applied"
manager=$(kubectl -n smoke get example first --show-managed-fields -o 'jsonpath={.metadata.managedFields[0].manager}')
[[ $manager == smoke ]] || fail "field manager is \`$manager\`"
ok "server-side apply and get"

! example second 9 2 | kubectl apply --server-side -f - 2>"$dir/refused" || fail "the CEL rule accepted 9 < 2"
grep -q 'low is below high' "$dir/refused" || fail "$(cat "$dir/refused")"
ok "the CEL rule refuses"

# The namespace's own account would come from the controller manager, which is not here.
kubectl -n smoke create serviceaccount default >/dev/null
token=$(kubectl -n smoke create token default)
# A kubeconfig without credentials: the administrator's certificate would win over the token.
as_account() {
  kubectl config view --raw --minify -o 'jsonpath={.clusters[0].cluster.certificate-authority-data}' |
    base64 -d >"$dir/authority.crt"
  kubectl --kubeconfig=/dev/null --server="$address" --certificate-authority="$dir/authority.crt" --token="$token" "$@"
}
name=$(as_account auth whoami -o 'jsonpath={.status.userInfo.username}')
[[ $name == system:serviceaccount:smoke:default ]] || fail "the token belongs to \`$name\`"
! as_account -n smoke get examples >/dev/null 2>"$dir/refused" || fail "RBAC let a bare account read"
grep -q 'Forbidden' "$dir/refused" || fail "$(cat "$dir/refused")"
kubectl -n smoke create role reader --verb=get,list --resource=examples.smoke.rolecall.dev >/dev/null
kubectl -n smoke create rolebinding reader --role=reader --serviceaccount=smoke:default >/dev/null
as_account -n smoke get example first >/dev/null
ok "TokenRequest and RBAC"

kubectl -n smoke get examples --watch >/dev/null 2>&1 &
watch=$!
sleep 0.5
kill -TERM "$server"
ended
ok "SIGTERM stops it, also with a watch open"

before=$(cksum <"$KUBECONFIG")
start --listen "${address#https://}" --exit-with-stdin
kill -TERM "$watch" 2>/dev/null || true
wait "$watch" || true
watch=
[[ $(cksum <"$KUBECONFIG") == "$before" ]] || fail "the kubeconfig changed over a restart on the same port"
[[ $(high) == 7 ]] || fail "the object is gone after a restart"
as_account -n smoke get example first >/dev/null
ok "object, kubeconfig and token outlive a restart on the same port"

exec 8>&-
ended
ok "the end of stdin stops it"

start --listen "${address#https://}"
kill -KILL "$server"
wait "$server" 2>/dev/null || true
start --listen "${address#https://}"
[[ $(high) == 7 ]] || fail "the object is gone after a kill"
kill -TERM "$server"
ended
ok "data outlives a kill"
