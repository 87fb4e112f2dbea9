#!/usr/bin/env bash
# Breaks the shipped code, one way after another (`tests/mutants/*.patch`), and wants the named test to notice. The head of
# a patch says which property it breaks and which test must fail. A mutant that does not build is no catch.
#
# Works on a copy in target/mutants; with names as arguments only those.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
tree=$root/target/mutants/tree
export CARGO_TARGET_DIR=$root/target/mutants/target CARGO_INCREMENTAL=1

# The copy has no folder of recordings beside it.
export ROLECALL_RECORDED=${ROLECALL_RECORDED:-$root/../shared/azure/recorded}

rm -rf "$tree"
mkdir -p "$tree" "$CARGO_TARGET_DIR"
git ls-files -z | xargs -0 cp --parents -t "$tree"
# Dependencies that are built already need not be built again.
[[ -e $CARGO_TARGET_DIR/debug || ! -e target/debug ]] || cp -a target/debug "$CARGO_TARGET_DIR/"
cd "$tree"
git init -q . && git add -A >/dev/null && git -c user.name=mutants -c user.email=mutants@localhost commit -qm tree

# A catcher that fails anyway catches nothing. Builds as well, so that a mutant's time is the mutant's. Whoever has just seen
# this tree pass `make test` sets ROLECALL_TREE_PASSES, and it is only built.
if ! cargo test --locked --lib --test it --test reliability ${ROLECALL_TREE_PASSES:+--no-run} >target.log 2>&1; then
  grep -aE '^error|FAILED' target.log
  echo 'error: without any mutant the tree does not build, or a test fails' >&2
  exit 1
fi
printf '%-9s %-34s %-74s %s\n' property mutant 'caught by' seconds
missed=0 count=0
for patch in "$root"/tests/mutants/*.patch; do
  name=$(basename "$patch" .patch)
  [[ $# == 0 || " $* " == *" $name "* ]] || continue
  property=$(sed -n 's/^property: //p' "$patch")
  target=$(sed -n 's/^target: //p' "$patch")
  catcher=$(sed -n 's/^caught by: //p' "$patch")
  count=$((count + 1))
  from=$SECONDS
  if ! git apply "$patch" 2>/dev/null; then
    verdict='DOES NOT APPLY'
  elif ! cargo test --locked --no-run $target >target.log 2>&1; then
    verdict='DOES NOT BUILD'
  else
    cargo test --locked $target -- "$catcher" >target.log 2>&1
    if grep -qE "^test (.*::)?${catcher}(::.*)? \.\.\. FAILED" target.log; then verdict=$catcher; else verdict="SURVIVED $catcher"; fi
  fi
  case $verdict in "$catcher") ;; *) missed=$((missed + 1)) ;; esac
  printf '%-9s %-34s %-74s %s\n' "$property" "$name" "$verdict" "$((SECONDS - from))"
  git checkout -q . && rm -f target.log
done
echo "$((count - missed)) of $count mutants caught"
[[ $missed == 0 ]]
