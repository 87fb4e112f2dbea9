"""Key vaults: the mode, and single entries of the access policies."""

from session import APP_PRINCIPAL, GROUP, TENANT, equal, keyvault


def an_omitted_mode_is_no_mode():
    equal(keyvault.vaults.get(GROUP, "kv-old").properties.enable_rbac_authorization, None)
    equal(keyvault.vaults.get(GROUP, "kv-ledger").properties.enable_rbac_authorization, True)


def the_mode_is_switched_and_entries_stay():
    before = keyvault.vaults.get(GROUP, "kv-to-switch").properties
    equal((before.enable_rbac_authorization, len(before.access_policies)), (False, 1))
    keyvault.vaults.update(GROUP, "kv-to-switch", {"properties": {"enableRbacAuthorization": True}})
    after = keyvault.vaults.get(GROUP, "kv-to-switch").properties
    equal((after.enable_rbac_authorization, len(after.access_policies)), (True, 1))


def an_access_policy_entry_is_added_beside_the_others():
    entry = {"tenantId": TENANT, "objectId": APP_PRINCIPAL, "permissions": {"secrets": ["get"]}}
    answer = keyvault.vaults.update_access_policy(
        GROUP, "kv-policies", "add", {"properties": {"accessPolicies": [entry]}})
    equal([policy.object_id for policy in answer.properties.access_policies], [APP_PRINCIPAL])
    policies = keyvault.vaults.get(GROUP, "kv-policies").properties.access_policies
    equal(len(policies), 2)
    more = {**entry, "permissions": {"secrets": ["list"]}}
    keyvault.vaults.update_access_policy(GROUP, "kv-policies", "add", {"properties": {"accessPolicies": [more]}})
    policies = {it.object_id: it for it in keyvault.vaults.get(GROUP, "kv-policies").properties.access_policies}
    equal(sorted(policies[APP_PRINCIPAL].permissions.secrets), ["get", "list"])


def a_vault_is_written_whole():
    vault = keyvault.vaults.get(GROUP, "kv-whole")
    vault.properties.enable_rbac_authorization = True
    written = keyvault.vaults.begin_create_or_update(GROUP, "kv-whole", vault, polling_interval=0).result(20)
    equal(written.properties.enable_rbac_authorization, True)
    equal(written.properties.vault_uri, vault.properties.vault_uri)


def vaults_are_listed():
    names = {vault.name for vault in keyvault.vaults.list_by_resource_group(GROUP)}
    equal(names, {"kv-ledger", "kv-old", "kv-to-switch", "kv-policies", "kv-whole"})
