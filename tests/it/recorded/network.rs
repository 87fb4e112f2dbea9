//! Recorded firewalls, rule sets and subnets, read by the real client.

use rolecall::model::{
    Scope,
    network::{Firewall, PublicAccess, Rules},
};

use super::{Recording, recordings, replay::Replay};

fn id(recording: &Recording) -> Scope {
    Scope::lenient(recording.body["id"].as_str().expect("a document has an id"))
}

async fn firewall(number: u16) -> Option<Firewall> {
    let recording = &recordings()?[&number];
    let read = Replay::client(recording).firewall(&id(recording)).await;
    Some(read.expect("it can be understood").expect("it is there"))
}

/// Number, whether it lets in everybody, the subnets, and whether others are let in.
const FIREWALLS: [(u16, bool, usize, bool); 10] = [
    (61, true, 0, false),
    (69, false, 0, true),
    (73, true, 0, false),
    (75, false, 0, false),
    (76, false, 0, true),
    (77, false, 2, false),
    (80, true, 0, false),
    (82, false, 0, true),
    (90, false, 0, true),
    (95, false, 0, true),
];

#[tokio::test(start_paused = true)]
async fn recorded_firewalls_let_in_whom_their_documents_list() {
    for (number, is_open, subnets, others) in FIREWALLS {
        let Some(Firewall { public, rules, out_of_service, is_whole, .. }) = firewall(number).await else { return };
        assert_eq!((public, out_of_service, is_whole), (PublicAccess::ByRules, None, true), "{number}");
        let found = match rules {
            Rules::Open => (true, 0, false),
            Rules::Closed { subnets, others } => (false, subnets.len(), others),
            Rules::NotAsked | Rules::Waits | Rules::Unknown => panic!("{number}"),
        };
        assert_eq!(found, (is_open, subnets, others), "{number}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_recorded_rule_set_belongs_to_its_namespace_and_a_list_of_namespaces_shows_none() {
    let Some(recordings) = recordings() else { return };
    let listed = Replay::client(&recordings[&100]).firewalls("any", "Microsoft.ServiceBus/namespaces").await;
    let listed = listed.expect("a list");
    let [(_, namespace)] = &listed[..] else { panic!("{listed:?}") };
    assert_eq!((namespace.rules.clone(), namespace.keys_off), (Rules::NotAsked, false));
    let hub = Scope::lenient(recordings[&102].path.trim_end_matches("/networkRuleSets/default"));
    let rules = Replay::client(&recordings[&102]).rule_set(&hub).await.expect("a rule set");
    let mut namespace = namespace.clone();
    rules.put_into(&mut namespace);
    assert!(matches!(namespace.rules, Rules::Closed { subnets, others: true } if subnets.is_empty()));
}

#[tokio::test(start_paused = true)]
async fn recorded_subnets_have_the_endpoints_that_they_show() {
    let Some(recordings) = recordings() else { return };
    let alone = &recordings[&87];
    let subnet = Replay::client(alone).subnet(&id(alone)).await.expect("a subnet").expect("it is there");
    assert!(subnet.endpoints.is_empty());
    // Within its virtual network a subnet looks the same.
    let mut within = recordings[&88].clone();
    within.body = within.body["properties"]["subnets"][0].clone();
    let subnet = Replay::client(&within).subnet(&id(&within)).await.expect("a subnet").expect("it is there");
    assert_eq!(subnet.endpoints, ["microsoft.storage".to_owned()].into());
}
