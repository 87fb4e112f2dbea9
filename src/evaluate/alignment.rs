//! What becomes of everybody who uses a vault when roles decide there instead of access policies.
//!
//! Whoever an access policy lets in must be let in by roles already, as far as it goes and certain to act, and so must
//! whoever a policy declares. What cannot be told stands in the way.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use jiff::Timestamp;

use super::{
    Access, DecidingGrant, Finding,
    access::{Question, evaluate_requirement},
    identity,
    operation::{Operation, operations},
};
use crate::{
    catalog::{
        built_in,
        vault::{VaultPermission, permissions},
    },
    model::{
        AccessEntry, DenyAssignment, Failure, FailureClass, Grant, Observed, PrincipalId, Reading, Role, Scope,
        SubscriptionAccess, Vault, pattern,
    },
    policy::{Claim, Claims, Identity, Origin, Policy, VaultRequirement},
};

/// What a switch of one vault to role assignments would do.
#[derive(Clone, Debug)]
pub struct Alignment {
    /// The vault as it was seen.
    pub seen: Box<Vault>,
    /// When this was judged.
    pub at: Timestamp,
    /// Everybody who uses it, by its access policies or by what policies declare.
    pub consumers: Vec<Consumer>,
    /// What this policy itself needs there and no role gives: the findings that it would have.
    pub lacking: Vec<Finding>,
    /// The principals behind this policy's own identities.
    pub own: BTreeMap<Identity, PrincipalId>,
    /// What of Azure the judgement rests on, besides the vault.
    pub grounds: Grounds,
}

/// Somebody who uses the vault.
#[derive(Clone, Debug, PartialEq)]
pub struct Consumer {
    /// Who; none for an identity of which no principal is known.
    pub object: Option<PrincipalId>,
    /// A policy declares it: nobody can waive that.
    pub declared: bool,
    /// How it would fare.
    pub fate: Fate,
}

/// How somebody fares when roles decide.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// Keeps all that it has.
    Keeps,
    /// Will keep it, from that time on.
    KeepsFrom(Timestamp),
    /// May lose something.
    Loses(Gap),
}

/// Why somebody may lose access.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gap {
    /// These roles are missing.
    Lacks(Vec<String>),
    /// A deny assignment keeps it out.
    Denied,
    /// What it holds cannot be judged.
    Undecided,
    /// Its entry counts together with an application only.
    Compound,
    /// Its entry is of another directory.
    Foreign,
    /// It may do what no role stands for, in the words of access policies.
    Unmapped(String),
}

/// What a judgement rests on: each of it has to be there still when something is written because of it.
#[derive(Clone, Debug, Default)]
pub struct Grounds {
    /// The grants that let their own principal in, each with whether a policy declares it.
    pub grants: Vec<Relied>,
    /// Their roles.
    pub roles: Vec<Role>,
    /// All deny assignments over the vault.
    pub denies: Vec<DenyAssignment>,
}

/// A grant by which somebody gets in.
#[derive(Clone, Debug, PartialEq)]
pub struct Relied {
    /// A policy declares what it gives.
    pub declared: bool,
    /// The grant.
    pub grant: Grant,
}

/// Judges a switch of that vault. `claims`: what the other live policies need of it. Collects in `ask_groups` whose
/// memberships could decide. Fails when too little was read to begin.
pub fn align(
    policy: &Policy,
    vault: &Scope,
    claims: &Claims,
    observed: &Observed,
    now: Timestamp,
    ask_groups: &mut BTreeSet<(PrincipalId, String)>,
) -> Result<Alignment, Failure> {
    let access = observed.access_at(vault)?;
    let shown = observed.vaults.get(vault).and_then(Reading::present);
    let not_shown = || {
        let text = format!("Azure did not show the access policies of vault `{}`", vault.name());
        Failure::new(FailureClass::Rejected, "NotShown", text)
    };
    let seen = shown.filter(|seen| seen.tenant.is_some() && seen.entries.is_some()).ok_or_else(not_shown)?;
    let asked = RefCell::default();
    let mut judge =
        Judge { vault, access, observed, now, ask_groups: &asked, consumers: Vec::new(), relied: Vec::new() };
    for entry in seen.entries.iter().flatten() {
        judge.entry(seen, entry);
    }
    for claim in &claims.needs {
        judge.claim(policy, claim);
    }
    let (lacking, own) = judge.own(policy);
    let Judge { consumers, relied, .. } = judge;
    ask_groups.extend(asked.into_inner());
    let roles: BTreeSet<_> = relied.iter().map(|relied| relied.grant.role).collect();
    let roles = roles.iter().filter_map(|role| access.roles.get(role)).cloned().collect();
    let denies = access.denies.iter().filter(|deny| deny.scope.reaches(vault)).cloned().collect();
    let grounds = Grounds { grants: relied, roles, denies };
    Ok(Alignment { seen: Box::new(seen.clone()), at: now, consumers, lacking, own, grounds })
}

struct Judge<'a> {
    vault: &'a Scope,
    access: &'a SubscriptionAccess,
    observed: &'a Observed,
    now: Timestamp,
    ask_groups: &'a RefCell<BTreeSet<(PrincipalId, String)>>,
    consumers: Vec<Consumer>,
    relied: Vec<Relied>,
}

impl Judge<'_> {
    /// What an access policy lets somebody do.
    fn entry(&mut self, vault: &Vault, entry: &AccessEntry) {
        let fate = if entry.permissions.values().all(BTreeSet::is_empty) {
            return;
        } else if entry.compound {
            Fate::Loses(Gap::Compound)
        } else if !vault.counts(entry) {
            Fate::Loses(Gap::Foreign)
        } else {
            match rows(entry) {
                Err(unmapped) => Fate::Loses(Gap::Unmapped(unmapped)),
                Ok(rows) => self.by_rights(entry.object, &rows),
            }
        };
        self.consumers.push(Consumer { object: Some(entry.object), declared: false, fate });
    }

    fn by_rights(&mut self, object: PrincipalId, rows: &[&'static VaultPermission]) -> Fate {
        let mut fate = Fate::Keeps;
        let mut lacking: Vec<&VaultPermission> = Vec::new();
        for row in rows {
            let operation = Operation { data: true, pattern: certain(row), except: Vec::new() };
            let answer = self.question(object).answer(&[vec![vec![operation]]]);
            if matches!(answer, Access::Missing(_)) {
                lacking.push(row);
            } else {
                fate = worse(fate, self.fate(object, false, &answer, String::new));
            }
        }
        if lacking.is_empty() { fate } else { worse(fate, Fate::Loses(Gap::Lacks(fewest_roles(&lacking)))) }
    }

    /// What another live policy declares.
    fn claim(&mut self, own: &Policy, claim: &Claim) {
        let requirement = &claim.requirement;
        let is_of_vault = requirement.origins.iter().any(|origin| matches!(origin, Origin::Vault(_)));
        if !is_of_vault || requirement.scope != *self.vault || claim.policy == own.full_name() {
            return;
        }
        let fate = match (claim.principal, operations(&requirement.wanted, self.access)) {
            (Some(principal), Some((role, asked))) => {
                let answer = self.question(principal).answer(&asked);
                self.fate(principal, true, &answer, || role.name.clone())
            }
            (None, _) | (_, None) => Fate::Loses(Gap::Undecided),
        };
        self.consumers.push(Consumer { object: claim.principal, declared: true, fate });
    }

    /// What the policy itself declares: the findings about what it lacks, and whose principals it speaks of.
    fn own(&mut self, policy: &Policy) -> (Vec<Finding>, BTreeMap<Identity, PrincipalId>) {
        let site = self.observed.target.present();
        let principals = identity::principals(policy, self.observed, site, &mut Vec::new());
        let mut findings = Vec::new();
        let mut own = BTreeMap::new();
        let needs = policy.vaults.iter().filter(|required| required.vault == *self.vault);
        for requirement in needs.flat_map(VaultRequirement::needs) {
            let evaluated = evaluate_requirement(
                &requirement,
                &principals,
                self.observed,
                self.now,
                self.ask_groups,
                &mut findings,
            );
            let fate = match evaluated.principal {
                Some(principal) => {
                    own.insert(requirement.identity.clone(), principal);
                    self.fate(principal, true, &evaluated.access, || evaluated.role.clone())
                }
                None => Fate::Loses(Gap::Undecided),
            };
            self.consumers.push(Consumer { object: evaluated.principal, declared: true, fate });
        }
        findings.retain(|finding| matches!(finding, Finding::RoleMissing { .. }));
        (findings, own)
    }

    fn question(&self, principal: PrincipalId) -> Question<'_> {
        let Self { vault: scope, access, observed, now, ask_groups, .. } = *self;
        Question { principal, scope, access, observed, now, ended_by: None, ask_groups }
    }

    fn fate(&mut self, by: PrincipalId, declared: bool, answer: &Access, role: impl FnOnce() -> String) -> Fate {
        match answer {
            Access::Satisfied(grants) => self.rely(by, declared, grants),
            Access::Propagating { until, .. } => Fate::KeepsFrom(*until),
            Access::Missing(_) => Fate::Loses(Gap::Lacks(vec![role()])),
            Access::Denied(_) => Fate::Loses(Gap::Denied),
            Access::Unknown(_) | Access::NoPrincipal | Access::NoResource => Fate::Loses(Gap::Undecided),
        }
    }

    /// A grant of which Azure does not say when it was made is not certain to act. Nor is a group's, for who may be a member
    /// since today: the token that an app holds has the groups of up to a day ago ([`clocks`](crate::catalog::clocks)).
    fn rely(&mut self, by: PrincipalId, declared: bool, grants: &[DecidingGrant]) -> Fate {
        for deciding in grants {
            let found = self.access.grants.iter().find(|grant| grant.id == deciding.id);
            let Some(grant) = found.filter(|grant| deciding.acts_from.is_some() && grant.principal == by) else {
                return Fate::Loses(Gap::Undecided);
            };
            let relied = Relied { declared, grant: grant.clone() };
            if !self.relied.contains(&relied) {
                self.relied.push(relied);
            }
        }
        Fate::Keeps
    }
}

/// The rows of the catalog that an entry's permissions stand for, one for each right; the permission for which there is
/// none, if any.
fn rows(entry: &AccessEntry) -> Result<Vec<&'static VaultPermission>, String> {
    let mut rows: Vec<&'static VaultPermission> = Vec::new();
    for (on, words) in &entry.permissions {
        for word in words {
            let is_meant = |row: &&VaultPermission| {
                row.kind.name().eq_ignore_ascii_case(on)
                    && (word.eq_ignore_ascii_case("all") || word.eq_ignore_ascii_case(&row.permission))
            };
            let mut meant = permissions().iter().filter(is_meant).peekable();
            if meant.peek().is_none() {
                return Err(format!("{word} {on}"));
            }
            for row in meant {
                if !rows.iter().any(|known| known.right == row.right) {
                    rows.push(row);
                }
            }
        }
    }
    Ok(rows)
}

/// What certainly includes the row's right. The name of one that was only inferred may be another.
fn certain(row: &VaultPermission) -> String {
    if row.certain {
        return row.right.clone();
    }
    let kind: Vec<_> = row.right.split('/').take(3).collect();
    format!("{}/*", kind.join("/"))
}

/// The roles behind what is missing, without those that another one of them makes needless.
fn fewest_roles(lacking: &[&VaultPermission]) -> Vec<String> {
    let mut roles: BTreeSet<&str> = lacking.iter().map(|row| row.role.as_str()).collect();
    let gives_all = |role: &str, of: &str| {
        let rights = built_in(role).map(|role| role.data_actions.as_slice()).unwrap_or_default();
        let mut rows = lacking.iter().filter(|row| row.role == of);
        rows.all(|row| rights.iter().any(|own| pattern::covers(own, &row.right)))
    };
    for role in roles.clone() {
        if roles.iter().any(|other| *other != role && gives_all(other, role)) {
            roles.remove(role);
        }
    }
    roles.into_iter().map(str::to_owned).collect()
}

/// What becomes of somebody to whom both happens.
fn worse(one: Fate, other: Fate) -> Fate {
    match (one, other) {
        (Fate::Loses(one), Fate::Loses(other)) => Fate::Loses(one.min(other)),
        (loses @ Fate::Loses(_), _) | (_, loses @ Fate::Loses(_)) => loses,
        (Fate::KeepsFrom(one), Fate::KeepsFrom(other)) => Fate::KeepsFrom(one.max(other)),
        (Fate::KeepsFrom(at), Fate::Keeps) | (Fate::Keeps, Fate::KeepsFrom(at)) => Fate::KeepsFrom(at),
        (Fate::Keeps, Fate::Keeps) => Fate::Keeps,
    }
}
