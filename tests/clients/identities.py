"""Identities: of apps, of slots, and on their own."""

from session import APP, APP_PRINCIPAL, GROUP, GROUP_ID, IDENTITY_ID, IDENTITY_PRINCIPAL, equal, msi, web


def the_identity_of_an_app_is_read():
    app = web.web_apps.get(GROUP, APP)
    equal((app.identity.type, app.identity.principal_id), ("SystemAssigned", APP_PRINCIPAL))
    equal(app.identity.user_assigned_identities, None)
    equal(app.kind, "functionapp,linux")


def an_app_without_identity_has_none():
    equal(web.web_apps.get(GROUP, "func-bare").identity, None)


def a_system_identity_is_enabled():
    app = web.web_apps.update(GROUP, "func-to-enable", {"identity": {"type": "SystemAssigned"}})
    equal(app.identity.type, "SystemAssigned")
    assert app.identity.principal_id, "a principal"
    equal(web.web_apps.get(GROUP, "func-to-enable").identity.principal_id, app.identity.principal_id)


def a_user_identity_is_attached_beside_the_system_identity():
    identity = {"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": {IDENTITY_ID: {}}}
    before = web.web_apps.get(GROUP, "func-to-attach").identity.principal_id
    web.web_apps.update(GROUP, "func-to-attach", {"identity": identity})
    after = web.web_apps.get(GROUP, "func-to-attach").identity
    equal(after.principal_id, before)
    (attached,) = after.user_assigned_identities.items()
    equal(attached[0].lower(), IDENTITY_ID.lower())
    equal(attached[1].principal_id, IDENTITY_PRINCIPAL)


def a_slot_has_an_identity_of_its_own():
    slots = list(web.web_apps.list_slots(GROUP, APP))
    equal([slot.name for slot in slots], ["func-ledger/staging"])
    assert slots[0].identity.principal_id != APP_PRINCIPAL


def the_settings_that_stay_with_a_slot_are_read():
    equal(web.web_apps.list_slot_configuration_names(GROUP, APP).app_setting_names, None)


def an_app_is_restarted():
    equal(web.web_apps.restart(GROUP, APP), None)


def a_user_identity_is_read_and_listed():
    equal(msi.user_assigned_identities.get(GROUP, "mi-ledger").principal_id, IDENTITY_PRINCIPAL)
    names = {identity.name for identity in msi.user_assigned_identities.list_by_resource_group(GROUP)}
    equal(names, {"mi-ledger", "mi-second"})
    everywhere = {identity.name for identity in msi.user_assigned_identities.list_by_subscription()}
    equal(everywhere, {"mi-ledger", "mi-second", "mi-foreign"})


def the_system_identity_of_an_app_shows_its_client_id():
    identity = msi.system_assigned_identities.get_by_scope(f"{GROUP_ID}/providers/Microsoft.Web/sites/{APP}")
    equal(identity.principal_id, APP_PRINCIPAL)
    assert identity.client_id != identity.principal_id
