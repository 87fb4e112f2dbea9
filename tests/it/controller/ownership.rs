//! Whose a grant is, and when it is taken away again: several claimants, two clusters, policies that change meanwhile.

use std::time::Duration;

use serde_json::{Value, json};

use super::run::{NAMESPACE, Run, SETTLED, document, orders};

pub const RECEIVER: &str = "4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0";
const BUS_GRANT: &str = "/subscriptions/11111111-aaaa-4bbb-8ccc-000000000001/resourceGroups/rg-functions-prod/providers/\
                         Microsoft.ServiceBus/namespaces/sb-orders/providers/Microsoft.Authorization/roleAssignments/\
                         a5516e00-0005-4000-8000-000000000000";
pub const MINUTE: Duration = Duration::from_secs(60);

/// A run whose boundary lets grants be revoked, and in which only the grant on the bus is missing.
pub fn run() -> Run {
    let run = Run::new();
    run.kube.put(boundary());
    run.arm.insert(document(include_str!("../../../src/sandbox/scenarios/healthy-grant.yaml")));
    run.arm.remove(BUS_GRANT);
    run
}

pub fn boundary() -> Value {
    let mut boundary = document(include_str!("../../../examples/orders/boundary.yaml"));
    boundary["spec"]["changes"] = json!(["EnableSystemIdentity", "AttachUserIdentity", "GrantRole", "RevokeRole"]);
    boundary
}

/// What somebody does to a grant.
type Touch = fn(&mut Value);
type SwitchOff = fn(&Run, &mut Value);

/// The example, enforced, allowed to revoke, with its triggers or without the one of the bus.
pub fn policy(name: &str, with_trigger: bool) -> Value {
    let mut policy = orders("Enforce");
    policy["metadata"]["name"] = json!(name);
    policy["spec"]["prune"] = json!("Owned");
    policy["spec"]["remediation"]["allow"] =
        json!(["EnableSystemIdentity", "AttachUserIdentity", "GrantRole", "RevokeRole"]);
    if !with_trigger {
        policy["spec"]["bindings"].as_array_mut().expect("a list").retain(|binding| binding["name"] != "incoming");
    }
    policy
}

/// A policy about another app that shares the user-assigned identity and its queue.
fn neighbour(run: &Run, name: &str) -> Value {
    let app = "/subscriptions/11111111-aaaa-4bbb-8ccc-000000000001/resourceGroups/rg-functions-prod/providers/\
               Microsoft.Web/sites/func-orders";
    let mut site = run.arm.document(app).expect("the example's app");
    site["id"] = json!(app.replace("func-orders", "func-billing"));
    site["name"] = json!("func-billing");
    site["identity"]["principalId"] = json!("5e57e300-bbbb-4000-8000-0000000000bb");
    run.arm.insert(site);
    let mut policy = policy(name, true);
    policy["spec"]["resources"]["app"] = json!("Microsoft.Web/sites/func-billing");
    policy["spec"]["bindings"].as_array_mut().expect("a list").retain(|binding| binding["name"] == "incoming");
    policy["spec"].as_object_mut().expect("a spec").remove("platform");
    policy["spec"]["vaults"] = json!([]);
    policy
}

/// The role assignments of the receiver role.
pub fn receivers(run: &Run) -> Vec<Value> {
    let is_receiver = |document: &Value| {
        document["properties"]["roleDefinitionId"].as_str().is_some_and(|id| id.ends_with(RECEIVER))
            && document["properties"]["principalId"].is_string()
    };
    run.arm.snapshot().into_iter().filter(is_receiver).collect()
}

pub fn deletions(run: &Run) -> usize {
    run.azure_writes().iter().filter(|request| request.method == "DELETE").count()
}

#[tokio::test(start_paused = true)]
async fn what_the_operator_granted_carries_its_mark_and_is_taken_back() {
    let mut run = run();
    run.kube.put(policy("orders", true));
    run.start();
    run.wait(20 * MINUTE).await;
    let granted = receivers(&run);
    let description = granted[0]["properties"]["description"].as_str();
    assert_eq!(
        description,
        Some("Granted by Rolecall for FunctionIdentityPolicy payments/orders (installation cluster-one)")
    );
    run.kube.put(policy("orders", false));
    run.wait(20 * MINUTE).await;
    assert_eq!((receivers(&run).len(), deletions(&run)), (0, 1));
    assert_eq!(run.reason("orders"), "Compliant");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_taken_back_that_somebody_else_made_or_touched() {
    let touches: [(&str, Touch); 3] = [
        ("made by hand", |grant| grant["properties"]["createdBy"] = json!("99999999-0000-4000-8000-000000000099")),
        ("described anew", |grant| grant["properties"]["description"] = json!("kept for the migration")),
        ("narrowed", |grant| grant["properties"]["condition"] = json!("@Resource[name] StringEquals 'orders'")),
    ];
    for (how, touch) in touches {
        let mut run = run();
        run.kube.put(policy("orders", true));
        run.start();
        run.wait(20 * MINUTE).await;
        let id = receivers(&run)[0]["id"].as_str().expect("an id").to_owned();
        run.arm.edit(&id, touch);
        run.kube.put(policy("orders", false));
        run.wait(20 * MINUTE).await;
        assert_eq!((receivers(&run).len(), deletions(&run)), (1, 0), "{how}");
        assert_eq!(run.reason("orders"), "CompliantWithFindings", "it is told, and left");
    }
}

#[tokio::test(start_paused = true)]
async fn prune_never_keeps_what_is_not_needed_any_more() {
    let mut run = run();
    let with = |trigger| {
        let mut policy = policy("orders", trigger);
        policy["spec"]["prune"] = json!("Never");
        policy
    };
    run.kube.put(with(true));
    run.start();
    run.wait(20 * MINUTE).await;
    run.kube.put(with(false));
    run.wait(20 * MINUTE).await;
    assert_eq!((receivers(&run).len(), deletions(&run)), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn each_switch_that_is_off_holds_a_revocation() {
    let cases: [(&str, SwitchOff); 3] = [
        ("NotAllowed", |_, policy| policy["spec"]["remediation"]["allow"] = json!(["GrantRole"])),
        ("OutsideBoundary", |run, _| {
            run.kube.put(document(include_str!("../../../examples/orders/boundary.yaml")));
        }),
        ("Suspended", |_, policy| policy["spec"]["suspend"] = json!(true)),
    ];
    for (reason, switch_off) in cases {
        let mut run = run();
        run.kube.put(policy("orders", true));
        run.start();
        run.wait(20 * MINUTE).await;
        let mut dropped = policy("orders", false);
        switch_off(&run, &mut dropped);
        run.kube.put(dropped);
        run.wait(5 * MINUTE).await;
        assert_eq!(deletions(&run), 0, "{reason}");
        let held = run.policy("orders")["status"]["plan"]["held"].clone();
        let held: Vec<_> = held.as_array().into_iter().flatten().map(|held| held["reason"].clone()).collect();
        assert_eq!(held, [reason]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_grant_with_several_claimants_goes_with_the_last_of_them() {
    let mut run = run();
    run.kube.put(policy("orders", true));
    run.start();
    run.wait(20 * MINUTE).await;
    run.kube.put(neighbour(&run, "billing"));
    run.wait(20 * MINUTE).await;
    assert_eq!(receivers(&run).len(), 1, "one grant serves both");

    run.kube.put(policy("orders", false));
    run.wait(20 * MINUTE).await;
    assert_eq!((receivers(&run).len(), deletions(&run)), (1, 0), "billing needs it");
    assert_eq!(run.reason("orders"), "CompliantWithFindings");
    let held = &run.policy("orders")["status"]["plan"]["held"][0];
    assert_eq!(held["reason"], "StillRequired");
    assert!(held["message"].as_str().is_some_and(|text| text.contains("payments/billing")), "{held}");

    run.kube.delete("FunctionIdentityPolicy", Some(NAMESPACE), "billing");
    run.wait(20 * MINUTE).await;
    assert_eq!((receivers(&run).len(), deletions(&run)), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_grant_that_another_namespace_needs_stays_and_neither_is_told_of_the_other() {
    const OTHER: &str = "invoicing";
    for deleted in [false, true] {
        let mut run = run();
        run.kube.put(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": OTHER } }));
        let mut boundary = boundary();
        boundary["metadata"]["name"] = json!(OTHER);
        boundary["spec"]["namespaces"]["names"] = json!([OTHER]);
        run.kube.put(boundary);
        let revoking = |with_trigger| {
            let mut policy = policy("orders", with_trigger);
            policy["spec"]["deletionPolicy"] = json!("Revoke");
            policy
        };
        run.kube.put(revoking(true));
        run.start();
        run.wait(20 * MINUTE).await;
        let mut other = neighbour(&run, "ledger");
        other["metadata"]["namespace"] = json!(OTHER);
        run.kube.put(other);
        run.wait(20 * MINUTE).await;
        assert_eq!(receivers(&run).len(), 1, "one grant serves both");

        if deleted {
            run.kube.delete("FunctionIdentityPolicy", Some(NAMESPACE), "orders");
        } else {
            run.kube.put(revoking(false));
        }
        run.wait(20 * MINUTE).await;
        assert_eq!((receivers(&run).len(), deletions(&run)), (1, 0), "the other needs it");
        let theirs = run.kube.get("FunctionIdentityPolicy", Some(OTHER), "ledger").expect("stored");
        let (theirs, ours) =
            (theirs["status"].to_string(), run.kube.get("FunctionIdentityPolicy", Some(NAMESPACE), "orders"));
        assert!(
            theirs.contains("Compliant") && !theirs.contains(NAMESPACE) && !theirs.contains("orders\""),
            "{theirs}"
        );
        assert_eq!(ours.is_none(), deleted, "a deletion ends");
        if let Some(ours) = ours {
            let status = ours["status"].to_string();
            assert_eq!(ours["status"]["plan"]["held"][0]["reason"], "StillRequired", "{status}");
            assert!(!status.contains(OTHER) && !status.contains("ledger"), "{status}");
        }

        run.kube.delete("FunctionIdentityPolicy", Some(OTHER), "ledger");
        run.wait(20 * MINUTE).await;
        assert_eq!(
            receivers(&run).len(),
            usize::from(deleted),
            "nobody is left who would take it back, or nobody needs it"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn two_clusters_with_the_same_git_do_not_take_from_each_other() {
    let mut one = run();
    one.kube.put(policy("orders", true));
    one.start();
    one.wait(20 * MINUTE).await;
    let mut two = one.beside("cluster-two");
    two.kube.put(boundary());
    two.kube.put(policy("orders", true));
    two.start();
    two.wait(20 * MINUTE).await;
    assert_eq!(two.reason("orders"), "Compliant");

    // The second cluster drops the trigger: the grant is the first one's.
    two.kube.put(policy("orders", false));
    two.wait(20 * MINUTE).await;
    assert_eq!((receivers(&one).len(), deletions(&one)), (1, 0));
    assert_eq!((one.reason("orders"), two.reason("orders")), ("Compliant".into(), "CompliantWithFindings".into()));
}

#[tokio::test(start_paused = true)]
async fn a_new_operator_takes_nothing_away_at_first_sight() {
    let mut run = run();
    run.kube.put(policy("orders", true));
    run.start();
    run.wait(20 * MINUTE).await;
    run.crash();
    run.kube.put(policy("orders", false));
    run.start();
    run.wait(Duration::from_secs(10)).await;
    let held = run.policy("orders")["status"]["plan"]["held"][0]["reason"].clone();
    assert_eq!((held, deletions(&run)), (json!("NoBaseline"), 0));
    run.wait(3 * MINUTE).await;
    assert_eq!(deletions(&run), 1);
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_comes_to_need_the_grant_just_before_it_goes_keeps_it() {
    let mut run = run();
    run.kube.put(policy("orders", true));
    run.start();
    run.wait(20 * MINUTE).await;
    // The look just before the deletion takes a second, and meanwhile a neighbour is applied.
    let grant = receivers(&run)[0]["name"].as_str().expect("a name").to_owned();
    let busy = json!({
        "method": "GET", "path": grant, "answer": { "status": 503, "headers": { "retry-after": "2" } },
    });
    run.arm.add_fault(serde_json::from_value(busy).expect("a fault"));
    run.kube.put(policy("orders", false));
    run.wait(Duration::from_secs(1)).await;
    run.kube.put(neighbour(&run, "billing"));
    run.wait(20 * MINUTE).await;
    assert_eq!((receivers(&run).len(), deletions(&run)), (1, 0));
    run.wait(SETTLED).await;
}

#[tokio::test(start_paused = true)]
async fn a_grant_stays_when_what_made_it_needless_goes_just_before_it() {
    const GROUP_GRANT: &str = "/subscriptions/11111111-aaaa-4bbb-8ccc-000000000001/resourceGroups/rg-functions-prod/\
                               providers/Microsoft.Authorization/roleAssignments/a5516e00-00aa-4000-8000-000000000000";
    for goes in [false, true] {
        let mut run = run();
        let whole_bus = |whole: bool| {
            let mut policy = policy("orders", true);
            for binding in policy["spec"]["bindings"].as_array_mut().expect("a list") {
                if whole && binding["name"] == "incoming" {
                    binding.as_object_mut().expect("an object").remove("entity");
                }
            }
            policy
        };
        run.kube.put(whole_bus(true));
        run.start();
        run.wait(20 * MINUTE).await;
        // Somebody grants the same on the whole group, so that ours on the bus is needless once only the queue is used.
        let mut broad = receivers(&run)[0].clone();
        let scope = GROUP_GRANT.split("/providers/").next();
        broad["id"] = json!(GROUP_GRANT);
        broad["name"] = json!("a5516e00-00aa-4000-8000-000000000000");
        broad["properties"]["scope"] = json!(scope);
        broad["properties"]["description"] = Value::Null;
        run.arm.insert(broad);
        let busy = json!({
            "method": "GET", "path": "namespaces/sb-orders/providers/Microsoft.Authorization/roleAssignments",
            "answer": { "status": 503, "headers": { "retry-after": "2" } },
        });
        run.arm.add_fault(serde_json::from_value(busy).expect("a fault"));
        run.kube.put(whole_bus(false));
        run.wait(Duration::from_secs(1)).await;
        if goes {
            run.arm.remove(GROUP_GRANT);
        }
        run.wait(40 * MINUTE).await;
        assert_eq!((receivers(&run).len(), deletions(&run)), (1, usize::from(!goes)), "goes: {goes}");
    }
}
