#!/usr/bin/env bash
# The Azure CLI itself against `rolecall sandbox`: the playbook's three quick checks, its mitigations word for word, and the
# commands that `rolecall plan` prints; `rolecall check` says before and after what they came to. Needs Python 3 with venv,
# and PyPI (730 MB, once). `docs/playbook-checks.md` tells what is shown here about the quick checks.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=tests/sandbox-server.sh
source tests/sandbox-server.sh

venv=$PWD/target/az
install_clients "$venv" tests/az/requirements.txt 'the Azure CLI'
start_sandbox tests/az/world.yaml

export AZURE_CONFIG_DIR=$scratch/az AZURE_CORE_COLLECT_TELEMETRY=no AZURE_CORE_NO_COLOR=true
export AZURE_CORE_DISABLE_CONFIRM_PROMPT=true AZURE_CORE_SURVEY_MESSAGE=no
export REQUESTS_CA_BUNDLE=$scratch/ca.pem

# What a user types, each in a minute at most.
az() { timeout 60 "$venv/bin/az" "$@"; }

rolecall() {
  SSL_CERT_FILE=$scratch/ca.pem ROLECALL_ARM_ENDPOINT=$url ROLECALL_TOKEN_SOURCE=static \
    ROLECALL_TOKEN=$(cat "$scratch/token") "$binary" "$@"
}

# is WHAT WANTED COMMAND...: the command prints this and nothing else.
is() {
  local what=$1 wanted=$2 got
  shift 2
  got=$("$@" 2>>"$scratch/az.log") || { echo "FAILED: $what: \`$*\` ended with $?" >&2; tail -5 "$scratch/az.log" >&2; exit 1; }
  [[ $got == "$wanted" ]] || { printf 'FAILED: %s: `%s` printed\n%s\nwhere this was expected:\n%s\n' "$what" "$*" "$got" "$wanted" >&2; exit 1; }
  echo "ok: $what"
}

# checks CODE WORD FILE: `rolecall check` ends with this code and says this word.
checks() {
  local code=0 told
  told=$(rolecall check --allow-propagating -f "tests/az/$3.yaml" 2>&1) || code=$?
  [[ $code == "$1" && $told == *"$2"* ]] || { printf 'FAILED: check of %s ended with %s:\n%s\n' "$3" "$code" "$told" >&2; exit 1; }
  echo "ok: rolecall check of $3 ends with $1 and says $2"
}

subscription=33333333-aaaa-4bbb-8ccc-000000000003
group=/subscriptions/$subscription/resourceGroups/rg-shop
bus=$group/providers/Microsoft.ServiceBus/namespaces/sb-shop
store=$group/providers/Microsoft.Storage/storageAccounts/stshophost
vault=$group/providers/Microsoft.KeyVault/vaults/kv-shop
principal=05e70000-0003-4000-8000-000000000001

echo '--- another cloud, and who asks'
az cloud register --name sandbox --endpoint-resource-manager "$url" >/dev/null
az cloud set --name sandbox
az config set core.instance_discovery=false 2>/dev/null
is 'login' "$subscription" \
  az login --service-principal --username c11e0000-0005-4000-8000-000000000005 --password any \
  --tenant 00000000-7777-4777-8777-00000000000c --query '[].id' --output tsv

echo '--- before'
checks 2 system-identity shop
checks 2 role-missing shop
checks 2 vault-mode shop

echo "--- the playbook's quick checks"
is 'the app has no identity, and that prints nothing' '' \
  az functionapp identity show --name func-shop --resource-group rg-shop
is 'the role on the namespace is missing' '[]' \
  az role assignment list --assignee "$principal" --scope "$bus" --output json
is 'the vault decides by access policies' false \
  az keyvault show --name kv-shop --query properties.enableRbacAuthorization

echo '--- where the quick checks mislead'
is 'no role on the host storage is shown' '[]' \
  az role assignment list --assignee "$principal" --scope "$store" --output json
names='sort([].roleDefinitionName)'
is 'what is inherited is there all the same' $'Reader\nStorage Queue Data Contributor' \
  az role assignment list --assignee "$principal" --scope "$store" --include-inherited --query "$names" --output tsv
is 'and so is what comes through a group' $'Reader\nStorage Blob Data Owner\nStorage Queue Data Contributor' \
  az role assignment list --assignee "$principal" --scope "$store" --include-inherited --include-groups \
  --query "$names" --output tsv
is 'a role of the data plane of Cosmos DB is in a list of its own' "$principal" \
  az cosmosdb sql role assignment list --account-name cosmos-shop --resource-group rg-shop \
  --query '[].principalId' --output tsv
is 'and in no other' '[]' \
  az role assignment list --assignee "$principal" --output json \
  --scope "$group/providers/Microsoft.DocumentDB/databaseAccounts/cosmos-shop"
is 'a vault that says nothing about its mode prints nothing, and has access policies' '' \
  az keyvault show --name kv-old --resource-group rg-shop --query properties.enableRbacAuthorization
is 'asked for properly' access-policies \
  az keyvault show --name kv-old --resource-group rg-shop --output tsv \
  --query "properties.enableRbacAuthorization && 'roles' || 'access-policies'"
{ rolecall check -o json -f tests/az/shop.yaml 2>>"$scratch/az.log" || true; } | "$venv/bin/python" -c '
import json, sys
(policy,) = json.load(sys.stdin)["policies"]
(storage,) = [it for it in policy["requirements"] if "platform/hostStorage" in it["subjects"]]
held = [it["id"].rsplit("/", 1)[1] for it in storage["by"]]
assert storage["answer"] == "satisfied" and "a5510003-0000-4000-8000-000000000003" in held, storage
'
echo 'ok: rolecall check finds the role that is held through the group'

echo "--- the playbook's mitigations"
is 'the system identity is enabled' SystemAssigned \
  az functionapp identity assign --name func-shop --resource-group rg-shop --query type --output tsv
is 'the user identity is attached beside it' 'SystemAssigned, UserAssigned' \
  az functionapp identity assign --name func-shop --resource-group rg-shop --query type --output tsv \
  --identities "$group/providers/Microsoft.ManagedIdentity/userAssignedIdentities/mi-shop"
is 'the role on the namespace is created' "$principal" \
  az role assignment create --assignee-object-id "$principal" --assignee-principal-type ServicePrincipal \
  --role 'Azure Service Bus Data Receiver' --scope "$bus" --query principalId --output tsv
is 'the role on the vault is created' "$principal" \
  az role assignment create --assignee-object-id "$principal" --assignee-principal-type ServicePrincipal \
  --role 'Key Vault Secrets User' --scope "$vault" --query principalId --output tsv
is 'the vault decides by roles' true \
  az keyvault update --name kv-shop --resource-group rg-shop --enable-rbac-authorization true \
  --query properties.enableRbacAuthorization
is 'its access policies stay' 1 \
  az keyvault show --name kv-shop --resource-group rg-shop --query 'length(properties.accessPolicies)'
is 'the app is restarted' '' az functionapp restart --name func-shop --resource-group rg-shop

echo '--- after'
is 'the app has both identities' 'SystemAssigned, UserAssigned' \
  az functionapp identity show --name func-shop --resource-group rg-shop --query type --output tsv
is 'the role is on the namespace' 'Azure Service Bus Data Receiver' \
  az role assignment list --assignee "$principal" --scope "$bus" --query '[].roleDefinitionName' --output tsv
checks 0 compliant shop

echo '--- the commands that rolecall plan prints'
commands=$scratch/commands
: >"$commands"

# repairs POLICY: runs what is printed, as printed, until there is nothing more.
repairs() {
  local round printed command
  for round in 1 2 3; do
    printed=$(rolecall plan --mode Enforce -f "tests/az/$1.yaml" 2>>"$scratch/az.log" | sed -n 's/^ *\$ \(az .*\)/\1/p') || true
    [[ -n $printed ]] || return 0
    while IFS= read -r command; do
      echo "\$ $command"
      echo "$command" >>"$commands"
      eval "$command" </dev/null >>"$scratch/az.log" 2>&1 ||
        { tail -5 "$scratch/az.log" >&2; echo "FAILED in round $round: $command" >&2; exit 1; }
    done <<<"$printed"
  done
}

checks 2 role-missing till
repairs till
checks 0 compliant till
checks 2 stale-attachment depot
repairs depot
checks 0 compliant depot
for form in 'functionapp identity assign' 'functionapp identity remove' 'role assignment create'; do
  grep --quiet "^az $form " "$commands" || { echo "FAILED: rolecall plan printed no \`az $form\`" >&2; exit 1; }
done

# The forms that need a history of their own, with what is there.
grant=$(sed -n 's/^az role assignment create --name \([^ ]*\) .*--scope \([^ ]*\)$/\2\/providers\/Microsoft.Authorization\/roleAssignments\/\1/p' "$commands")
is 'a grant is taken back by its id' '' az role assignment delete --ids "$grant"
checks 2 role-missing till
is 'references are resolved again' Resolved \
  az rest --method post --query 'value[].properties.status' --output tsv \
  --url "$group/providers/Microsoft.Web/sites/func-depot/config/configreferences/appsettings/refresh?api-version=2022-03-01"
is 'an app is restarted with its subscription named' '' \
  az functionapp restart --subscription "$subscription" --resource-group rg-shop --name func-till
echo "ok: the Azure CLI checks and repairs as the playbook says, and as rolecall plan says"
