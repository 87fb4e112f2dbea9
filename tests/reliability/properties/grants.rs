//! S2, S3, S7 and S11: what is granted, to whom, on what evidence, and what must never be overwritten.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{
    super::{
        facts::{self, Assignment, Need, Who, lower},
        ledger::{Call, Ledger},
        process::SURVEY_AGE,
    },
    policy_of,
};

/// The grant that a request asks for.
fn wanted(call: &Call) -> Assignment {
    let document = serde_json::json!({
        "id": call.path,
        "properties": {
            "principalId": call.body["properties"]["principalId"],
            "roleDefinitionId": call.body["properties"]["roleDefinitionId"],
            "condition": call.body["properties"]["condition"],
            "scope": scope_of(&call.path),
        },
    });
    Assignment::of(&document).expect("the path is one of a role assignment")
}

fn scope_of(path: &str) -> &str {
    path.rsplit_once("/providers/").map_or("/", |(scope, _)| scope)
}

pub(super) fn at_sending(ledger: &mut Ledger, call: &Call) {
    let wanted = wanted(call);
    let Some(policy) = policy_of(ledger, call).cloned() else { return };
    let need =
        facts::grantable(&policy).into_iter().find(|need| need.role == wanted.role && need.scope == wanted.scope);
    let mut broken = Vec::new();
    let Some(need) = need else {
        let what = format!("grants {} at {}, which the policy does not declare", wanted.role, wanted.scope);
        ledger.is_broken("S3", call.number, what);
        return;
    };
    let namespace = call.policy.as_ref().map(|key| key.0.as_str()).unwrap_or_default();
    let rules = &ledger.views[&call.operator].rules;
    if !rules.allow(namespace, "GrantRole", Some(&need.role), &[&need.scope]) || !facts::asks_for(&policy, "GrantRole")
    {
        broken.push(("S3", format!("grants {} at {} against boundary or policy", need.role, need.scope)));
    }
    broken.extend(looked_closely(ledger, call, &policy, &need, &wanted));
    broken.extend(saw_it_missing(ledger, call, &need, &wanted));
    for (property, what) in broken {
        ledger.is_broken(property, call.number, what);
    }
}

/// The reads just before the write: whose principal it is (S11), what it holds there, and that the name is free (S2, S7).
fn looked_closely(
    ledger: &Ledger,
    call: &Call,
    policy: &Value,
    need: &Need,
    wanted: &Assignment,
) -> Vec<(&'static str, String)> {
    let mut broken = Vec::new();
    let owner = match &need.who {
        Who::System => facts::target(policy),
        Who::User(id) => id.clone(),
    };
    let document =
        ledger.look_before(call.number).into_iter().find(|look| look.key == owner).and_then(|look| look.answer(200));
    let principal = facts::principal(&need.who, document.as_ref(), document.as_ref());
    if principal.as_deref() != Some(&wanted.principal) {
        let what = format!("grants to {}, and {owner} was last seen with {principal:?}", wanted.principal);
        broken.push(("S11", what));
    }
    let list = format!("{}/providers/microsoft.authorization/roleassignments", need.scope);
    let held =
        ledger.look_before(call.number).into_iter().find(|look| look.key == list && look.query.contains("principalId"));
    match held.and_then(|look| look.answer(200)) {
        Some(page) => {
            let held = facts::assignments(page["value"].as_array().into_iter().flatten());
            // Under our own name, what was asked later decides.
            let same = |other: &&Assignment| other.is_for(&wanted.principal, need) && other.id != wanted.id;
            if let Some(same) = held.iter().find(same) {
                broken.push(("S2", format!("grants what it has just seen: {}", same.id)));
            }
        }
        None => broken.push(("S2", "grants without having looked at what is held there".to_owned())),
    }
    let name = ledger.look_before(call.number).into_iter().find(|look| look.key == call.key);
    if name.and_then(super::super::ledger::Call::heard_status) != Some(404) {
        broken.push(("S7", "writes a name that it has not just seen free".to_owned()));
    }
    broken
}

/// S2: a whole, plausible list shows the need unmet, and it was begun after this policy's last write; and somebody
/// said that we may read such lists.
fn saw_it_missing(ledger: &Ledger, call: &Call, need: &Need, wanted: &Assignment) -> Option<(&'static str, String)> {
    let began = ledger.pass_of(call)?;
    let age = evidence_age(ledger, call.process, call.at);
    let earlier = ledger.calls[..began.calls]
        .iter()
        .rev()
        .find(|other| other.process == call.process && other.policy == call.policy && is_write_to_azure(other));
    let shows = whole_lists(ledger, call.process, began.began - age).into_iter().any(|(list, begun, _)| {
        let after_own_write = earlier.is_none_or(|write| begun.number > write.number);
        let plausible = list.iter().any(|grant| grant.scope.split('/').count() <= 3);
        after_own_write && plausible && !list.iter().any(|grant| grant.meets(&wanted.principal, need))
    });
    if !shows {
        return Some(("S2", format!("grants {} at {} without a whole list that lacks it", need.role, need.scope)));
    }
    let group = need.scope.split('/').take(5).collect::<Vec<_>>().join("/");
    let own = format!("{group}/providers/microsoft.authorization/permissions");
    let witness = ledger.of_process(call.process).filter(|other| other.key == own).any(|other| {
        let fresh = other.heard_at.is_some_and(|heard| began.began.duration_since(heard) <= age);
        fresh && other.answer(200).is_some_and(|page| page["value"].as_array().into_iter().flatten().any(reads_grants))
    });
    (!witness).then(|| ("S2", format!("grants at {} without knowing that it may see grants there", need.scope)))
}

/// How old a list may be when a pass begins that rests on it. The age of a survey counts from the end of its slowest
/// part, which may be given up after a minute; and while Azure asks for silence, none is read.
pub(super) fn evidence_age(ledger: &Ledger, process: u32, now: Timestamp) -> SignedDuration {
    let throttled = ledger.of_process(process).any(|other| {
        matches!(other.heard_status(), Some(429 | 503)) && now.duration_since(other.at) <= LONGEST_SILENCE
    });
    let survey = SignedDuration::try_from(SURVEY_AGE).expect("a minute");
    (if throttled { LONGEST_SILENCE } else { survey }) + SLOWEST_LIST
}

/// How long Azure's request for silence is obeyed.
const LONGEST_SILENCE: SignedDuration = SignedDuration::from_mins(5);
const SLOWEST_LIST: SignedDuration = SignedDuration::from_secs(62);

fn reads_grants(entry: &Value) -> bool {
    let actions = entry["actions"].as_array().into_iter().flatten();
    let mut actions = actions.map(lower);
    actions.any(|action| {
        matches!(
            action.as_str(),
            "*" | "*/read" | "microsoft.authorization/*/read" | "microsoft.authorization/roleassignments/read"
        )
    })
}

fn is_write_to_azure(call: &Call) -> bool {
    call.mutating && call.service == super::Service::Azure
}

/// The subscription's lists of role assignments that a process heard to their end since then, the latest first: what was
/// in them, their first call, and when the last page was there.
pub(super) fn whole_lists(ledger: &Ledger, process: u32, since: Timestamp) -> Vec<(Vec<Assignment>, &Call, Timestamp)> {
    let is_list = |call: &&Call| {
        call.key.split('/').nth(3) == Some("providers")
            && call.key.ends_with("/roleassignments")
            && !call.query.contains("filter")
    };
    let mut whole = Vec::new();
    let mut open: Option<(Vec<Assignment>, Timestamp)> = None;
    let recent = ledger.of_process(process).filter(|call| call.heard_at.is_some_and(|heard| heard >= since));
    for call in recent.filter(is_list) {
        let (Some(page), Some(heard)) = (call.answer(200), call.heard_at) else {
            continue;
        };
        let grants = facts::assignments(page["value"].as_array().into_iter().flatten());
        let ends_here = page["nextLink"].as_str().is_none_or(str::is_empty);
        let is_first = !call.query.contains("skiptoken");
        if ends_here {
            open = Some((grants, heard));
        } else if let Some((known, _)) = &mut open {
            known.extend(grants);
        }
        if is_first && let Some((grants, heard)) = open.take() {
            whole.push((grants, call, heard));
        }
    }
    whole
}

/// S7: nothing is created twice, nobody's grant is written over, nobody's condition is lost. What appeared within the
/// one request between the look and the write is beyond what Azure lets a client see.
pub(super) fn at_effect(
    ledger: &mut Ledger,
    call: &Call,
    status: u16,
    before: &BTreeMap<String, &Value>,
    after: &BTreeMap<String, &Value>,
) {
    let look = ledger.look_before(call.number).into_iter().find(|look| look.key == call.key).cloned();
    let seen = look.as_ref().and_then(|look| look.served);
    let raced = |id: &str| ledger.touched.get(id).is_some_and(|touched| seen.is_none_or(|seen| *touched > seen));
    let lied_to = look.as_ref().is_some_and(Call::is_lie);
    let mut broken = Vec::new();
    if call.method == "PUT" && before.contains_key(&call.key) && !raced(&call.key) && !lied_to {
        broken.push(format!("writes over {}", call.path));
    }
    for (id, old) in before.iter().filter(|(_, old)| old["properties"]["condition"].is_string()) {
        let kept = after.get(id).is_some_and(|new| new["properties"]["condition"] == old["properties"]["condition"]);
        if !kept && !raced(id) && !lied_to {
            broken.push(format!("the condition of {id} is lost"));
        }
    }
    if status == 201
        && let Some(made) = after.get(&call.key).and_then(|document| Assignment::of(document))
    {
        let Assignment { principal, role, scope, .. } = made;
        let times = ledger.created.entry((principal, role, scope)).or_default();
        *times += 1;
        if *times > 1 {
            broken.push(format!("creates {} for the second time", call.path));
        }
    }
    for what in broken {
        ledger.is_broken("S7", call.number, what);
    }
    if call.method == "DELETE"
        && let Some(Assignment { principal, role, scope, .. }) =
            before.get(&call.key).and_then(|old| Assignment::of(old))
    {
        ledger.created.remove(&(principal, role, scope));
    }
}
