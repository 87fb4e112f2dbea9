//! What boundaries say of vaults that several teams share.

use std::collections::BTreeSet;

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::{Boundary, Refusal, Rights, Verdict};
use crate::{
    api::{self, ChangeKind, Mode},
    model::{PrincipalId, Scope},
};

/// A vault whose mode may be switched. One that may not is not here.
#[derive(Clone, Debug)]
pub(super) struct Switchable {
    vault: Scope,
    waivers: Vec<Waiver>,
}

#[derive(Clone, Debug)]
struct Waiver {
    object: PrincipalId,
    until: Date,
}

impl Switchable {
    /// The vaults of a boundary that may be switched. What cannot be parsed is left out, which can only allow less.
    pub(super) fn of(vaults: &[api::BoundaryVault]) -> Vec<Self> {
        let switchable = vaults.iter().filter_map(|entry| {
            let api::BoundaryVault { resource, switch, waive } = entry;
            let waivers = waive.iter().filter_map(|waiver| {
                let api::Waiver { object_id, reason: _, until } = waiver;
                Some(Waiver { object: object_id.parse().ok()?, until: until.parse().ok()? })
            });
            match switch {
                api::VaultSwitch::Never => None,
                api::VaultSwitch::WhenSafe => {
                    Some(Self { vault: Scope::parse(resource).ok()?, waivers: waivers.collect() })
                }
            }
        });
        switchable.collect()
    }
}

impl Verdict {
    /// Whether the vault's mode may be switched, and who may lose access by it at that time: one set for each boundary
    /// that allows it whole.
    pub fn permits_switch(
        &self,
        mode: Mode,
        vault: &Scope,
        at: Timestamp,
    ) -> Result<Vec<BTreeSet<PrincipalId>>, Refusal> {
        let today = at.to_zoned(TimeZone::UTC).date();
        let Rights::Boundaries(boundaries) = &self.rights else {
            let why = "a vault's mode is shared, so switching it takes a boundary that says `switch: WhenSafe`";
            return Err(Refusal::Outside(why.to_owned()));
        };
        let shortfall = |boundary: &Boundary| {
            let other = boundary.shortfall(mode, ChangeKind::SwitchVaultMode, &[vault], None);
            other.or_else(|| {
                let lists = boundary.switchable.iter().any(|entry| entry.vault == *vault);
                let name = &boundary.name;
                (!lists).then(|| format!("boundary `{name}` does not say `switch: WhenSafe` of `{}`", vault.name()))
            })
        };
        let mut waived = Vec::new();
        let mut reasons = Vec::new();
        for boundary in boundaries {
            match shortfall(boundary) {
                Some(reason) => reasons.push(reason),
                None => {
                    let entries = boundary.switchable.iter().filter(|entry| entry.vault == *vault);
                    let waivers = entries.flat_map(|entry| &entry.waivers).filter(|waiver| today <= waiver.until);
                    waived.push(waivers.map(|waiver| waiver.object).collect());
                }
            }
        }
        if waived.is_empty() { Err(Refusal::none_of(reasons)) } else { Ok(waived) }
    }
}
