#!/usr/bin/env bash
# Runs the README's tour, every command of it as printed there, and wants the words that the README promises.
# Needs Go and kubectl, as the tour says. Leaves nothing behind.
set -uo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
[[ ! -e .cluster ]] || { echo 'FAILED: .cluster/ is there already: run `make cluster-down` first' >&2; exit 1; }
trap 'make --silent cluster-down >/dev/null 2>&1' EXIT

commands=$(sed -n '/^## A tour/,/^## Checking/p' README.md | sed -n 's/^\$ //p')
[[ $(wc -l <<<"$commands") -ge 14 ]] || { echo 'FAILED: the tour was not found in README.md' >&2; exit 1; }
output=$(mktemp)

while IFS= read -r command; do
  echo "\$ $command"
  case $command in
    # A reader ends a watch; the operator needs a moment before each look.
    *--watch) command="timeout 12 $command" ;;
    *'kubectl get'*) sleep 4 ;;
  esac
  # In this shell, so that `export` counts for what follows.
  eval "$command" </dev/null 2>&1
done <<<"$commands" >"$output" 2>&1

cat "$output"
failed=0
expect() { grep -qE -- "$1" "$output" || { echo "FAILED: the tour does not show: $1" >&2; failed=1; }; }
expect '^orders +True +DriftReported +Report +True'
expect '^az role assignment create --name 904510a0-f4d4-5f05-b1bf-9b132b872855'
expect '^orders +Unknown +Propagating +Enforce +False'
expect '^2$'
expect '^0$'
expect 'uses an identity that is neither'
expect '^orders +False +OutsideBoundary'
rm -f "$output"
[[ $failed == 0 ]] && echo 'ok: the tour shows what the README promises'
exit "$failed"
