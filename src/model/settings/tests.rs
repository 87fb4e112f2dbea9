use super::*;

fn read(name: &str, value: &str) -> Setting {
    AppSettings::read([(name, value)]).get(name).cloned().expect("it is there")
}

#[test]
fn a_value_that_is_no_identity_setting_is_dropped_and_its_name_stays() {
    for name in ["Orders", "AzureWebJobsStorage", "PAYMENTS_KEY", "Orders__key", "Orders__connectionString", "clientId"]
    {
        assert_eq!(read(name, "s3cr3t"), Setting::Unread, "{name}");
    }
    assert_eq!(
        read("Orders", "@Microsoft.KeyVault(SecretUri=https://kv.vault.azure.net/secrets/x)"),
        Setting::Reference
    );
    assert_eq!(read("Orders__clientId", "@Microsoft.AppConfiguration(Endpoint=…)"), Setting::Reference);
    assert_eq!(AppSettings::read([("Orders", ""), ("Spare", "  ")]), AppSettings::default());
}

/// People paste whole connection strings into the wrong setting.
#[test]
fn a_secret_in_an_identity_setting_is_not_kept() {
    const SECRET: &str = "c2VjcmV0";
    let values = [
        format!("Endpoint=sb://sb.servicebus.windows.net/;SharedAccessKey={SECRET}="),
        format!("DefaultEndpointsProtocol=https;AccountName=st;AccountKey={SECRET}=="),
        format!("https://st.blob.core.windows.net/?sv=2024&sig={SECRET}"),
        format!("https://st.blob.core.windows.net/{SECRET}"),
        format!("https://{SECRET}@st.blob.core.windows.net"),
        format!("https://{SECRET}:8@st.blob.core.windows.net"),
        format!("{SECRET}://st.blob.core.windows.net"),
        format!("Authorization=AAD;ClientId={SECRET}"),
        SECRET.to_owned(),
        format!("/{SECRET}"),
    ];
    let names = Member::ALL.map(|member| member.of("Orders"));
    for name in names.iter().map(String::as_str).chain(["AZURE_CLIENT_ID", "APPLICATIONINSIGHTS_AUTHENTICATION_STRING"])
    {
        for value in &values {
            let kept = format!("{:?}", AppSettings::read([(name, value.as_str())])).to_lowercase();
            assert!(!kept.contains(&SECRET.to_lowercase()), "{name} = {value}: {kept}");
        }
    }
}

#[test]
fn an_address_is_taken_apart_and_what_follows_the_host_is_not_kept() {
    let cases = [
        ("https://ST.blob.core.windows.net", "https://st.blob.core.windows.net"),
        ("https://st.blob.core.windows.net/", "https://st.blob.core.windows.net"),
        ("HTTPS://st.blob.core.windows.net:443/in?x=1", "https://st.blob.core.windows.net:443/…"),
        ("sb.servicebus.windows.net.", "sb.servicebus.windows.net"),
        ("sb://sb.servicebus.windows.net/", "sb://sb.servicebus.windows.net"),
        (
            "https://t.westeurope-1.eventgrid.azure.net/api/events",
            "https://t.westeurope-1.eventgrid.azure.net/api/events",
        ),
    ];
    for (value, expected) in cases {
        let Setting::Address(Some(address)) = read("X__serviceUri", value) else { panic!("{value} is an address") };
        assert_eq!(address.to_string(), expected);
    }
    for odd in ["", "st", "https://", "https://st..net", "ftp://st.blob.core.windows.net", "https://st.x:port"] {
        assert_eq!(Address::read(odd), None, "{odd}");
    }
}

#[test]
fn the_host_looks_for_the_longer_name_first_and_does_not_look_at_case() {
    let settings = AppSettings::read([
        ("AzureWebJobsOrders__fullyQualifiedNamespace", "a.servicebus.windows.net"),
        ("orders", "Endpoint=…"),
        ("Clicks:fullyQualifiedNamespace", "b.servicebus.windows.net"),
        ("AzureWebJobsStorageOld", "x"),
        ("Spare.more__clientId", "x"),
    ]);
    let resolved = |name| settings.resolve(name);
    assert_eq!(resolved("Orders").as_deref(), Some("AzureWebJobsOrders"));
    assert_eq!(resolved("Clicks").as_deref(), Some("Clicks"));
    assert_eq!(resolved("AzureWebJobsStorage"), None, "another setting begins with that name");
    assert_eq!(resolved("Spare"), None);
    assert!(matches!(settings.get("clicks__FULLYQUALIFIEDNAMESPACE"), Some(Setting::Address(Some(_)))));
}

#[test]
fn identity_settings_are_read_as_what_they_are() {
    let id = "c11e0000-0003-4000-8000-000000000003";
    let identity = "/subscriptions/1/resourceGroups/r/providers/Microsoft.ManagedIdentity/userAssignedIdentities/mi";
    assert_eq!(read("X__clientId", &id.to_uppercase()), Setting::Client(Some(id.parse().unwrap())));
    assert_eq!(read("X__credential", "managedIdentity"), Setting::Credential(Credential::ManagedIdentity));
    assert_eq!(read("X__credential", "managedidentityasfederatedidentity"), Setting::Credential(Credential::Federated));
    assert_eq!(read("X__credential", "clientsecret"), Setting::Credential(Credential::Other));
    assert_eq!(read("X__managedIdentityResourceId", identity), Setting::Identity(Scope::parse(identity).ok()));
    assert_eq!(read("X__managedIdentityResourceId", "/subscriptions/1"), Setting::Identity(None));
    let telemetry = read("APPLICATIONINSIGHTS_AUTHENTICATION_STRING", &format!("ClientId={id};Authorization=AAD"));
    assert_eq!(telemetry, Setting::Telemetry { token: true, client: Some(id.parse().ok()) });
}
