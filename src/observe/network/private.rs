//! Looks at private endpoints, at the zones that have their names, and at virtual networks. No list shows any of them together.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{KEEP, Turns, unlisted};
use crate::{
    azure::Azure,
    clock::Clock,
    model::{
        NetworkQuestion, Reading, Scope,
        network::{NetworkSeen, PrivateEndpoint, VirtualNetwork},
    },
    observe::{reading, shared::Readings},
};

/// What was read of them, for all policies.
#[derive(Debug)]
pub(super) struct PrivateReadings {
    clock: Clock,
    networks: Readings<Scope, Reading<VirtualNetwork>>,
    endpoints: Readings<Scope, Reading<PrivateEndpoint>>,
    zones: Readings<Scope, Reading<BTreeSet<Scope>>>,
    links: Readings<Scope, Reading<BTreeSet<Scope>>>,
}

impl PrivateReadings {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            networks: Readings::new(clock, KEEP),
            endpoints: Readings::new(clock, KEEP),
            zones: Readings::new(clock, KEEP),
            links: Readings::new(clock, KEEP),
        }
    }

    /// Adds what a question of them is about. Others are answered elsewhere.
    pub(super) async fn look(
        &self,
        azure: &Azure,
        turns: &Turns,
        seen: &mut NetworkSeen,
        question: &NetworkQuestion,
        not_before: Timestamp,
        open: bool,
    ) {
        let (clock, about) = (self.clock, question.about());
        match question {
            NetworkQuestion::Network(id) => {
                let read = async || reading(clock, azure.virtual_network(id).await);
                let found = unlisted(&self.networks, turns, question, not_before, open, read).await;
                seen.networks.insert(about.clone(), found);
            }
            NetworkQuestion::Endpoint(id) => {
                let read = async || reading(clock, azure.private_endpoint(id).await);
                let found = unlisted(&self.endpoints, turns, question, not_before, open, read).await;
                seen.endpoints.insert(about.clone(), found);
            }
            NetworkQuestion::Zones(id) => {
                let read = async || reading(clock, azure.zones_of(id).await);
                let found = unlisted(&self.zones, turns, question, not_before, open, read).await;
                seen.zones.insert(about.clone(), found);
            }
            NetworkQuestion::Links(id) => {
                let read = async || reading(clock, azure.networks_of(id).await);
                let found = unlisted(&self.links, turns, question, not_before, open, read).await;
                seen.links.insert(about.clone(), found);
            }
            NetworkQuestion::Listed(_)
            | NetworkQuestion::Rules(_)
            | NetworkQuestion::Subnet(_)
            | NetworkQuestion::Confirm(_) => {}
        }
    }
}
