#!/usr/bin/env bash
# Builds the test cluster and prints the path of its binary. Does nothing when the binary is newer than its sources.
# Exit status: 0 built, 3 Go is absent (callers report that as skipped), anything else a failure.
set -euo pipefail

sources=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
binary=${ROLECALL_CLUSTER_BIN:-$(dirname "$(dirname "$sources")")/target/cluster/cluster}

up_to_date() {
  [[ -x $binary ]] &&
    [[ -z $(find "$sources" \( -name '*.go' -o -name 'go.*' -o -name build.sh \) -newer "$binary") ]]
}

if up_to_date; then
  echo "$binary"
  exit 0
fi
if ! command -v go >/dev/null; then
  echo "skipped: \`go\` is not installed, and the test cluster is built by it" >&2
  exit 3
fi

mkdir -p "$(dirname "$binary")"
binary=$(cd "$(dirname "$binary")" && pwd)/$(basename "$binary")
# Parallel test processes all come here at once; the first one builds, the others find its work.
if command -v flock >/dev/null; then
  exec 9>"$binary.lock"
  flock 9
  if up_to_date; then
    echo "$binary"
    exit 0
  fi
fi

cd "$sources"
# Plain Go with nothing around it: no C compiler, no version control, no workspace.
export CGO_ENABLED=0 GOWORK=off
read -r version date < <(go list -m -f '{{.Version}} {{.Time.Format "2006-01-02T15:04:05Z"}}' k8s.io/kubernetes)
IFS=. read -r major minor _ <<<"${version#v}"
# Without these the server calls itself `v0.0.0-master+$Format…`: kubectl cannot parse it and helm refuses it. A module
# carries no commit; the date is its release.
flags="-s -w"
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
  flags+=" -X $package.gitVersion=$version -X $package.gitMajor=$major -X $package.gitMinor=$minor"
  flags+=" -X $package.gitCommit=unknown -X $package.gitTreeState=archive -X $package.buildDate=$date"
done

# Under another name first, so that a build cut short leaves no binary that looks finished.
unfinished=$binary.$$
trap 'rm -f "$unfinished"' EXIT
go build -mod=readonly -buildvcs=false -trimpath -ldflags "$flags" -o "$unfinished" . >&2
mv -f "$unfinished" "$binary"
echo "$binary"
