#!/usr/bin/env bash
# A cluster to try Rolecall in: kube-apiserver, simulated Azure and the operator as processes of this machine, their
# state in `.cluster/`. Run again it starts what is not running. `tests/cluster/up.sh down` stops exactly what it started.
#
# ROLECALL_CLUSTER_PORT, ROLECALL_SANDBOX_PORT, ROLECALL_PROBES_PORT and ROLECALL_METRICS_PORT choose other ports than
# 16443, 4480, 8081 and 8080.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
state=$PWD/.cluster
server=127.0.0.1:${ROLECALL_CLUSTER_PORT:-16443}
sandbox=127.0.0.1:${ROLECALL_SANDBOX_PORT:-4480}
probes=127.0.0.1:${ROLECALL_PROBES_PORT:-8081}
metrics=127.0.0.1:${ROLECALL_METRICS_PORT:-8080}
export KUBECONFIG=$state/server/kubeconfig

fail() {
  echo "error: $*" >&2
  exit 1
}

# When a process began, which tells it from a later one with the same id.
began() { ps -o lstart= -p "$1" 2>/dev/null; }

# Whether the process that was started under this name still runs.
running() {
  local id time
  [[ -f $state/$1.pid ]] && { read -r id && read -r time; } <"$state/$1.pid" && [[ $(began "$id") == "$time" ]]
}

# Starts a command in the background under a name, unless it runs. Its output is `.cluster/NAME.log`.
start() {
  local name=$1 id
  shift
  if running "$name"; then
    echo "$name: runs already"
    return
  fi
  nohup "$@" >"$state/$name.log" 2>&1 </dev/null &
  id=$!
  printf '%s\n%s\n' "$id" "$(began "$id")" >"$state/$name.pid"
  echo "$name: started, process $id"
}

# Waits until a question is answered with yes, as long as the process of that name runs.
await() {
  local name=$1
  shift
  for _ in $(seq 300); do
    # Its own life first: another program may answer on the same port.
    running "$name" || fail "$name ended:"$'\n'"$(tail -n 5 "$state/$name.log")"
    sleep 0.2
    ! running "$name" || ! "$@" >/dev/null 2>&1 || return 0
  done
  fail "$name is not ready after a minute; see .cluster/$name.log"
}

# The first line of the answer to a GET, by plain TCP: a laptop may lack curl.
answer() {
  local line
  (
    exec 9<>"/dev/tcp/${1%:*}/${1#*:}"
    printf 'GET %s HTTP/1.1\r\nhost: %s\r\nconnection: close\r\n\r\n' "$2" "$1" >&9
    read -r line <&9
    echo "$line"
  )
}
ready() { [[ $(answer "$probes" /readyz) == *' 200 '* ]]; }
serving() { [[ -f $KUBECONFIG ]] && grep -q '^ready ' "$state/server.log" && kubectl get --raw /readyz; }

down() {
  local name id
  for name in operator sandbox server; do
    if running "$name"; then
      read -r id <"$state/$name.pid"
      kill "$id"
      for _ in $(seq 50); do
        running "$name" || break
        sleep 0.1
      done
      ! running "$name" || fail "$name, process $id, does not end"
      echo "$name: stopped"
    fi
    rm -f "$state/$name.pid"
  done
  # The simulated Azure begins anew at each start, so an old cluster beside it would tell of another world.
  rm -rf "$state"
  echo 'stopped, and .cluster/ is removed'
}

up() {
  local binary
  command -v kubectl >/dev/null || fail 'kubectl is not on PATH'
  echo 'building the API server (minutes, the first time) and rolecall'
  binary=$(tests/cluster/build.sh) || exit $?
  cargo build --quiet --locked --bin rolecall
  local target
  target=$(cargo metadata --format-version 1 --no-deps --locked | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')

  mkdir -p "$state"
  start server "$binary" --dir "$state/server" --listen "$server"
  await server serving
  kubectl apply -f crds
  kubectl wait --for=condition=Established -f crds --timeout=30s >/dev/null
  kubectl create namespace payments --dry-run=client -o yaml | kubectl apply -f - >/dev/null
  start sandbox "$target/debug/rolecall" sandbox --world examples/orders/world.yaml --listen "$sandbox"
  await sandbox answer "$sandbox" /
  start operator env ROLECALL_TOKEN=any ROLECALL_TOKEN_SOURCE=static ROLECALL_ARM_ENDPOINT="http://$sandbox" \
    "$target/debug/rolecall" run --health-listen "$probes" --metrics-listen "$metrics"
  await operator ready
  cat <<TOUR

Ready: a real kube-apiserver at $server, simulated Azure at $sandbox, the operator beside them.

  export KUBECONFIG=$KUBECONFIG
  kubectl apply -f examples/orders/boundary.yaml -f examples/orders/policy.yaml
  kubectl -n payments get fip                    # drift, reported
  kubectl -n payments describe fip orders        # what is missing, and why nothing is done
  kubectl -n payments patch fip orders --type=merge -p '{"spec":{"mode":"Enforce"}}'
  kubectl -n payments get fip --watch            # granted, and waiting for storage to act on it
  make cluster-down
TOUR
}

case ${1:-up} in
  up) up ;;
  down) down ;;
  *) fail "usage: up.sh [up|down]" ;;
esac
