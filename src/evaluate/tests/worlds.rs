//! Whole worlds, drawn from few values, so that near misses and collisions are common.

pub mod grants;
pub mod loss;
mod network;
mod settings;
mod telemetry;

use std::sync::Arc;

use proptest::{prelude::*, sample::select};

pub use self::telemetry::evidence;
use self::{
    grants::{DrawnGrant, add, grants},
    settings::Mistake,
};
use crate::{
    api::{NetworkCheck, Settings, StorageAuth},
    evaluate::fixtures::{
        FORMER, GROUP, SHARED, STRANGER, SYSTEM, World, access_entry, data, minutes_ago, now, present, principal,
        role_id,
    },
    model::{
        AppSettings, Attachment, Change, Denied, Evidence, Granted, History, HostSeen, Reading, Scope, SystemAssigned,
        VaultMode, VaultReference,
        network::{NetworkSeen, Outbound},
    },
    policy::{
        Policy, Wanted,
        fixtures::{OTHER_SUBSCRIPTION, SUBSCRIPTION, app, host_account, kv, policy, queue, shared, trigger, vault},
    },
};

/// A policy and what was seen of its world.
#[derive(Clone, Debug)]
pub struct Drawn {
    declared: Declared,
    identities: Identities,
    grants: (Held, Vec<DrawnGrant>),
    vault: SeenVault,
    network: (Outbound, NetworkSeen),
    mistakes: Vec<Mistake>,
    evidence: Option<Evidence>,
    asked: Asked,
}

#[derive(Clone, Debug)]
struct Declared {
    only_vault: bool,
    by_key: bool,
    settings: Settings,
    network: NetworkCheck,
    references: &'static str,
    mode: &'static str,
}

#[derive(Clone, Debug)]
struct Identities {
    target: Seen,
    stopped: bool,
    system: SystemAssigned,
    /// The principal that the site has of `shared`; the outer one is none where it is not attached.
    attached: Option<Option<&'static str>>,
    shared: Seen,
    references: Option<Scope>,
}

/// Of what is declared.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Held {
    Nothing,
    Young,
    /// And a group holds the same, for long.
    YoungBesideGroup,
    Old,
}

/// What an answer says of a thing.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Seen {
    There,
    NotFilledIn,
    Gone,
}

#[derive(Clone, Debug)]
struct SeenVault {
    seen: Seen,
    mode: Option<VaultMode>,
    /// Whose entry it has; the outer one is none where none is shown.
    entry: Option<Option<&'static str>>,
    changed: Option<i64>,
}

/// What is asked when something is wrong.
#[derive(Clone, Debug)]
struct Asked {
    references: Option<Vec<VaultReference>>,
    changes: Option<Vec<Change>>,
    /// Each resource that is called: not asked, there, gone.
    resources: Vec<Option<bool>>,
    /// Whether whoever is asked about is in the group; none where nobody is.
    member: Option<bool>,
    denied: Option<Denied>,
    host: Option<i64>,
}

pub fn worlds() -> impl Strategy<Value = Drawn> {
    let network = network::outbound().prop_flat_map(|outbound| {
        let seen = network::network(outbound.clone());
        (Just(outbound), seen)
    });
    let parts = (
        declared(),
        identities(),
        (select(vec![Held::Nothing, Held::Old, Held::Old, Held::Young, Held::YoungBesideGroup]), grants()),
        seen_vault(),
        network,
        settings::mistakes(),
        prop::option::weighted(0.6, evidence()),
        asked(),
    );
    parts.prop_map(|(declared, identities, grants, vault, network, mistakes, evidence, asked)| Drawn {
        declared,
        identities,
        grants,
        vault,
        network,
        mistakes,
        evidence,
        asked,
    })
}

fn declared() -> impl Strategy<Value = Declared> {
    let inspects = prop::bool::weighted(0.7);
    let choices = (select(vec!["", "shared", "system"]), select(vec!["RBAC", "RBAC", "AccessPolicy"]));
    let flags = (prop::bool::weighted(0.1), prop::bool::weighted(0.2), prop::bool::weighted(0.1));
    (flags, inspects, choices).prop_map(|((only_vault, by_key, ignores), inspects, (references, mode))| Declared {
        only_vault,
        by_key,
        settings: if inspects { Settings::Inspect } else { Settings::Never },
        network: if ignores { NetworkCheck::Ignore } else { NetworkCheck::Check },
        references,
        mode,
    })
}

fn identities() -> impl Strategy<Value = Identities> {
    let seen = || prop_oneof![12 => Just(Seen::There), 1 => Just(Seen::NotFilledIn), 1 => Just(Seen::Gone)];
    let on = || Just(SystemAssigned::On(principal(SYSTEM)));
    let system = prop_oneof![8 => on(), 1 => Just(SystemAssigned::Off), 1 => Just(SystemAssigned::Unfilled)];
    let attached = prop_oneof![
        8 => Just(Some(Some(SHARED))),
        1 => Just(Some(Some(FORMER))),
        1 => Just(Some(None)),
        1 => Just(None)
    ];
    let references = prop_oneof![3 => Just(Some(shared())), 2 => Just(None)];
    (seen(), prop::bool::weighted(0.05), system, attached, seen(), references).prop_map(
        |(target, stopped, system, attached, shared, references)| Identities {
            target,
            stopped,
            system,
            attached,
            shared,
            references,
        },
    )
}

fn seen_vault() -> impl Strategy<Value = SeenVault> {
    let seen = prop_oneof![9 => Just(Seen::There), 1 => Just(Seen::Gone)];
    let mode = select(vec![None, None, None, Some(VaultMode::Rbac), Some(VaultMode::AccessPolicy)]);
    let entry = select(vec![Some(Some(SHARED)), Some(Some(GROUP)), Some(Some(STRANGER)), Some(None), None]);
    let changed = select(vec![None, Some(40), Some(2000)]);
    (seen, mode, entry, changed).prop_map(|(seen, mode, entry, changed)| SeenVault { seen, mode, entry, changed })
}

fn asked() -> impl Strategy<Value = Asked> {
    let status = select(vec!["Resolved", "AccessToKeyVaultDenied", "MSINotEnabled", "VaultNotFound", "Later"]);
    let reference = (status, select(vec!["KV-orders", "kv-orders", "kv-of-others"]), 0..3_usize);
    let reference = reference.prop_map(|(status, vault, at)| VaultReference {
        setting: format!("Key{at}"),
        vault: vault.to_owned(),
        status: status.to_owned(),
    });
    let operations = ["Microsoft.Authorization/roleAssignments/delete", "Microsoft.Web/sites/write"];
    let change = (select(operations.to_vec()), select(vec![SHARED, SYSTEM, STRANGER]), 1_i64..90);
    let change = change.prop_map(|(operation, who, ago)| Change {
        at: minutes_ago(ago),
        operation: operation.to_owned(),
        resource: queue(),
        grant: Some(Granted { principal: principal(who), role: role_id("Reader"), scope: queue() }),
        correlation: format!("c-{ago}"),
    });
    let existing = prop_oneof![4 => Just(None), 2 => Just(Some(true)), 1 => Just(Some(false))];
    let denied = vec![Denied::Principal(principal(SYSTEM)), Denied::Group(principal(GROUP)), Denied::Unread];
    (
        prop::option::of(prop::collection::vec(reference, 0..3)),
        prop::option::of(prop::collection::vec(change, 0..3)),
        prop::collection::vec(existing, network::resources().len()),
        select(vec![None, Some(false), Some(true), Some(true)]),
        prop::option::weighted(0.2, select(denied)),
        prop::option::weighted(0.3, select(vec![30_i64, 10])),
    )
        .prop_map(|(references, changes, resources, member, denied, host)| Asked {
            references,
            changes,
            resources,
            member,
            denied,
            host,
        })
}

impl Drawn {
    pub fn policy(&self) -> Policy {
        let Declared { only_vault, by_key, settings, network, references, mode } = &self.declared;
        policy(|spec| {
            if *only_vault {
                spec.bindings.clear();
                spec.platform.host_storage = None;
            } else {
                trigger(spec, "clicks", "eventHubTrigger", "hub", "eventhubs/clicks", "system");
                for (binding, connection) in spec.bindings.iter_mut().zip(["Orders", "Clicks"]) {
                    connection.clone_into(&mut binding.connection);
                }
            }
            if let (true, Some(host)) = (by_key, &mut spec.platform.host_storage) {
                (host.auth, host.identity) = (StorageAuth::Key, String::new());
            }
            vault(spec, mode, "shared", &["get", "list"]);
            (spec.settings, spec.network) = (*settings, *network);
            (*references).clone_into(&mut spec.identities.key_vault_references);
        })
    }

    pub fn world(&self, policy: &Policy) -> World {
        let (held, grants) = &self.grants;
        let mut world = match held {
            Held::Nothing => World::without_grants(policy),
            Held::Old | Held::Young | Held::YoungBesideGroup => World::matching(policy),
        };
        if matches!(held, Held::Young | Held::YoungBesideGroup) {
            world.each_list(|access| {
                for grant in access.grants.iter_mut() {
                    grant.changed = Some(minutes_ago(1));
                }
            });
        }
        if *held == Held::YoungBesideGroup {
            for needed in policy.needs() {
                if let Wanted::Need(need) = &needed.wanted {
                    world.group_grant(&need.role, &needed.scope);
                }
            }
        }
        for drawn in grants {
            add(&mut world, drawn);
        }
        let texts = settings::texts(policy, &self.mistakes);
        let texts = texts.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        world.observed.settings = Some(present(Arc::new(AppSettings::read(texts))));
        world.observed.evidence = self.evidence.clone().map(|evidence| present(Arc::new(evidence)));
        world.observed.network = self.network.1.clone();
        self.look_at_the_vault(&mut world);
        self.ask(policy, &mut world);
        self.look_at_identities(&mut world);
        world
    }

    fn look_at_identities(&self, world: &mut World) {
        let Identities { target, stopped, system, attached, shared: seen, references } = &self.identities;
        let site = world.site();
        site.outbound = self.network.0.clone();
        site.system = *system;
        site.reference_identity.clone_from(references);
        site.stopped = stopped.then(|| "Stopped".to_owned());
        match attached {
            None => site.attached.clear(),
            Some(copy) => {
                site.attached.entry(shared()).and_modify(|it: &mut Attachment| it.principal = copy.map(principal));
            }
        }
        match (seen, world.observed.user.get_mut(&shared())) {
            (Seen::Gone, Some(reading)) => *reading = Reading::Absent { at: now() },
            (Seen::NotFilledIn, Some(Reading::Present { value, .. })) => (value.principal, value.client) = (None, None),
            _ => {}
        }
        if *target == Seen::Gone {
            world.observed.target = Reading::Absent { at: now() };
            world.observed.settings = None;
        }
    }

    fn look_at_the_vault(&self, world: &mut World) {
        let SeenVault { seen, mode, entry, changed } = &self.vault;
        let vault = world.vault();
        vault.mode = mode.unwrap_or(vault.mode);
        vault.changed = changed.map(minutes_ago);
        let of = |who: &str| access_entry(principal(who), &[("secrets", &["get", "list"])]);
        vault.entries = entry.map(|who| who.map(of).into_iter().collect());
        if *seen == Seen::Gone {
            world.observed.vaults.insert(kv(), Reading::Absent { at: now() });
            world.observed.network.firewalls.insert(kv(), Reading::Absent { at: now() });
        }
    }

    fn ask(&self, policy: &Policy, world: &mut World) {
        let Asked { references, changes, resources, member, denied, host } = &self.asked;
        world.observed.references = references.clone().map(present);
        if let Some(changes) = changes {
            let whose = [History::Grants(SUBSCRIPTION.to_owned()), History::Resource(app()), History::Resource(kv())];
            let seen = present(Arc::new(changes.clone()));
            world.observed.history = whose.into_iter().map(|history| (history, seen.clone())).collect();
        }
        for (resource, exists) in network::resources().into_iter().zip(resources).filter(|(it, _)| *it != kv()) {
            let Some(exists) = exists else { continue };
            let gone = || Reading::Absent { at: now() };
            if !exists {
                world.observed.network.firewalls.insert(resource.clone(), Reading::Absent { at: now() });
            }
            world.observed.resources.insert(resource, if *exists { present(()) } else { gone() });
        }
        if let Some(denied) = denied {
            world.deny("locked", &host_account(), STRANGER, data(&["*/read"], &[]));
            world.each_list(|access| access.denies.iter_mut().for_each(|deny| deny.principals = vec![*denied]));
        }
        if let Some(member) = member {
            for (list, who) in [SUBSCRIPTION, OTHER_SUBSCRIPTION]
                .into_iter()
                .flat_map(|id| [SHARED, SYSTEM].map(|who| (id.to_owned(), principal(who))))
            {
                let reaching = world.observed.access.get(&list).and_then(Reading::present).into_iter();
                let held = reaching.flat_map(|access| access.grants.of_group(principal(GROUP)));
                let held = held.filter(|_| *member).map(|grant| grant.id.clone()).collect();
                world.observed.through_groups.insert((who, list), present(held));
            }
        }
        let host = host.map(|ago| HostSeen { identity_written: minutes_ago(20), started: present(minutes_ago(ago)) });
        world.observed.host = host.filter(|_| policy.target == app());
    }
}
