use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::{
    api::{FunctionIdentityPolicySpec, SystemIdentity},
    catalog::binding::{self, Row},
    evaluate::{
        Effect, Hypothesis, Verdict,
        fixtures::{World, client_of, failure, present, right_settings as right},
    },
    model::FailureClass,
    policy::fixtures::{self, own, shared},
};

/// Names and values.
type Texts = Vec<(String, String)>;

const STRANGER: &str = "c9c9c9c9-0000-4000-8000-000000000009";

/// A policy whose one connection is that of a service bus trigger by `shared`.
fn policy(edit: impl FnOnce(&mut FunctionIdentityPolicySpec)) -> Policy {
    fixtures::policy(|spec| {
        spec.settings = Settings::Inspect;
        spec.platform.host_storage = None;
        "Orders".clone_into(&mut spec.bindings[0].connection);
        edit(spec);
    })
}

fn of_system(spec: &mut FunctionIdentityPolicySpec) {
    "system".clone_into(&mut spec.bindings[0].identity);
}

fn seen(policy: &Policy, settings: &[(String, String)]) -> World {
    // What Cosmos DB grants is none of this.
    let is_cosmos = !policy.cosmos_accounts().is_empty();
    let mut world = if is_cosmos { World::without_grants(policy) } else { World::matching(policy) };
    let texts = settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    world.observed.settings = Some(present(Arc::new(AppSettings::read(texts))));
    world
}

/// What is wrong with the connections, by code, and the problems.
fn told(policy: &Policy, world: &World) -> Vec<(&'static str, ConnectionProblem)> {
    let findings = world.evaluate(policy).findings.into_iter();
    findings
        .filter_map(|finding| match &finding {
            Finding::Connection { problem, .. } => Some((finding.code(), problem.clone())),
            _ => None,
        })
        .collect()
}

fn codes(policy: &Policy, settings: &[(String, String)]) -> Vec<&'static str> {
    told(policy, &seen(policy, settings)).into_iter().map(|(code, _)| code).collect()
}

fn setting(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// A policy with that row alone, by `shared`; none for a row that no policy can declare a connection of.
fn policy_of(row: &Row) -> Option<Policy> {
    let resource = row.resources.first()?;
    let thing = if resource.split('/').count() == 2 { format!("{resource}/one") } else { return None };
    let declare = |spec: &mut FunctionIdentityPolicySpec| {
        spec.settings = Settings::Inspect;
        spec.resources.insert("thing".to_owned(), thing);
        let mut entry = json!({ "resource": "thing", "identity": "shared" });
        if let Some(field) = &row.platform {
            spec.platform = serde_json::from_value(json!({ field: entry })).expect("a platform");
            return;
        }
        entry["name"] = "one".into();
        entry["type"] = row.types[0].clone().into();
        entry["connection"] = "Orders".into();
        for (field, value) in &row.when {
            entry[field] = value.clone().into();
        }
        spec.bindings.push(serde_json::from_value(entry).expect("a binding"));
    };
    let mut object = fixtures::bare();
    declare(&mut object.spec);
    Some(Policy::parse(&object).unwrap_or_else(|error| panic!("{}: {error}", row.id)))
}

/// The rows of the catalog that make no connection which app settings show. One that is added here is one that nobody
/// looks at.
const UNSEEN: [&str; 10] = [
    "sql-trigger",
    "sql",
    "kusto",
    "redis",
    "durable-task-scheduler",
    "durable-mssql",
    "deployment-storage",
    "container-registry",
    "key-vault-references",
    "app-configuration-references",
];

#[test]
fn the_connection_of_every_row_is_right_as_documented_and_each_mistake_in_it_is_told() {
    let mut unseen = Vec::new();
    for row in binding::rows() {
        let Some(connection) = &row.connection else { continue };
        if matches!(connection.form, Form::Value | Form::Site) {
            unseen.push(row.id.as_str());
            continue;
        }
        let policy = policy_of(row).unwrap_or_else(|| panic!("{}: nobody can look at its settings", row.id));
        assert_eq!((policy.connections.len(), policy.uncompared.len()), (1, 0), "{}", row.id);
        let name = policy.connections[0].name.clone();
        let right = right(&policy);
        assert_eq!(codes(&policy, &right), Vec::<&str>::new(), "{}", row.id);
        assert_eq!(codes(&policy, &[]), ["connection-missing"], "{}", row.id);
        if connection.form == Form::Telemetry {
            continue;
        }
        let with = |name: &str, value: &str| [right.clone(), vec![setting(name, value)]].concat();
        assert_eq!(codes(&policy, &with(&name, "a string")), ["connection-uses-secret"], "{}", row.id);
        let other = with(&Member::ClientId.of(&name), STRANGER);
        assert_eq!(codes(&policy, &other), ["connection-wrong-identity"], "{}", row.id);
        let first = right.first().expect("an address").0.clone();
        let other = with(&first, "https://one.blob.core.usgovcloudapi.net.example");
        let wrong = codes(&policy, &other);
        // The owner of an Azure OpenAI account may have chosen any name.
        let expected: &[&str] = if row.id == "openai" { &[] } else { &["service-uri-mismatch"] };
        assert_eq!(wrong, expected, "{}", row.id);
    }
    assert_eq!(unseen, UNSEEN);
}

#[test]
fn settings_are_left_alone_unless_the_policy_says_otherwise() {
    let never = policy(|spec| spec.settings = Settings::Never);
    assert!(never.connections.is_empty() && never.uncompared.is_empty());
    assert_eq!(codes(&never, &[]), Vec::<&str>::new());
    let h5 = World::matching(&never).evaluate(&never).decision.hypotheses[4].verdict;
    assert_eq!(h5, Verdict::NotExamined);
}

#[test]
fn settings_that_cannot_be_read_leave_the_questions_open_and_hold_nothing_else() {
    let policy = policy(|_| {});
    let mut world = World::matching(&policy);
    let refused = failure(FailureClass::Denied, "AuthorizationFailed");
    world.observed.settings = Some(Reading::Unreadable(refused.clone()));
    let evaluation = world.evaluate(&policy);
    let subjects = vec!["settings".to_owned()];
    assert_eq!(evaluation.findings, [Finding::Unreadable { subjects, failure: refused }]);
    let verdict = |at: usize| evaluation.decision.hypotheses[at].verdict;
    assert_eq!((verdict(0), verdict(1), verdict(4)), (Verdict::Open, Verdict::Refuted, Verdict::Open));
}

#[test]
fn right_settings_refute_and_each_mistake_confirms_its_hypothesis() {
    let policy = policy(|_| {});
    let verdicts = |settings: &[(String, String)]| {
        let decision = seen(&policy, settings).evaluate(&policy).decision;
        (decision.hypotheses[0].verdict, decision.hypotheses[4].verdict, decision.cause)
    };
    let right = right(&policy);
    assert_eq!(verdicts(&right), (Verdict::Refuted, Verdict::Refuted, None));
    let with = |name: &str, value: &str| [right.clone(), vec![setting(name, value)]].concat();
    let identity = with("Orders__clientId", STRANGER);
    assert_eq!(verdicts(&identity), (Verdict::Confirmed, Verdict::Refuted, Some(Hypothesis::H1)));
    let place = with("Orders__fullyQualifiedNamespace", "sb-orders.servicebus.usgovcloudapi.net");
    assert_eq!(verdicts(&place), (Verdict::Refuted, Verdict::Confirmed, Some(Hypothesis::H5)));
    let reference = with("Orders__fullyQualifiedNamespace", "@Microsoft.KeyVault(SecretUri=https://x)");
    assert_eq!(verdicts(&reference), (Verdict::Refuted, Verdict::Open, None));
    let reference = with("Orders__clientId", "@Microsoft.KeyVault(SecretUri=https://x)");
    assert_eq!(verdicts(&reference), (Verdict::Open, Verdict::Refuted, None));
}

#[test]
fn an_identity_is_the_declared_one_or_it_is_said_whose_it_is() {
    let user = policy(|_| {});
    let system = policy(of_system);
    let place = setting("Orders__fullyQualifiedNamespace", "sb-orders.servicebus.windows.net");
    let own_client = client_of(&user, &shared()).to_string();
    let client = |value: &str| setting("Orders__clientId", value);
    let credential = setting("Orders__credential", "managedidentity");
    let resource = |id: &str| setting("Orders__managedIdentityResourceId", id);
    let spare = own("Microsoft.ManagedIdentity/userAssignedIdentities/mi-spare");
    let by = |setting: &str, value: &str, identity: Option<Scope>| Used::Client {
        setting: setting.to_owned(),
        client: value.parse().ok(),
        identity,
    };
    let wrong: [(&Policy, Texts, Used); 11] = [
        (&user, vec![], Used::Default { enabled: true }),
        (&user, vec![credential.clone()], Used::Default { enabled: true }),
        (&user, vec![client(&own_client)], Used::NoCredential),
        (&user, vec![credential.clone(), client(STRANGER)], by("Orders__clientId", STRANGER, None)),
        (&user, vec![credential.clone(), client("mi-shared")], by("Orders__clientId", "", None)),
        (&user, vec![credential.clone(), resource(spare.as_str())], Used::Resource(Some(spare.clone()))),
        (&user, vec![credential.clone(), resource("mi-shared")], Used::Resource(None)),
        (&user, vec![credential.clone(), client(&own_client), resource(shared().as_str())], Used::Both),
        (&user, vec![setting("AZURE_CLIENT_ID", STRANGER)], by("AZURE_CLIENT_ID", STRANGER, None)),
        (&system, vec![client(&own_client)], by("Orders__clientId", &own_client, Some(shared()))),
        (&system, vec![setting("AZURE_CLIENT_ID", &own_client)], by("AZURE_CLIENT_ID", &own_client, Some(shared()))),
    ];
    for (policy, further, used) in wrong {
        let settings = [vec![place.clone()], further].concat();
        let declared = policy.connections[0].identity.clone();
        let expected = ("connection-wrong-identity", ConnectionProblem::WrongIdentity { declared, used });
        assert_eq!(told(policy, &seen(policy, &settings)), [expected], "{settings:?}");
    }
    let right: [(&Policy, Texts); 5] = [
        // The client that this word makes reads no default.
        (&system, vec![credential.clone(), setting("AZURE_CLIENT_ID", &own_client)]),
        (&system, vec![]),
        (&system, vec![credential.clone()]),
        (&user, vec![credential.clone(), client(&own_client)]),
        (&user, vec![credential.clone(), resource(shared().as_str())]),
    ];
    for (policy, further) in right {
        let settings = [vec![place.clone()], further].concat();
        assert_eq!(codes(policy, &settings), Vec::<&str>::new(), "{settings:?}");
    }
    let host_alone = [place.clone(), setting("AZURE_CLIENT_ID", &own_client)];
    let unknown = ConnectionProblem::UnknownToScaler { setting: "Orders__clientId".to_owned() };
    assert_eq!(told(&user, &seen(&user, &host_alone)), [("connection-unknown-to-scaler", unknown)]);
    let output = Policy { triggers: std::collections::BTreeSet::new(), ..user.clone() };
    assert_eq!(codes(&output, &host_alone), Vec::<&str>::new(), "nothing waits for it to be started");
    let by_default = [place.clone(), credential, setting("AZURE_CLIENT_ID", &own_client)];
    assert_eq!(codes(&user, &by_default), ["connection-wrong-identity"], "it asks as the system-assigned identity");
    // Whose application that is, no document of ours says.
    let application = [place, setting("Orders__credential", "managedidentityasfederatedidentity"), client(STRANGER)];
    assert_eq!(codes(&user, &application), ["connection-undecided"]);
}

#[test]
fn a_connection_string_in_the_section_of_its_own_outweighs_every_setting() {
    let policy = policy(|_| {});
    let settings =
        [right(&policy), vec![setting("ConnectionStrings__Orders", "Endpoint=sb://x;SharedAccessKey=hush")]].concat();
    assert_eq!(codes(&policy, &settings), ["connection-uses-secret"]);
}

#[test]
fn nobody_is_accused_while_the_client_id_of_the_declared_identity_is_not_known() {
    let policy = policy(|_| {});
    let settings = [right(&policy), vec![setting("Orders__clientId", STRANGER)]].concat();
    let mut world = seen(&policy, &settings);
    let refused = failure(FailureClass::Denied, "AuthorizationFailed");
    world.observed.user.insert(shared(), Reading::Unreadable(refused));
    assert_eq!(told(&policy, &world), []);
}

#[test]
fn the_identity_that_is_asked_by_default_may_not_be_there() {
    let policy = policy(|spec| spec.identities.system = SystemIdentity::Optional);
    let mut world = seen(&policy, &[setting("Orders__fullyQualifiedNamespace", "sb-orders.servicebus.windows.net")]);
    world.site().system = crate::model::SystemAssigned::Off;
    let used = Used::Default { enabled: false };
    let declared = Identity::User(shared());
    let expected = ConnectionProblem::WrongIdentity { declared, used };
    assert_eq!(told(&policy, &world), [("connection-wrong-identity", expected)]);
}

#[test]
fn telemetry_is_sent_with_a_token_of_the_declared_identity() {
    let policy = policy_of(binding::platform("telemetry")).expect("a policy");
    let own_client = client_of(&policy, &shared()).to_string();
    let client = |value: &str| {
        let used = Used::Client { setting: TELEMETRY.to_owned(), client: value.parse().ok(), identity: None };
        (format!("Authorization=AAD;ClientId={value}"), used)
    };
    let cases = [
        (format!("ClientId={own_client}"), Used::NoToken),
        ("Authorization=AAD".to_owned(), Used::Default { enabled: true }),
        client(STRANGER),
        client("mi-shared"),
    ];
    for (value, used) in cases {
        let expected = ConnectionProblem::WrongIdentity { declared: Identity::User(shared()), used };
        let told = told(&policy, &seen(&policy, &[setting(TELEMETRY, &value)]));
        assert_eq!(told, [("connection-wrong-identity", expected)], "{value}");
    }
}

#[test]
fn durable_functions_do_not_read_the_id_of_an_identity() {
    let row = binding::rows().iter().find(|row| row.id == "durable-storage").expect("the row");
    let policy = policy_of(row).expect("a policy");
    let mut settings = right(&policy);
    settings.retain(|(name, _)| !name.ends_with("clientId"));
    settings.push(setting("Orders__managedIdentityResourceId", shared().as_str()));
    assert_eq!(codes(&policy, &settings), ["connection-identity-unsupported"]);
}

#[test]
fn a_blob_trigger_needs_the_queue_service_too_and_the_short_form_names_both() {
    let row = binding::rows().iter().find(|row| row.id == "blob-trigger-polling").expect("the row");
    let policy = policy_of(row).expect("a policy");
    let mut settings = right(&policy);
    settings.retain(|(name, _)| !name.ends_with("queueServiceUri"));
    let missing = vec!["Orders__queueServiceUri".to_owned()];
    let told = told(&policy, &seen(&policy, &settings));
    assert_eq!(told, [("connection-missing", ConnectionProblem::Missing { settings: missing })]);
    settings.push(setting("Orders__accountName", "one"));
    assert_eq!(codes(&policy, &settings), Vec::<&str>::new());
    settings.push(setting("Orders__accountName", "two"));
    assert_eq!(codes(&policy, &settings), ["service-uri-mismatch"]);
}

#[test]
fn a_string_in_a_vault_is_a_string_all_the_same() {
    let policy = policy(|_| {});
    for (value, by_reference) in [("Endpoint=…", false), ("@Microsoft.KeyVault(VaultName=kv;SecretName=bus)", true)] {
        let settings = [right(&policy), vec![setting("Orders", value)]].concat();
        let expected = ConnectionProblem::UsesSecret { setting: "Orders".to_owned(), by_reference };
        assert_eq!(told(&policy, &seen(&policy, &settings)), [("connection-uses-secret", expected)]);
    }
}

#[test]
fn a_place_that_no_setting_names_is_not_known_to_be_right_and_one_that_another_identity_calls_is() {
    let policy = policy(|_| {});
    let of = |settings: &[(String, String)]| {
        let world = seen(&policy, settings);
        let evaluation = world.evaluate(&policy);
        let cases = crate::evaluate::explain(&policy, &world.observed, &evaluation).cases;
        let case = cases.into_iter().find(|case| case.hypothesis == Hypothesis::H5).expect("all six are there");
        (case.verdict, case.disproving.len())
    };
    assert_eq!(of(&right(&policy)), (Verdict::Refuted, 1));
    assert_eq!(of(&[right(&policy), vec![setting("Orders", "Endpoint=…")]].concat()), (Verdict::Open, 0));
    assert_eq!(of(&[]), (Verdict::Open, 0));
    let by_another: Texts = right(&policy).into_iter().filter(|(name, _)| !name.ends_with("clientId")).collect();
    assert_eq!(of(&by_another), (Verdict::Refuted, 1));
}

#[test]
fn every_cloud_has_its_own_places() {
    let policy = policy(|_| {});
    let right = right(&policy);
    let mut world = seen(&policy, &right);
    world.observed.cloud = "AzureUSGovernment";
    let expected = ConnectionProblem::WrongAddress {
        setting: "Orders__fullyQualifiedNamespace".to_owned(),
        seen: Some("sb-orders.servicebus.windows.net".to_owned()),
        canonical: "sb-orders.servicebus.usgovcloudapi.net".to_owned(),
        audience: "https://servicebus.azure.net".to_owned(),
    };
    assert_eq!(told(&policy, &world), [("service-uri-mismatch", expected)]);
}

#[test]
fn what_is_no_place_of_a_service_is_not_repeated() {
    let policy = policy(|_| {});
    for value in ["hunter.two", "Endpoint=sb://sb-orders.servicebus.windows.net/;SharedAccessKey=x", "sb-orders"] {
        let settings = [right(&policy), vec![setting("Orders__fullyQualifiedNamespace", value)]].concat();
        let told = told(&policy, &seen(&policy, &settings));
        assert!(matches!(&told[..], [(_, ConnectionProblem::WrongAddress { seen: None, .. })]), "{told:?}");
    }
}

#[test]
fn one_mistake_of_a_connection_that_two_bindings_use_is_told_once() {
    let policy = policy(|spec| {
        fixtures::trigger(spec, "further", "serviceBusTrigger", "bus", "queues/further", "shared");
        "orders".clone_into(&mut spec.bindings[1].connection);
    });
    let evaluation = seen(&policy, &[]).evaluate(&policy);
    let told: Vec<_> = evaluation.findings.iter().map(|finding| (finding.code(), finding.subject())).collect();
    assert_eq!(told, [("connection-missing", "bindings/incoming, bindings/further".to_owned())]);
    assert!(evaluation.findings.iter().all(|finding| finding.effect() == Effect::Drift));
}

#[test]
fn what_cannot_be_compared_is_said() {
    let policy = policy(|spec| {
        fixtures::trigger(spec, "clicks", "eventHubTrigger", "hub", "eventhubs/clicks", "shared");
        spec.bindings[0].connection.clear();
    });
    let names: Vec<_> = policy.connections.iter().map(|connection| connection.name.as_str()).collect();
    assert_eq!(names, ["AzureWebJobsServiceBus"]);
    let uncompared: Vec<_> = policy.uncompared.iter().map(|entry| entry.origin.to_string()).collect();
    assert_eq!(uncompared, ["bindings/clicks"]);
}
