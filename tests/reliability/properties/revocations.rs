//! S12, and what of S2 and S3 is about taking grants away.

use super::{
    super::{
        facts::{self, Assignment, Who, lower, text},
        ledger::{Call, Ledger},
        process::INSTALLATION,
        run::Run,
    },
    policy_of,
};

pub(super) fn at_sending(ledger: &mut Ledger, run: &Run, call: &Call) {
    let mut broken = Vec::new();
    // The last thing that the pass asked is the grant itself.
    let look = ledger.look_before(call.number).first().copied().filter(|look| look.key == call.key);
    let seen = look.and_then(|look| look.answer(200));
    if seen.is_none() {
        broken.push(("S2", "deletes a grant without having just read it".to_owned()));
    }
    // Judged by what is there; when somebody has changed it since the look, by what was seen.
    let raced = look
        .and_then(|look| look.served)
        .is_some_and(|seen| ledger.touched.get(&call.key).is_some_and(|touched| *touched > seen));
    let is_lie = look.is_some_and(Call::is_lie);
    let document = if raced || is_lie { seen } else { run.arm.document(&call.path).or(seen) };
    let Some((document, grant)) = document
        .and_then(|document| Some((Assignment::of(&document)?, document)))
        .map(|(grant, document)| (document, grant))
    else {
        for (property, what) in broken {
            ledger.is_broken(property, call.number, what);
        }
        return;
    };
    let description = text(&document["properties"]["description"]);
    let ours = description.starts_with("Granted by Rolecall") && description.contains(INSTALLATION);
    let by_us = lower(&document["properties"]["createdBy"]) == run.stage.world.caller.object_id.to_lowercase();
    if !ours || !by_us {
        broken.push(("S12", format!("deletes {}, which is not ours", grant.id)));
    }
    // One that the operator does not know any more counts as its pass had it.
    if let Some(policy) = policy_of(ledger, call).or(ledger.pass_of(call).map(|pass| &pass.object)) {
        let namespace = call.policy.as_ref().map(|key| key.0.as_str()).unwrap_or_default();
        let rules = &ledger.views[&call.operator].rules;
        if !facts::asks_for(policy, "RevokeRole") || !rules.allow(namespace, "RevokeRole", None, &[&grant.scope]) {
            broken.push(("S3", format!("deletes {} against boundary or policy", grant.id)));
        }
        let leaves = policy["metadata"]["deletionTimestamp"].is_string();
        let wanted =
            if leaves { policy["spec"]["deletionPolicy"] == "Revoke" } else { policy["spec"]["prune"] == "Owned" };
        if !wanted {
            broken.push(("S12", format!("deletes {}, and nobody asked for that", grant.id)));
        }
    }
    if let Some(name) = needed_by(ledger, run, call, &grant) {
        broken.push(("S12", format!("deletes {}, which {name} needs", grant.id)));
    }
    for (property, what) in broken {
        ledger.is_broken(property, call.number, what);
    }
}

/// The live policy that would lack something without the grant, as the operator knows the policies.
fn needed_by(ledger: &Ledger, run: &Run, call: &Call, grant: &Assignment) -> Option<String> {
    let others: Vec<_> =
        facts::assignments(&run.arm.snapshot()).into_iter().filter(|other| other.id != grant.id).collect();
    let view = ledger.views.get(&call.operator)?;
    let live = view.policies.iter().filter(|(_, policy)| policy["metadata"]["deletionTimestamp"].is_null());
    let needs = |policy: &serde_json::Value| {
        let site = run.arm.document(&facts::target(policy));
        facts::needs(policy).iter().any(|need| {
            let identity = match &need.who {
                Who::System => None,
                Who::User(id) => run.arm.document(id),
            };
            facts::principal(&need.who, site.as_ref(), identity.as_ref()).is_some_and(|principal| {
                grant.meets(&principal, need) && !others.iter().any(|other| other.meets(&principal, need))
            })
        })
    };
    live.into_iter().find(|(_, policy)| needs(policy)).map(|(key, _)| format!("{}/{}", key.0, key.1))
}
