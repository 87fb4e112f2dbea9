"""Role assignments on every level, roles, deny assignments, and what the caller may do."""

import uuid

from session import (
    APP_PRINCIPAL, BLOB_DATA_READER, CONTAINER_ID, GROUP, GROUP_ID, IDENTITY_PRINCIPAL, READER, STORE_ID,
    SUBSCRIPTION, authorization, equal, role_definition,
)

SUBSCRIPTION_ID = f"/subscriptions/{SUBSCRIPTION}"
LEVELS = [SUBSCRIPTION_ID, GROUP_ID, STORE_ID, CONTAINER_ID]


def an_assignment_is_created_listed_and_deleted_on_every_level():
    for scope in LEVELS:
        name = str(uuid.uuid4())
        created = authorization.role_assignments.create(scope, name, _grant(BLOB_DATA_READER))
        equal((created.name, created.scope, created.created_by), (name, scope, None))
        read = authorization.role_assignments.get(scope, name)
        assert read.created_by, "the creator is there when it is read"
        assert name in _at(scope), f"{scope} does not list it"
        deleted = authorization.role_assignments.delete(scope, name)
        equal(deleted.name, name)
        assert name not in _at(scope), f"{scope} still lists it"
        equal(authorization.role_assignments.delete(scope, name), None)


def every_level_lists_what_is_inherited_and_at_scope_nothing_from_below():
    names = {scope: f"1e7e1000-0000-4000-8000-00000000000{at}" for at, scope in enumerate(LEVELS)}
    for at, scope in enumerate(LEVELS):
        listed = {assignment.name for assignment in authorization.role_assignments.list_for_scope(
            scope, filter="atScope()")}
        for level, other in enumerate(LEVELS):
            equal((other, names[other] in listed), (other, level <= at))


def the_lists_of_subscription_group_and_resource_hold_what_lies_below():
    below_group = {"1e7e1000-0000-4000-8000-000000000001", "1e7e1000-0000-4000-8000-000000000002"}
    subscription = {it.name for it in authorization.role_assignments.list_for_subscription()}
    assert below_group < subscription
    group = {it.name for it in authorization.role_assignments.list_for_resource_group(GROUP)}
    assert below_group < group
    resource = {it.name for it in authorization.role_assignments.list_for_resource(
        GROUP, "Microsoft.Storage", "storageAccounts", "stledger")}
    assert "1e7e1000-0000-4000-8000-000000000002" in resource


def somebody_is_found_by_principal_and_through_a_group():
    direct = authorization.role_assignments.list_for_subscription(filter=f"principalId eq '{IDENTITY_PRINCIPAL}'")
    through = authorization.role_assignments.list_for_subscription(filter=f"assignedTo('{IDENTITY_PRINCIPAL}')")
    direct, through = {it.name for it in direct}, {it.name for it in through}
    equal(through - direct, {"6400b000-0000-4000-8000-00000000000a"})


def a_condition_is_kept():
    name = str(uuid.uuid4())
    condition = "@Resource[Microsoft.Storage/storageAccounts/blobServices/containers:name] StringEquals 'invoices'"
    grant = {**_grant(BLOB_DATA_READER), "condition": condition, "condition_version": "2.0"}
    created = authorization.role_assignments.create(STORE_ID, name, grant)
    equal((created.condition, created.condition_version), (condition, "2.0"))
    authorization.role_assignments.delete(STORE_ID, name)


def a_role_is_found_by_name():
    (role,) = authorization.role_definitions.list(GROUP_ID, filter="roleName eq 'storage blob data reader'")
    equal((role.name, role.role_name), (BLOB_DATA_READER, "Storage Blob Data Reader"))
    assert role.permissions[0].data_actions
    equal(list(authorization.role_definitions.list(GROUP_ID, filter="roleName eq 'no such role'")), [])


def deny_assignments_are_listed():
    (denied,) = authorization.deny_assignments.list_for_scope(GROUP_ID, filter="atScope()")
    equal(denied.deny_assignment_name, "keep the archive")
    equal(denied.exclude_principals[0].id, APP_PRINCIPAL)


def the_caller_sees_what_it_may_do():
    actions = {action for it in authorization.permissions.list_for_resource_group(GROUP) for action in it.actions}
    equal(actions, {"*", "*/read", "Microsoft.Authorization/roleAssignments/*"})


def _grant(role):
    return {
        "role_definition_id": role_definition(role), "principal_id": APP_PRINCIPAL,
        "principal_type": "ServicePrincipal",
    }


def _at(scope):
    return {assignment.name for assignment in authorization.role_assignments.list_for_scope(scope)}
