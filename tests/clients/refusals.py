"""Refusals, met as the exceptions of the libraries."""

import time
import uuid

from azure.core.exceptions import (
    ClientAuthenticationError, HttpResponseError, ResourceExistsError, ResourceNotFoundError,
)
from session import (
    APP_PRINCIPAL, BLOB_DATA_OWNER, COSMOS, FOREIGN_GROUP, GROUP, READER, STORE_ID, SUBSCRIPTION, authorization,
    cosmos, equal, keyvault, msi, network, patient_storage, refused, role_definition, servicebus, storage, web,
)


def what_is_not_there_is_404_in_the_words_of_its_family():
    missing = [
        ("ResourceNotFound", lambda: msi.user_assigned_identities.get(GROUP, "mi-none")),
        ("ResourceNotFound", lambda: keyvault.vaults.get(GROUP, "kv-none")),
        ("ResourceNotFound", lambda: web.web_apps.get(GROUP, "func-none")),
        ("ResourceGroupNotFound", lambda: keyvault.vaults.get("rg-none", "kv-none")),
        ("NotFound", lambda: network.subnets.get(GROUP, "vnet-ledger", "none")),
        ("NotFound", lambda: servicebus.queues.get(GROUP, "sb-ledger", "none")),
        ("RoleDefinitionDoesNotExist", lambda: authorization.role_definitions.get(STORE_ID, str(uuid.uuid4()))),
    ]
    for code, call in missing:
        refused(ResourceNotFoundError, 404, code, call)


def cosmos_says_404_without_an_error_object():
    try:
        cosmos.database_accounts.get(GROUP, "cosmos-none")
    except ResourceNotFoundError as error:
        assert "Entity with the specified id does not exist" in error.message, error.message
        return
    raise AssertionError("no ResourceNotFoundError")


def one_grant_has_one_name():
    grant = {
        "role_definition_id": role_definition(READER), "principal_id": APP_PRINCIPAL,
        "principal_type": "ServicePrincipal",
    }
    first = str(uuid.uuid4())
    authorization.role_assignments.create(STORE_ID, first, grant)
    error = refused(
        ResourceExistsError, 409, "RoleAssignmentExists",
        lambda: authorization.role_assignments.create(STORE_ID, str(uuid.uuid4()), grant))
    assert first not in error.message, "the message names no id"
    authorization.role_assignments.delete(STORE_ID, first)


def a_locked_resource_refuses_a_write():
    refused(ResourceExistsError, 409, "ScopeLocked",
            lambda: web.web_apps.update(GROUP, "func-locked", {"identity": {"type": "SystemAssigned"}}))


def a_write_without_the_right_is_403():
    error = refused(HttpResponseError, 403, "AuthorizationFailed", lambda: web.web_apps.update(
        FOREIGN_GROUP, "func-foreign", {"identity": {"type": "SystemAssigned"}}))
    assert "Microsoft.Web/sites/write" in error.message


def a_denied_write_is_403_and_names_the_deny_assignment():
    error = refused(HttpResponseError, 403, "DenyAssignmentAuthorizationFailed", lambda: keyvault.vaults.update(
        GROUP, "kv-ledger", {"properties": {"enableRbacAuthorization": True}}))
    assert "keep the mode" in error.message


def an_identity_of_somebody_else_cannot_be_attached():
    foreign = (f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{FOREIGN_GROUP}"
               "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/mi-foreign")
    identity = {"type": "UserAssigned", "userAssignedIdentities": {foreign: {}}}
    error = refused(HttpResponseError, 403, "LinkedAuthorizationFailed",
                    lambda: web.web_apps.update(GROUP, "func-bare", {"identity": identity}))
    assert "userAssignedIdentities/assign/action" in error.message
    equal(web.web_apps.get(GROUP, "func-bare").identity, None)


def a_throttled_read_is_429_and_says_when_to_come_back():
    error = refused(HttpResponseError, 429, "SubscriptionRequestsThrottled",
                    lambda: storage.storage_accounts.get_properties(GROUP, "stthrottled"))
    equal(error.response.headers["Retry-After"], "2")


def the_library_waits_as_long_as_it_is_told():
    start = time.monotonic()
    equal(patient_storage.storage_accounts.get_properties(GROUP, "stpatience").name, "stpatience")
    waited = time.monotonic() - start
    assert waited >= 2, f"{waited} s, and `Retry-After` was 2"


def a_lock_of_app_service_looks_like_throttling_and_names_no_time():
    try:
        web.web_apps.update(GROUP, "func-busy", {"identity": {"type": "SystemAssigned"}})
    except HttpResponseError as error:
        equal(error.status_code, 429)
        assert "exclusive lock" in error.response.text(), error.response.text()
        assert "Retry-After" not in error.response.headers
        return
    raise AssertionError("no HttpResponseError")


def a_role_that_is_not_there_cannot_be_assigned():
    grant = {"role_definition_id": role_definition(str(uuid.uuid4())), "principal_id": APP_PRINCIPAL}
    refused(HttpResponseError, 400, "RoleDefinitionDoesNotExist",
            lambda: authorization.role_assignments.create(STORE_ID, str(uuid.uuid4()), grant))


def a_principal_that_is_not_there_is_unknown_to_the_directory():
    grant = {"role_definition_id": role_definition(BLOB_DATA_OWNER), "principal_id": str(uuid.uuid4())}
    refused(HttpResponseError, 400, "PrincipalNotFound",
            lambda: authorization.role_assignments.create(STORE_ID, str(uuid.uuid4()), grant))
