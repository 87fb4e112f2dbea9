"""Lists of more than one page: the libraries follow the links by themselves. A page of the world holds four items."""

from session import GROUP, GROUP_ID, authorization, equal, keyvault, storage, web


def a_list_of_several_pages_is_read_whole():
    names = [account.name for account in storage.storage_accounts.list_by_resource_group(GROUP)]
    equal(len(names), 9)
    equal(len(set(names)), 9)


def pages_are_asked_for_one_by_one():
    pages = storage.storage_accounts.list_by_resource_group(GROUP).by_page()
    equal([len(list(page)) for page in pages], [4, 4, 1])


def a_full_last_page_of_vaults_links_to_an_empty_one():
    pages = keyvault.vaults.list_by_resource_group("rg-four-vaults").by_page()
    equal([len(list(page)) for page in pages], [4, 0])


def an_empty_page_in_front_is_not_the_end():
    pages = web.web_apps.list_slots(GROUP, "func-paged").by_page()
    equal([[slot.name for slot in page] for page in pages], [[], ["func-paged/one"]])


def a_filter_goes_along_to_the_next_page():
    roles = list(authorization.role_definitions.list(GROUP_ID, filter="type eq 'BuiltInRole'"))
    assert len(roles) > 100, len(roles)
    equal(len({role.name for role in roles}), len(roles))
