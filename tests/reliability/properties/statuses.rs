//! S8, S9 and S10: what is said in the cluster, on what evidence, and to whom.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{
    super::{
        facts::{self, Assignment, Who, condition, lower, text},
        ledger::{Call, Ledger, Pass},
        run::Run,
        stage::Key,
    },
    grants::{evidence_age, whole_lists},
    heard_document, heard_documents,
};

/// What each finding confirms: the playbook's table, once more.
const CONFIRMS: [(&str, &str); 18] = [
    ("system-identity-disabled", "H1"),
    ("user-identity-not-attached", "H1"),
    ("user-identity-not-found", "H1"),
    ("principal-missing", "H1"),
    ("stale-attachment", "H1"),
    ("host-not-recycled", "H1"),
    ("connection-missing", "H1"),
    ("connection-uses-secret", "H1"),
    ("connection-wrong-identity", "H1"),
    ("platform-wrong-identity", "H1"),
    ("connection-identity-unsupported", "H1"),
    ("service-uri-mismatch", "H5"),
    ("role-missing", "H2"),
    ("propagating", "H3"),
    ("vault-mode-mismatch", "H4"),
    ("access-policy-missing", "H4"),
    ("references-denied", "H4"),
    ("access-denied", "H6"),
];
/// Findings that leave something open instead.
const OPEN: [&str; 5] =
    ["unreadable", "access-undecided", "access-policy-undecided", "role-unknown", "connection-undecided"];

pub(super) fn at_sending(ledger: &mut Ledger, run: &Run, call: &Call) {
    if !call.mutating {
        return;
    }
    tells_nothing_foreign(ledger, run, call);
    if !call.key.ends_with("/status") {
        return;
    }
    let status = &call.body["status"];
    let Some(key) = call.policy.clone() else { return };
    ledger.call_mut(call.number).heartbeat = is_heartbeat(ledger, call);
    let mut broken = contradictions(status).into_iter().map(|what| ("S10", what)).collect::<Vec<_>>();
    if let Some(pass) = ledger.pass_of(call)
        && !is_offered_again(ledger, call)
    {
        broken.extend(unfounded(ledger, run.clock.now(), call, &key, pass));
    }
    for (property, what) in broken {
        ledger.is_broken(property, call.number, what);
    }
}

/// S8 at rest in the cluster: what was accepted speaks of the generation that it names.
pub(super) fn at_effect(ledger: &mut Ledger, run: &Run, call: &Call) {
    if !call.key.ends_with("/status") {
        return;
    }
    let Some((namespace, name)) = call.policy.as_deref() else { return };
    let Some(object) = run.kube.get("FunctionIdentityPolicy", Some(namespace), name) else { return };
    let ready = condition(&call.body["status"], "Ready").unwrap_or(&Value::Null);
    let (told, is) = (&call.body["status"]["observedGeneration"], &object["metadata"]["generation"]);
    if ready["reason"] == "Compliant" && told != is {
        ledger.is_broken("S8", call.number, format!("Compliant at generation {told} over generation {is}"));
    }
}

/// Whether the process has offered the same status before: then it rests on an earlier pass, which was judged.
fn is_offered_again(ledger: &Ledger, call: &Call) -> bool {
    let same = |other: &Call| {
        other.number < call.number && other.key == call.key && other.body["status"] == call.body["status"]
    };
    ledger.of_process(call.process).any(same)
}

/// Whether the status only moves the time of the last look, which it does hourly, or offers such a one again.
fn is_heartbeat(ledger: &Ledger, call: &Call) -> bool {
    let time = |status: &Value| text(&status["lastObservedTime"]).parse::<Timestamp>().ok();
    let Some(pass) = ledger.pass_of(call) else { return false };
    let (before, now) = (&pass.object["status"], &call.body["status"]);
    let hour = time(before)
        .zip(time(now))
        .is_some_and(|(before, now)| now.duration_since(before) >= SignedDuration::from_hours(1));
    members(before).eq(members(now)) && (hour || is_offered_again(ledger, call))
}

/// The members of a status, without the time of the last look.
pub(super) fn members(status: &Value) -> impl Iterator<Item = (&String, &Value)> {
    status.as_object().into_iter().flatten().filter(|(name, _)| *name != "lastObservedTime")
}

/// S10: the status does not contradict itself.
fn contradictions(status: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
    for one in &conditions {
        if one["observedGeneration"] != status["observedGeneration"] {
            wrong.push(format!("{} speaks of another generation than the status", one["type"]));
        }
    }
    let of = |kind: &str| condition(status, kind).map(|one| text(&one["status"]).to_owned());
    let reason = condition(status, "Ready").map(|ready| text(&ready["reason"]).to_owned()).unwrap_or_default();
    if of("Reconciling").is_some() && of("Stalled").is_some() {
        wrong.push("both Reconciling and Stalled".to_owned());
    }
    let codes: Vec<&str> =
        status["findings"].as_array().into_iter().flatten().map(|finding| text(&finding["code"])).collect();
    let confirmed: BTreeSet<_> =
        CONFIRMS.iter().filter(|(code, _)| codes.contains(code)).map(|(_, hypothesis)| *hypothesis).collect();
    // What is gone or closed is H6 as well.
    let away = [
        "vault-not-found",
        "resource-not-found",
        "network-blocked",
        "resource-not-ready",
        "keys-refused",
        "target-stopped",
    ];
    let is_gone = codes.iter().any(|code| away.contains(code));
    let confirmed: BTreeSet<_> = confirmed.into_iter().chain(is_gone.then_some("H6")).collect();
    // What documents leave open the app's telemetry may decide, and then it is cited.
    let told = status["decision"]["hypotheses"].as_array().into_iter().flatten().filter(|one| {
        let mut cited = one["confirming"].as_array().into_iter().flatten();
        one["verdict"] == "Confirmed" && cited.any(|fact| text(fact).starts_with("telemetry: "))
    });
    let confirmed: BTreeSet<_> = confirmed.into_iter().chain(told.map(|one| text(&one["hypothesis"]))).collect();
    let named = text(&status["hypothesis"]);
    // Earlier links of the chain dominate.
    if named != confirmed.first().copied().unwrap_or_default() {
        wrong.push(format!("names the hypothesis `{named}` over the findings {codes:?}"));
    }
    let drift = codes.iter().any(|code| *code != "propagating" && !OPEN.contains(code));
    match of("Drifted").as_deref() {
        Some("True") if !drift => wrong.push(format!("Drifted over the findings {codes:?}")),
        Some("False") if codes.iter().any(|code| *code != "propagating") => {
            wrong.push(format!("not Drifted over the findings {codes:?}"));
        }
        _ => {}
    }
    let compliant = reason == "Compliant";
    if compliant && (!codes.is_empty() || of("Ready").as_deref() != Some("True")) {
        wrong.push(format!("Compliant over the findings {codes:?}"));
    }
    if reason == "Propagating" && !codes.contains(&"propagating") {
        wrong.push("Propagating without such a finding".to_owned());
    }
    wrong
}

/// S8: `Compliant` rests on lists that show it, read for this generation. S10: a finding that a role is missing does not
/// rest on lists in which nothing is.
fn unfounded(ledger: &Ledger, now: Timestamp, call: &Call, key: &Key, pass: &Pass) -> Option<(&'static str, String)> {
    let status = &call.body["status"];
    let ready = condition(status, "Ready")?;
    let codes = status["findings"].as_array().into_iter().flatten().map(|finding| text(&finding["code"]));
    let missing = codes.into_iter().any(|code| code == "role-missing");
    let compliant = ready["reason"] == "Compliant";
    if !missing && !compliant {
        return None;
    }
    let policy = &pass.object;
    if compliant && status["observedGeneration"] != policy["metadata"]["generation"] {
        return Some(("S8", format!("{}/{} is Compliant at a generation that was not looked at", key.0, key.1)));
    }
    let age = evidence_age(ledger, call.process, now);
    let not_before = oldest_evidence(policy, pass.began);
    let since = pass.began - age;
    let lists = whole_lists(ledger, call.process, since);
    let mut lists = lists.iter().filter(|(_, begun, _)| not_before.is_none_or(|earliest| begun.at >= earliest));
    let shown =
        |grants: &Vec<Assignment>| shows_everything(ledger, call.process, policy, grants, (since, now), compliant);
    if compliant {
        let needless = facts::needs(policy).is_empty() && shown(&Vec::new());
        let confirmed = needless || lists.any(|(grants, _, _)| shown(grants));
        return (!confirmed).then(|| ("S8", "Compliant without a list that shows it".to_owned()));
    }
    // Documents that were lied about need not fit together.
    let lied_to = ledger.of_process(call.process).any(Call::is_lie);
    let contradicted = !lied_to
        && lists.next().is_some_and(|(grants, _, _)| shown(grants))
        && lists.all(|(grants, _, _)| shown(grants));
    contradicted.then(|| ("S10", "a role is said to be missing, and every list shows it".to_owned()))
}

/// Before which moment nothing counts that was read: an edit is answered from a look ten seconds before it at most,
/// and whoever asks for a pass gets a new one.
fn oldest_evidence(policy: &Value, began: Timestamp) -> Option<Timestamp> {
    let (status, metadata) = (&policy["status"], &policy["metadata"]);
    let requested = &metadata["annotations"]["reconcile.fluxcd.io/requestedAt"];
    if requested.is_string() && *requested != status["lastHandledReconcileAt"] {
        return Some(began);
    }
    let observed = status["observedGeneration"].as_i64().unwrap_or(-1);
    let edited = observed >= 0 && Some(observed) != metadata["generation"].as_i64();
    edited.then(|| began - SignedDuration::from_secs(10))
}

/// Whether these grants, and documents that the process heard of, show all that the policy declares. A document may have
/// been heard of several times since `since`, the last time after the pass looked at it; where they are to show that access
/// acts, each time counts, else the latest.
fn shows_everything(
    ledger: &Ledger,
    process: u32,
    policy: &Value,
    grants: &[Assignment],
    (since, now): (Timestamp, Timestamp),
    acting: bool,
) -> bool {
    let documents = |id: &str| -> Vec<Value> {
        let recent = heard_documents(ledger, process, id, since).filter(|_| acting);
        recent.chain(heard_document(ledger, process, id)).collect()
    };
    let sites = documents(&facts::target(policy));
    let identities = sites.iter().any(|site| {
        let attached = facts::attached(&site["identity"]);
        facts::declared_identities(policy).iter().all(|id| attached.contains(id))
            && (!facts::requires_system(policy) || facts::has_system(&site["identity"]))
    });
    let principals = |who: &Who| -> Vec<String> {
        match who {
            Who::System => sites.iter().filter_map(|site| facts::principal(who, Some(site), None)).collect(),
            Who::User(id) => {
                let identities = documents(id).into_iter();
                identities.filter_map(|identity| facts::principal(who, None, Some(&identity))).collect()
            }
        }
    };
    let entries = facts::vault_needs(policy).iter().all(|need| {
        let principals = principals(&need.who);
        documents(&need.vault).into_iter().any(|vault| {
            let own = facts::entries(&vault).into_iter().filter(|entry| principals.contains(&entry.object));
            !facts::uses_roles(&vault) && own.into_iter().any(|entry| entry.lets(need, &vault))
        })
    });
    identities
        && entries
        && facts::needs(policy).iter().all(|need| {
            principals(&need.who).iter().any(|principal| {
                grants.iter().any(|grant| grant.meets(principal, need) && (!acting || grant.acts(need, now)))
            })
        })
}

/// S9, the telling half: a status or an event names nothing that lies outside of the namespace's boundaries, unless its
/// own policy names it.
fn tells_nothing_foreign(ledger: &mut Ledger, run: &Run, call: &Call) {
    let Some(key) = &call.policy else { return };
    let Some(pass) = ledger.pass_of(call) else { return };
    let now = ledger.views.get(&call.operator).map(|view| view.rules.scopes(&key.0)).unwrap_or_default();
    let scopes: Vec<&String> = now.iter().chain(&pass.scopes).collect();
    let told = call.body.to_string().to_lowercase();
    let is_near = |id: &str| {
        let at = id.split("/providers/microsoft.authorization/").next().unwrap_or_default();
        scopes.iter().any(|scope| facts::reaches(scope, id) || facts::reaches(at, scope))
    };
    // Each once: documents of one group share most of theirs.
    let foreign = run.stage.words.iter().filter(|(id, _)| !is_near(id)).flat_map(|(_, words)| words);
    let foreign: BTreeSet<&String> = foreign.collect();
    let mut named = foreign.into_iter().filter(|word| told.contains(word.as_str())).peekable();
    if named.peek().is_none() {
        return;
    }
    // What the app itself named when it was looked at is its owner's to know, also when the app is gone since.
    let mut known = pass.object["spec"].to_string().to_lowercase();
    if let Some(site) = heard_document(ledger, call.process, &facts::target(&pass.object)) {
        known.push_str(&site.to_string().to_lowercase());
    }
    for document in run.arm.snapshot().iter().filter(|document| is_near(&lower(&document["id"]))) {
        known.push_str(&document.to_string().to_lowercase());
    }
    if let Some(word) = named.find(|word| !known.contains(word.as_str())) {
        let what = format!("{}/{} is told of `{word}`, which lies outside of its boundaries", key.0, key.1);
        ledger.is_broken("S9", call.number, what);
    }
}
