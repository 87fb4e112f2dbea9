//! Firewalls and what surrounds them: lists that all policies share, and looks at one thing by itself.

mod private;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};

use super::{Surveys, reading, shared::Readings};
use crate::{
    azure::{Azure, RuleSet},
    clock::Clock,
    model::{
        AWAITS_TURN, Failure, FailureClass, NetworkQuestion, Observed, Reading, Scope,
        network::{Firewall, Outbound, PrivateEndpoint, Rules, Subnet, VirtualNetwork},
    },
};
use private::PrivateReadings;

/// How long what was read counts for a policy that is in order. Firewalls change seldom, and a thousand policies in order
/// may take a hundred reads together in a sweep.
const KEEP: SignedDuration = SignedDuration::from_hours(1);

/// How long what no list shows counts for such a policy, and how much of it is read in ten minutes: the rules of a
/// namespace, a private endpoint, its zones, a zone's links and a virtual network each take a read of their own. A thousand
/// namespaces are seen in nine hours.
const KEEP_UNLISTED: SignedDuration = SignedDuration::from_hours(24);
const UNLISTED_AT_ONCE: usize = 20;
const UNLISTED_WITHIN: SignedDuration = SignedDuration::from_mins(10);

/// The firewalls of a type in a subscription.
type Listed = Reading<Arc<BTreeMap<Scope, Firewall>>>;

/// What was read of networks.
#[derive(Debug)]
pub(super) struct NetworkReadings {
    clock: Clock,
    /// By subscription and type.
    listed: Readings<(String, String), Listed>,
    rules: Readings<Scope, Reading<RuleSet>>,
    subnets: Readings<Scope, Reading<Subnet>>,
    firewalls: Readings<Scope, Reading<Firewall>>,
    outbound: Readings<Scope, Reading<Outbound>>,
    private: PrivateReadings,
    turns: Turns,
    /// Nothing read before this moment counts, by subscription: somebody asked for another look.
    not_before: Mutex<BTreeMap<String, Timestamp>>,
}

impl NetworkReadings {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            listed: Readings::new(clock, KEEP),
            rules: Readings::new(clock, KEEP),
            subnets: Readings::new(clock, KEEP),
            firewalls: Readings::new(clock, KEEP),
            outbound: Readings::new(clock, KEEP),
            private: PrivateReadings::new(clock),
            turns: Turns::new(clock),
            not_before: Mutex::default(),
        }
    }

    /// Makes the next looks at networks of that subscription new ones.
    pub(super) fn outdate(&self, subscription: &str) {
        let mut all = self.not_before.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(subscription.to_owned(), self.clock.now());
    }

    fn not_before(&self, subscription: &str) -> Timestamp {
        let all = self.not_before.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(subscription).copied().unwrap_or(Timestamp::MIN)
    }

    /// What a list shows of a firewall. What it leaves out, we may not see, or is not there.
    async fn listed(&self, azure: &Azure, resource: &Scope, not_before: Timestamp) -> Reading<Firewall> {
        let kind = resource.resource_type().unwrap_or_default();
        let key = (resource.subscription().unwrap_or_default().to_owned(), kind.to_ascii_lowercase());
        let read = async || match azure.firewalls(&key.0, &kind).await {
            Ok(all) => Reading::Present { value: Arc::new(all.into_iter().collect()), at: self.clock.now() },
            Err(failure) => Reading::Unreadable(failure),
        };
        match self.listed.get(&key, not_before, passing, read).await {
            Reading::Present { value, at } => match value.get(resource) {
                Some(firewall) => Reading::Present { value: firewall.clone(), at },
                None => super::not_listed(),
            },
            Reading::Absent { at } => Reading::Absent { at },
            Reading::Unreadable(failure) => Reading::Unreadable(failure),
        }
    }

    async fn rules(&self, azure: &Azure, namespace: &Scope, not_before: Timestamp, open: bool) -> Reading<RuleSet> {
        let read = async || reading(self.clock, azure.rule_set(namespace).await.map(Some));
        unlisted(&self.rules, &self.turns, &NetworkQuestion::Rules(namespace.clone()), not_before, open, read).await
    }

    async fn subnet(&self, azure: &Azure, id: &Scope, not_before: Timestamp) -> Reading<Subnet> {
        let read = async || reading(self.clock, azure.subnet(id).await);
        self.subnets.get(id, not_before, passing, read).await
    }
}

/// Whose turn it is to be read of what no list shows.
#[derive(Debug)]
struct Turns {
    clock: Clock,
    /// Since when reads are counted, and of what.
    counted: Mutex<(Timestamp, BTreeSet<NetworkQuestion>)>,
}

impl Turns {
    fn new(clock: Clock) -> Self {
        Self { clock, counted: Mutex::new((Timestamp::MIN, BTreeSet::new())) }
    }

    fn has(&self, question: &NetworkQuestion) -> bool {
        let now = self.clock.now();
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, read) = &mut *counted;
        if now.duration_since(*since) >= UNLISTED_WITHIN {
            *since = now;
            read.clear();
        }
        if read.len() < UNLISTED_AT_ONCE {
            read.insert(question.clone());
        }
        read.contains(question)
    }
}

/// How long it counts. Who may read now what was refused, or added a zone or a link where there was none, should not wait
/// for a day.
fn keep<T: Unlisted>(reading: &Reading<T>) -> SignedDuration {
    if reading.present().is_some_and(|value| !value.is_nothing()) { KEEP_UNLISTED } else { KEEP }
}

/// What no list shows.
trait Unlisted: Clone {
    /// Whether it is a list that is empty.
    fn is_nothing(&self) -> bool {
        false
    }
}

impl Unlisted for RuleSet {}
impl Unlisted for VirtualNetwork {}
impl Unlisted for PrivateEndpoint {}
impl Unlisted for BTreeSet<Scope> {
    fn is_nothing(&self) -> bool {
        self.is_empty()
    }
}

/// What no list shows. For a policy in order whatever is known, when it is not its turn.
async fn unlisted<T: Unlisted>(
    readings: &Readings<Scope, Reading<T>>,
    turns: &Turns,
    question: &NetworkQuestion,
    not_before: Timestamp,
    open: bool,
    read: impl AsyncFnOnce() -> Reading<T>,
) -> Reading<T> {
    let about = question.about();
    if !open {
        let known = readings.known(about).await.filter(|(_, value)| passing(value).is_none());
        match known {
            Some((began, value)) if began >= not_before && turns.clock.now().duration_since(began) < keep(&value) => {
                return value;
            }
            Some((_, value)) if !turns.has(question) => return value,
            None if !turns.has(question) => {
                let text = format!("it is not the turn of {about} yet");
                return Reading::Unreadable(Failure::new(FailureClass::Throttled, AWAITS_TURN, text));
            }
            Some(_) | None => {}
        }
    }
    readings.get(about, not_before, passing, read).await
}

/// A failure that passes. A refusal counts as long as an answer, or each pass would ask again.
fn passing<T>(reading: &Reading<T>) -> Option<&Failure> {
    let passes = |failure: &&Failure| matches!(failure.class, FailureClass::Transient | FailureClass::Throttled);
    reading.unreadable().filter(passes)
}

/// Adds what was asked of the network between an app and what it uses. `open`: something is wrong with the policy, and what
/// is read may not be older than the survey.
pub async fn ask_network(
    azure: &Azure,
    surveys: &Surveys,
    target: &Scope,
    observed: &mut Observed,
    questions: &BTreeSet<NetworkQuestion>,
    open: bool,
) {
    let networks = &surveys.network;
    for question in questions {
        let about = question.about();
        let subscription = about.subscription().unwrap_or_default();
        let mut not_before = networks.not_before(subscription);
        // What is told to be wrong is as young as the survey. A list only says where to look.
        let is_young = match question {
            NetworkQuestion::Listed(_) => false,
            NetworkQuestion::Rules(_)
            | NetworkQuestion::Network(_)
            | NetworkQuestion::Endpoint(_)
            | NetworkQuestion::Zones(_)
            | NetworkQuestion::Links(_) => open,
            // Asked after the app was confirmed, it decides what is told.
            NetworkQuestion::Subnet(_) => open || observed.network.outbound.is_some(),
            NetworkQuestion::Confirm(_) => true,
        };
        if is_young {
            not_before = not_before.max(surveys.of(azure, subscription, None).await.began);
        }
        if !look(azure, networks, target, observed, question, not_before, open).await {
            // A refusal or a gap is asked about again with every survey, not kept as long as an answer.
            not_before = not_before.max(surveys.of(azure, subscription, None).await.began);
            look(azure, networks, target, observed, question, not_before, open).await;
        }
    }
}

/// Looks at what one question is about, and tells whether there was an answer.
async fn look(
    azure: &Azure,
    networks: &NetworkReadings,
    target: &Scope,
    observed: &mut Observed,
    question: &NetworkQuestion,
    not_before: Timestamp,
    open: bool,
) -> bool {
    match question {
        NetworkQuestion::Listed(resource) => {
            let firewall = networks.listed(azure, resource, not_before).await;
            let answered = firewall.present().is_some();
            observed.network.firewalls.insert(resource.clone(), firewall);
            answered
        }
        NetworkQuestion::Rules(namespace) => {
            let answer = networks.rules(azure, namespace, not_before, open).await;
            let Some(Reading::Present { value: firewall, .. }) = observed.network.firewalls.get_mut(namespace) else {
                return true;
            };
            match answer {
                Reading::Present { value, .. } => {
                    value.put_into(firewall);
                    true
                }
                Reading::Unreadable(failure) if failure.code == AWAITS_TURN => {
                    firewall.rules = Rules::Waits;
                    false
                }
                Reading::Absent { .. } | Reading::Unreadable(_) => {
                    firewall.rules = Rules::Unknown;
                    false
                }
            }
        }
        NetworkQuestion::Subnet(id) => {
            let subnet = networks.subnet(azure, id, not_before).await;
            let answered = subnet.present().is_some();
            observed.network.subnets.insert(id.clone(), subnet);
            answered
        }
        NetworkQuestion::Network(_)
        | NetworkQuestion::Endpoint(_)
        | NetworkQuestion::Zones(_)
        | NetworkQuestion::Links(_) => {
            networks.private.look(azure, &networks.turns, &mut observed.network, question, not_before, open).await;
            // A refusal counts for an hour: an endpoint of another tenant is refused for ever.
            true
        }
        NetworkQuestion::Confirm(resource) => {
            let read = async || reading(networks.clock, azure.firewall(resource).await);
            let firewall = networks.firewalls.get(resource, not_before, passing, read).await;
            observed.network.firewalls.insert(resource.clone(), firewall);
            let read = async || reading(networks.clock, azure.outbound(target).await);
            let outbound = networks.outbound.get(target, not_before, passing, read).await;
            observed.network.outbound = Some(outbound);
            for (id, subnet) in &mut observed.network.subnets {
                *subnet = networks.subnet(azure, id, not_before).await;
            }
            true
        }
    }
}
