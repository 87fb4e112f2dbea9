"""Who asks, and where: one client of each of Microsoft's libraries, pointed at the simulator."""

import os

from azure.identity import ClientSecretCredential
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.cosmosdb import CosmosDBManagementClient
from azure.mgmt.eventhub import EventHubManagementClient
from azure.mgmt.keyvault import KeyVaultManagementClient
from azure.mgmt.msi import ManagedServiceIdentityClient
from azure.mgmt.network import NetworkManagementClient
from azure.mgmt.servicebus import ServiceBusManagementClient
from azure.mgmt.storage import StorageManagementClient
from azure.mgmt.web import WebSiteManagementClient

# The names of world.yaml.
TENANT = "00000000-7777-4777-8777-00000000000b"
SUBSCRIPTION = "22222222-aaaa-4bbb-8ccc-000000000002"
GROUP = "rg-ledger"
GROUP_ID = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}"
APP = "func-ledger"
APP_PRINCIPAL = "5e57e300-0002-4000-8000-000000000001"
IDENTITY_ID = f"{GROUP_ID}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/mi-ledger"
IDENTITY_PRINCIPAL = "05e70000-0002-4000-8000-000000000001"
STORE_ID = f"{GROUP_ID}/providers/Microsoft.Storage/storageAccounts/stledger"
CONTAINER_ID = f"{STORE_ID}/blobServices/default/containers/invoices"
COSMOS = "cosmos-ledger"
COSMOS_ID = f"{GROUP_ID}/providers/Microsoft.DocumentDB/databaseAccounts/{COSMOS}"
# A resource group in which the caller may only read.
FOREIGN_GROUP = "rg-foreign"

READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
BLOB_DATA_READER = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
BLOB_DATA_OWNER = "b7e6dc6d-f1e8-4753-8033-0f276bb0955b"

_url = os.environ["SANDBOX_URL"]
_credential = ClientSecretCredential(
    TENANT, "c11e0000-0004-4000-8000-000000000004", "any", authority=_url, disable_instance_discovery=True
)


def _client(kind, **options):
    """A client that does not try again by itself, so that what it meets is seen."""
    scopes = ["https://management.azure.com/.default"]
    options = {"retry_total": 0, "connection_timeout": 10, "read_timeout": 20, **options}
    return kind(_credential, SUBSCRIPTION, base_url=_url, credential_scopes=scopes, **options)


authorization = _client(AuthorizationManagementClient)
web = _client(WebSiteManagementClient)
msi = _client(ManagedServiceIdentityClient)
keyvault = _client(KeyVaultManagementClient)
storage = _client(StorageManagementClient)
patient_storage = _client(StorageManagementClient, retry_total=3)
servicebus = _client(ServiceBusManagementClient)
eventhub = _client(EventHubManagementClient)
cosmos = _client(CosmosDBManagementClient, polling_interval=0)
network = _client(NetworkManagementClient)


def role_definition(role):
    """The id of a built-in role as an assignment names it."""
    return f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{role}"


def equal(found, wanted):
    """Fails with both values."""
    assert found == wanted, f"{found!r} where {wanted!r} was expected"


def refused(kind, status, code, call):
    """The exception of the library that a call has to end with."""
    try:
        call()
    except kind as error:
        equal(error.status_code, status)
        equal(error.error.code, code)
        return error
    raise AssertionError(f"no {kind.__name__}")
