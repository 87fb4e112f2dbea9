# For scripts that run real clients against the simulator: sourced from the top of the repository. Leaves `$url`, `$scratch`
# (with ca.pem and token) and `$binary`; all of it ends with the script.

scratch=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; wait "${server:-}" 2>/dev/null || true; rm -rf "$scratch"' EXIT

skip() {
  [[ -z ${CI:-} ]] || { echo "FAILED: $1, and CI may not skip this" >&2; exit 1; }
  echo "skipped: $1"
  exit 0
}

# install_clients VENV REQUIREMENTS WHAT: kept between runs, and made again when the requirements change.
install_clients() {
  local venv=$1 requirements=$2 what=$3
  cmp --silent "$requirements" "$venv/installed.txt" && return
  python3 -m venv --clear "$venv" >/dev/null 2>&1 || skip "$what: there is no python3 with venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements" ||
    skip "$what cannot be installed"
  cp "$requirements" "$venv/installed.txt"
}

# start_sandbox WORLD: on this machine only, over TLS.
start_sandbox() {
  local target address
  cargo build --quiet --locked --bin rolecall
  target=$(cargo metadata --format-version 1 --no-deps --locked | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
  binary=$target/debug/rolecall
  mkfifo "$scratch/url"
  "$binary" sandbox --world "$1" --listen 127.0.0.1:0 --tls --ca-out "$scratch/ca.pem" --token-out "$scratch/token" \
    >"$scratch/url" 2>"$scratch/log" &
  server=$!
  read -r address <"$scratch/url" || { cat "$scratch/log" >&2; exit 1; }
  url=${address/127.0.0.1/localhost}
}
