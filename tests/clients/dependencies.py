"""What apps depend on: accounts and namespaces, their firewalls and children, and the network around them."""

import uuid

from session import (
    APP_PRINCIPAL, COSMOS, COSMOS_ID, GROUP, cosmos, equal, eventhub, network, servicebus, storage,
)

DATA_READER = f"{COSMOS_ID}/sqlRoleDefinitions/00000000-0000-0000-0000-000000000001"


def a_storage_account_and_its_firewall_are_read():
    account = storage.storage_accounts.get_properties(GROUP, "stledger")
    equal((account.allow_shared_key_access, account.network_rule_set.default_action), (False, "Deny"))
    equal(account.network_rule_set.bypass, "Logging, Metrics")
    (rule,) = account.network_rule_set.virtual_network_rules
    assert rule.virtual_network_resource_id.endswith("/subnets/apps")
    equal([container.name for container in storage.blob_containers.list(GROUP, "stledger")], ["invoices"])


def a_service_bus_namespace_its_firewall_and_children_are_read():
    equal(servicebus.namespaces.get(GROUP, "sb-ledger").disable_local_auth, True)
    rules = servicebus.namespaces.get_network_rule_set(GROUP, "sb-ledger")
    equal((rules.default_action, rules.ip_rules[0].ip_mask), ("Deny", "192.0.2.0/24"))
    equal([queue.name for queue in servicebus.queues.list_by_namespace(GROUP, "sb-ledger")], ["bookings"])
    equal([topic.name for topic in servicebus.topics.list_by_namespace(GROUP, "sb-ledger")], ["events"])
    (subscription,) = servicebus.subscriptions.list_by_topic(GROUP, "sb-ledger", "events")
    equal(subscription.name, "audit")


def an_event_hubs_namespace_its_firewall_and_children_are_read():
    equal(eventhub.namespaces.get(GROUP, "eh-ledger").name, "eh-ledger")
    (rules,) = eventhub.namespaces.list_network_rule_set(GROUP, "eh-ledger").value
    equal(rules.default_action, "Allow")
    equal([hub.name for hub in eventhub.event_hubs.list_by_namespace(GROUP, "eh-ledger")], ["telemetry"])
    (group,) = eventhub.consumer_groups.list_by_event_hub(GROUP, "eh-ledger", "telemetry")
    equal(group.name, "$Default")


def a_cosmos_account_and_its_firewall_are_read():
    account = cosmos.database_accounts.get(GROUP, COSMOS)
    equal((account.disable_local_auth, account.ip_rules[0].ip_address_or_range), (True, "192.0.2.7"))


def a_cosmos_role_is_assigned_on_its_data_plane():
    name = str(uuid.uuid4())
    grant = {"properties": {"roleDefinitionId": DATA_READER, "scope": COSMOS_ID, "principalId": APP_PRINCIPAL}}
    created = cosmos.sql_resources.begin_create_update_sql_role_assignment(name, GROUP, COSMOS, grant)
    equal(created.result(20).principal_id, APP_PRINCIPAL)
    listed = {it.name for it in cosmos.sql_resources.list_sql_role_assignments(GROUP, COSMOS)}
    equal(listed, {name, "c05a0000-0000-4000-8000-000000000001"})
    roles = [it.role_name for it in cosmos.sql_resources.list_sql_role_definitions(GROUP, COSMOS)]
    equal(roles, ["Cosmos DB Built-in Data Reader"])


def the_network_around_an_app_is_read():
    group = network.network_security_groups.get(GROUP, "nsg-apps")
    equal([(rule.name, rule.access, rule.priority) for rule in group.security_rules], [("no-imds", "Deny", 300)])
    subnet = network.subnets.get(GROUP, "vnet-ledger", "apps")
    equal(subnet.delegations[0].service_name, "Microsoft.Web/serverFarms")
    assert subnet.network_security_group.id.endswith("/nsg-apps")
    endpoint = network.private_endpoints.get(GROUP, "pe-ledger")
    (connection,) = endpoint.private_link_service_connections
    equal((connection.group_ids, connection.private_link_service_connection_state.status), (["blob"], "Approved"))
    equal([it.name for it in network.private_endpoints.list(GROUP)], ["pe-ledger"])
