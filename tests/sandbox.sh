#!/usr/bin/env bash
# Microsoft's own client libraries, which nobody here wrote, against `rolecall sandbox` over TLS: they log in, list role
# assignments and create one. Needs Python 3 with venv, and PyPI. Skipped without them, but never in CI.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
scratch=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; wait "${server:-}" 2>/dev/null || true; rm -rf "$scratch"' EXIT

skip() {
  [[ -z ${CI:-} ]] || { echo "FAILED: $1, and CI may not skip this" >&2; exit 1; }
  echo "skipped: the sandbox with Azure's own clients: $1"
  exit 0
}

# Kept between runs, below target/ like everything that is built.
venv=$PWD/target/sandbox-clients
if [[ ! -e $venv/ready ]]; then
  python3 -m venv --clear "$venv" >/dev/null 2>&1 || skip 'there is no python3 with venv'
  "$venv/bin/pip" install --quiet --disable-pip-version-check \
    azure-identity==1.27.0 azure-mgmt-authorization==4.0.0 || skip 'the clients cannot be installed'
  touch "$venv/ready"
fi

cargo build --quiet --locked --bin rolecall
target=$(cargo metadata --format-version 1 --no-deps --locked | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
mkfifo "$scratch/url"
"$target/debug/rolecall" sandbox --world examples/orders/world.yaml --listen 127.0.0.1:0 --tls \
  --ca-out "$scratch/ca.pem" --token-out "$scratch/token" >"$scratch/url" 2>"$scratch/log" &
server=$!
read -r url <"$scratch/url" || { cat "$scratch/log" >&2; exit 1; }

REQUESTS_CA_BUNDLE=$scratch/ca.pem SANDBOX_URL=${url/127.0.0.1/localhost} "$venv/bin/python" - <<'PYTHON'
import os
import uuid

from azure.core.exceptions import ResourceExistsError
from azure.identity import ClientSecretCredential
from azure.mgmt.authorization import AuthorizationManagementClient

url = os.environ["SANDBOX_URL"]
subscription = "11111111-aaaa-4bbb-8ccc-000000000001"
scope = (
    f"/subscriptions/{subscription}/resourceGroups/rg-functions-prod/providers/Microsoft.Storage"
    "/storageAccounts/storderuploads"
)
role = f"/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"

credential = ClientSecretCredential(
    "00000000-7777-4777-8777-00000000000a", "c11e0000-0003-4000-8000-000000000003", "any",
    authority=url, disable_instance_discovery=True,
)
client = AuthorizationManagementClient(
    credential, subscription, base_url=url, credential_scopes=["https://management.azure.com/.default"]
)
before = list(client.role_assignments.list_for_scope(scope))
parameters = {
    "role_definition_id": role,
    "principal_id": "5e57e300-0001-4000-8000-000000000001",
    "principal_type": "ServicePrincipal",
}
name = str(uuid.uuid4())
created = client.role_assignments.create(scope, name, parameters)
assert created.name == name and created.scope == scope, created
after = list(client.role_assignments.list_for_scope(scope))
assert len(after) == len(before) + 1, (len(before), len(after))
try:
    client.role_assignments.create(scope, str(uuid.uuid4()), parameters)
    raise SystemExit("the same grant was made twice")
except ResourceExistsError as error:
    assert error.error.code == "RoleAssignmentExists", error
PYTHON
echo "ok: Azure's own Python clients log in over TLS, list role assignments and create one"
