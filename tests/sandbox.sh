#!/usr/bin/env bash
# Microsoft's own client libraries, which nobody here wrote, against `rolecall sandbox` over TLS: they log in and do the
# playbook's reads and repairs, a scenario a function in tests/clients. Needs Python 3 with venv, and PyPI. Skipped without
# them, but never in CI. `tests/sandbox.sh NAME` runs the scenarios whose name has it.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=tests/sandbox-server.sh
source tests/sandbox-server.sh

venv=$PWD/target/sandbox-clients
install_clients "$venv" tests/clients/requirements.txt "the sandbox with Azure's own clients"
start_sandbox tests/clients/world.yaml

# A call has its own time limits; this one is for all of them.
REQUESTS_CA_BUNDLE=$scratch/ca.pem SANDBOX_URL=$url PYTHONDONTWRITEBYTECODE=1 \
  timeout 300 "$venv/bin/python" tests/clients/run.py "$@"
echo "ok: Azure's own Python clients do the playbook's reads and repairs over TLS"
