//! A vault's switch from access policies to role assignments: planned only when everybody who gets in today is certain to
//! get in by roles, or waived by a boundary.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{
    Circumstances, Held, HoldReason,
    held::Break,
    wish::{Wish, WishedChange, wish_grant},
};
use crate::{
    api::{ChangeKind, Mode},
    evaluate::{Alignment, Evaluation, Fate, Finding, Grounds},
    model::{AccessEntry, PrincipalId, Role, RoleId, Scope, Vault, VaultMode},
    policy::{Identity, Origin, Policy, Refusal, Verdict},
};

const KIND: ChangeKind = ChangeKind::SwitchVaultMode;

/// A vault to switch to role assignments.
#[derive(Clone, Debug)]
pub struct SwitchVaultMode {
    /// What in the policy asks for it.
    pub origins: Vec<Origin>,
    /// The vault.
    pub vault: Scope,
    /// The vault when this was planned.
    pub seen: Box<Vault>,
    /// When that was judged.
    pub at: Timestamp,
    /// The principals behind the policy's own identities.
    pub own: BTreeMap<Identity, PrincipalId>,
    /// Whose loss is waived, of those who lose something.
    pub waived: BTreeSet<PrincipalId>,
    /// What else it rests on.
    pub grounds: Grounds,
    /// The app.
    pub target: Scope,
}

impl SwitchVaultMode {
    /// Why the vault is not the one any more that this was planned for, if so.
    #[must_use]
    pub fn differs(&self, vault: &Vault) -> Option<&'static str> {
        let entries =
            |vault: &Vault| vault.entries.as_ref().map(|all| all.iter().cloned().collect::<BTreeSet<AccessEntry>>());
        if vault.tenant != self.seen.tenant {
            Some("the directory")
        } else if entries(vault).is_none() || entries(vault) != entries(&self.seen) {
            Some("the access policies")
        } else {
            None
        }
    }
}

/// Whether a switch of that vault is asked for and allowed at all, whatever the mode: only then is it judged.
pub fn may_switch(policy: &Policy, verdict: &Verdict, vault: &Scope, at: Timestamp) -> Result<(), HoldReason> {
    if !policy.allow.contains(&KIND) {
        return Err(HoldReason::NotAllowed(KIND));
    }
    verdict.permits_switch(Mode::Report, vault, at).map(drop).map_err(super::hold)
}

/// Why a switch is not allowed at that time, or not any more: also when a waiver that it needs is gone or has ended.
pub(super) fn permits(verdict: &Verdict, mode: Mode, switch: &SwitchVaultMode, at: Timestamp) -> Result<(), Refusal> {
    let sets = verdict.permits_switch(mode, &switch.vault, at)?;
    if sets.iter().any(|waived| switch.waived.is_subset(waived)) {
        return Ok(());
    }
    Err(Refusal::Outside(format!("no boundary waives all who would lose access to `{}`", switch.vault.name())))
}

/// Whether live policies declare different modes of the vault.
pub(super) fn is_disputed(evaluation: &Evaluation, vault: &Scope) -> bool {
    let is_it = |finding: &Finding| matches!(finding, Finding::VaultModeDisputed { vault: one, .. } if one == vault);
    evaluation.findings.iter().any(is_it)
}

/// What would have the vault decide by roles: the policy's own missing grants, and the switch or why it has to wait.
pub(super) fn wish_switch(
    (policy, verdict): (&Policy, &Verdict),
    evaluation: &Evaluation,
    circumstances: &Circumstances,
    role: impl Fn(&Scope, &RoleId) -> Option<Role>,
    (origin, vault): (&Origin, &Scope),
    wishes: &mut Vec<Result<Wish, Held>>,
) {
    let same = wishes.iter_mut().find_map(|wish| match wish {
        Ok(Wish { change: WishedChange::Switch(switch), .. }) => (switch.vault == *vault).then_some(switch),
        _ => None,
    });
    if let Some(switch) = same {
        switch.origins.push(origin.clone());
        return;
    }
    let wish = match judged((policy, verdict), evaluation, (origin, vault)) {
        Ok((alignment, wish)) => {
            for finding in &alignment.lacking {
                wish_grant(policy, circumstances, &role, finding, wishes);
            }
            wish
        }
        Err(reason) => Err(reason),
    };
    wishes.push(match wish {
        Ok(switch) => Ok(Wish { kind: KIND, change: WishedChange::Switch(Box::new(switch)) }),
        Err(reason) => Err(Held::without_step(Some(KIND), origin.to_string(), reason)),
    });
}

type Judged<'a> = (&'a Alignment, Result<SwitchVaultMode, HoldReason>);

fn judged<'a>(
    (policy, verdict): (&Policy, &Verdict),
    evaluation: &'a Evaluation,
    (origin, vault): (&Origin, &Scope),
) -> Result<Judged<'a>, HoldReason> {
    if is_disputed(evaluation, vault) {
        return Err(HoldReason::VaultModeDisputed);
    }
    let Some(alignment) = evaluation.alignments.get(vault) else {
        // Nobody judged it, because somebody does not allow it; no time is asked for to say who.
        return Err(may_switch(policy, verdict, vault, Timestamp::MIN).err().unwrap_or(HoldReason::EvidenceIncomplete));
    };
    let Ok(alignment) = alignment else { return Err(HoldReason::EvidenceIncomplete) };
    let sets = verdict.permits_switch(Mode::Report, vault, alignment.at).map_err(super::hold)?;
    let breaks = sets.iter().map(|waived| breaks(alignment, waived)).min_by_key(|(breaks, _)| breaks.len());
    let (breaks, waived) = breaks.unwrap_or_default();
    let until = alignment.consumers.iter().filter_map(|consumer| match consumer.fate {
        Fate::KeepsFrom(until) if !is_waived(consumer.declared, consumer.object, &waived) => Some(until),
        _ => None,
    });
    let wish = if !breaks.is_empty() {
        Err(HoldReason::AccessWouldBreak(breaks.into_iter().collect()))
    } else if let Some(until) = until.max() {
        Err(HoldReason::Propagating(until))
    } else {
        Ok(SwitchVaultMode {
            origins: vec![origin.clone()],
            vault: vault.clone(),
            seen: alignment.seen.clone(),
            at: alignment.at,
            own: alignment.own.clone(),
            waived,
            grounds: alignment.grounds.clone(),
            target: policy.target.clone(),
        })
    };
    Ok((alignment, wish))
}

/// Who would lose access, and who of the others only is let off by a waiver.
fn breaks(alignment: &Alignment, waived: &BTreeSet<PrincipalId>) -> (BTreeSet<Break>, BTreeSet<PrincipalId>) {
    let (mut breaks, mut used) = (BTreeSet::new(), BTreeSet::new());
    for consumer in &alignment.consumers {
        let let_off = is_waived(consumer.declared, consumer.object, waived);
        match &consumer.fate {
            Fate::Keeps => {}
            Fate::KeepsFrom(_) | Fate::Loses(_) if let_off => used.extend(consumer.object),
            Fate::KeepsFrom(_) => {}
            Fate::Loses(gap) => {
                breaks.insert(Break { object: consumer.object, gap: gap.clone() });
            }
        }
    }
    (breaks, used)
}

fn is_waived(declared: bool, object: Option<PrincipalId>, waived: &BTreeSet<PrincipalId>) -> bool {
    !declared && object.is_some_and(|object| waived.contains(&object))
}

/// Whether a vault that decides by access policies is declared to decide by roles.
pub(super) fn is_towards_roles(expected: VaultMode, actual: VaultMode) -> bool {
    (expected, actual) == (VaultMode::Rbac, VaultMode::AccessPolicy)
}
