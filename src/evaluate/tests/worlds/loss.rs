//! What can be taken away from a world: readings that fail, and what Azure leaves out without saying so.

use std::{collections::BTreeSet, sync::Arc};

use proptest::{prelude::*, sample::select};

use super::network::resources;
use crate::{
    evaluate::fixtures::{World, failure, now, present},
    model::{
        Evidence, FailureClass, Reading, Scope, Source,
        network::{Firewall, PublicAccess, Rules},
    },
    policy::{
        Policy,
        fixtures::{OTHER_SUBSCRIPTION, SUBSCRIPTION},
    },
};

/// A reading, or several of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loss {
    Target,
    Identities,
    Vaults,
    Access(&'static str),
    Witness(usize),
    Groups,
    Settings,
    References,
    Resources,
    History,
    Host,
    Firewall(usize),
    Outbound,
    Subnets,
    /// The app's network, private endpoints, their zones, and what those are linked to.
    Ways(usize),
    Evidence,
    /// What the sources of triggers had.
    Work,
    Told(Source),
}

pub type Losses = BTreeSet<Loss>;

fn all() -> Vec<Loss> {
    let single = [
        Loss::Target,
        Loss::Identities,
        Loss::Vaults,
        Loss::Access(SUBSCRIPTION),
        Loss::Access(OTHER_SUBSCRIPTION),
        Loss::Groups,
        Loss::Settings,
        Loss::References,
        Loss::Resources,
        Loss::History,
        Loss::Host,
        Loss::Outbound,
        Loss::Subnets,
        Loss::Evidence,
        Loss::Work,
    ];
    let told = Source::ALL.map(Loss::Told);
    let firewalls = (0..resources().len()).map(Loss::Firewall);
    let ways = (0..4).map(Loss::Ways);
    let witnesses = (0..4).map(Loss::Witness);
    single.into_iter().chain(told).chain(firewalls).chain(ways).chain(witnesses).collect()
}

/// One or several.
pub fn losses() -> impl Strategy<Value = Losses> {
    let any = prop::collection::btree_set(select(all()), 2..6);
    prop_oneof![3 => select(all()).prop_map(|one| Losses::from([one])), 2 => any]
}

/// What Azure may leave out without a word, and the product promises to notice: grants where the right to read them is
/// not shown, what a list does not have of a firewall, and telemetry that was never sent.
pub fn silences() -> impl Strategy<Value = Losses> {
    let is_silent = |loss: &Loss| {
        matches!(
            loss,
            Loss::Access(_) | Loss::Firewall(_) | Loss::Evidence | Loss::Work | Loss::Told(_) | Loss::History
        )
    };
    let all: Vec<_> = all().into_iter().filter(is_silent).collect();
    prop::collection::btree_set(select(all), 1..4)
}

/// What becomes of a reading.
#[derive(Clone, Copy)]
enum Gone {
    Fails,
    FindsNothing,
}

impl Gone {
    fn take<T>(self, reading: &mut Reading<T>) {
        match self {
            Self::Fails => lose(reading),
            Self::FindsNothing => silence(reading),
        }
    }
}

/// Fails.
fn lose<T>(reading: &mut Reading<T>) {
    *reading = Reading::Unreadable(failure(FailureClass::Denied, "AuthorizationFailed"));
}

/// Finds nothing.
fn silence<T>(reading: &mut Reading<T>) {
    *reading = Reading::Absent { at: now() };
}

/// What one source of telemetry told, or what the sources of triggers had.
fn lose_told(seen: &mut Option<Reading<Arc<Evidence>>>, loss: Loss, gone: Gone) {
    each_told(seen, |evidence| match loss {
        Loss::Work => {
            let sources = evidence.sources.iter_mut();
            sources.flat_map(|sources| sources.had.values_mut()).for_each(|had| gone.take(had));
        }
        Loss::Told(Source::DependencyFailures) => gone.take(&mut evidence.dependencies),
        Loss::Told(Source::CredentialTraces) => gone.take(&mut evidence.credentials),
        Loss::Told(Source::Invocations) => gone.take(&mut evidence.invocations),
        Loss::Told(Source::HostTraces) => gone.take(&mut evidence.host),
        Loss::Told(Source::FailureSeries) => gone.take(&mut evidence.series),
        Loss::Told(Source::Recovery) => gone.take(&mut evidence.recovery),
        Loss::Told(Source::RefusedPrincipals) => gone.take(&mut evidence.refused),
        _ => {}
    });
}

/// The world, of which that could not be read. What nobody asked about stays so.
pub fn without(world: &World, policy: &Policy, losses: &Losses) -> World {
    let mut world = world.clone();
    let scopes: Vec<&Scope> = policy.scopes().into_iter().collect();
    let seen = &mut world.observed;
    for loss in losses {
        match *loss {
            Loss::Target => lose(&mut seen.target),
            Loss::Identities => seen.user.values_mut().for_each(lose),
            Loss::Vaults => seen.vaults.values_mut().for_each(lose),
            Loss::Access(subscription) => seen.access.get_mut(subscription).into_iter().for_each(lose),
            Loss::Witness(at) => {
                let scope = scopes[at % scopes.len()].clone();
                seen.unwitnessed.insert(scope, failure(FailureClass::Denied, "Unwitnessed"));
            }
            Loss::Groups => seen.through_groups.values_mut().for_each(lose),
            Loss::Settings => seen.settings.iter_mut().for_each(lose),
            Loss::References => seen.references.iter_mut().for_each(lose),
            Loss::Resources => seen.resources.values_mut().for_each(lose),
            Loss::History => seen.history.values_mut().for_each(lose),
            Loss::Host => seen.host.iter_mut().for_each(|host| lose(&mut host.started)),
            Loss::Firewall(at) => seen.network.firewalls.get_mut(&resources()[at]).into_iter().for_each(lose),
            Loss::Outbound => seen.network.outbound.iter_mut().for_each(lose),
            Loss::Subnets => seen.network.subnets.values_mut().for_each(lose),
            Loss::Ways(0) => seen.network.networks.values_mut().for_each(lose),
            Loss::Ways(1) => seen.network.endpoints.values_mut().for_each(lose),
            Loss::Ways(2) => seen.network.zones.values_mut().for_each(lose),
            Loss::Ways(_) => seen.network.links.values_mut().for_each(lose),
            Loss::Evidence => seen.evidence.iter_mut().for_each(lose),
            Loss::Work | Loss::Told(_) => lose_told(&mut seen.evidence, *loss, Gone::Fails),
        }
    }
    world
}

/// The world, of which Azure leaves that out without saying so.
pub fn silenced(world: &World, policy: &Policy, losses: &Losses) -> World {
    let mut world = world.clone();
    let seen = &mut world.observed;
    for loss in losses {
        match *loss {
            Loss::Access(subscription) => {
                if let Some(Reading::Present { value, .. }) = seen.access.get_mut(subscription) {
                    Arc::make_mut(value).grants.clear();
                }
                let hidden = policy.scopes().into_iter().filter(|scope| scope.subscription() == Some(subscription));
                let why = || failure(FailureClass::Denied, "Unwitnessed");
                seen.unwitnessed.extend(hidden.map(|scope| (scope.clone(), why())));
            }
            Loss::Firewall(at) => {
                if let Some(Reading::Present { value, .. }) = seen.network.firewalls.get_mut(&resources()[at]) {
                    *value = listed();
                }
            }
            Loss::History => seen.history.values_mut().for_each(|changes| *changes = present(Arc::default())),
            Loss::Evidence => seen.evidence.iter_mut().for_each(silence),
            Loss::Work | Loss::Told(_) => lose_told(&mut seen.evidence, *loss, Gone::FindsNothing),
            _ => {}
        }
    }
    world
}

/// The firewall as a list may show it that has next to nothing of it: closed, and of nobody's use.
fn listed() -> Firewall {
    Firewall {
        public: PublicAccess::Off,
        rules: Rules::Closed { subnets: BTreeSet::new(), others: false },
        private_endpoints: BTreeSet::new(),
        keys_off: true,
        out_of_service: Some("Deleting".to_owned()),
        is_whole: false,
    }
}

pub fn each_told(seen: &mut Option<Reading<Arc<Evidence>>>, change: impl FnOnce(&mut Evidence)) {
    if let Some(Reading::Present { value, .. }) = seen {
        change(Arc::make_mut(value));
    }
}
