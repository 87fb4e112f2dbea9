//! Which sources of triggers Azure Monitor counts the work of, and by which of its metrics.
//!
//! Left out is what would not tell of work within minutes, or not of the trigger's own. Capacity of storage, and with it
//! `QueueMessageCount`, is refreshed once a day, in steps of an hour, and of all queues of an account together
//! (`articles/storage/queues/monitor-queue-storage-reference.md`). Transactions of storage and requests to Cosmos DB count
//! readers, too, and say nothing of what there is to read. Of a namespace as a whole other entities would be counted.

use crate::model::Scope;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Messages that wait: `ActiveMessages`, ready to be received. Of a topic it is of all its subscriptions together, and
    /// so not asked: one that nobody reads fills up, and the others are well.
    Waiting,
    /// Messages that arrive: `IncomingMessages`. Those of a topic may pass a subscription's filter by.
    Arriving,
}

impl Count {
    /// The metric's name in the REST API.
    #[must_use]
    pub fn metric(self) -> &'static str {
        match self {
            Self::Waiting => "ActiveMessages",
            Self::Arriving => "IncomingMessages",
        }
    }

    /// How the values of a step are put together, among what the metric has: average, minimum and maximum of the first, the
    /// total of the second.
    #[must_use]
    pub fn aggregation(self) -> &'static str {
        match self {
            Self::Waiting => "minimum",
            Self::Arriving => "total",
        }
    }
}

/// The dimension by which both tell entities apart. Of a topic's subscriptions they tell nothing.
pub const ENTITY: &str = "EntityName";

/// Entities, the resource that is asked, and what is counted of them: Supported metrics for `Microsoft.ServiceBus/Namespaces`
/// and `Microsoft.EventHub/Namespaces` (MicrosoftDocs/azure-reference-other, `azure-monitor-ref/supported-metrics`), in steps
/// of a minute and more; what each means is in `articles/service-bus-messaging/monitor-service-bus-reference.md` and
/// `articles/event-hubs/monitor-event-hubs-reference.md`.
const TABLE: [(&str, &str, Count); 3] = [
    ("Microsoft.ServiceBus/namespaces/queues", "Microsoft.ServiceBus/namespaces", Count::Waiting),
    ("Microsoft.ServiceBus/namespaces/topics", "Microsoft.ServiceBus/namespaces", Count::Arriving),
    ("Microsoft.EventHub/namespaces/eventhubs", "Microsoft.EventHub/namespaces", Count::Arriving),
];

/// A source whose work is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The queue, topic or event hub.
    pub entity: Scope,
    /// The namespace that it is in.
    pub namespace: Scope,
    /// What is counted.
    pub count: Count,
}

/// The source that a scope is, or lies in: the topic of a subscription. None where nobody counts.
#[must_use]
pub fn counted(scope: &Scope) -> Option<Counted> {
    TABLE.iter().find_map(|(entity, namespace, count)| {
        Some(Counted { entity: scope.cut_at(entity)?, namespace: scope.cut_at(namespace)?, count: *count })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_topics_and_event_hubs_are_counted_and_nothing_that_would_only_seem_to_be() {
        let group = "/subscriptions/1/resourceGroups/rg/providers";
        let bus = format!("{group}/Microsoft.ServiceBus/namespaces/sb");
        let hubs = format!("{group}/Microsoft.EventHub/namespaces/eh");
        let of = |scope: &str| {
            let found = counted(&Scope::parse(scope).unwrap())?;
            Some((found.entity.to_string(), found.namespace.to_string(), found.count))
        };
        let cases = [
            (format!("{bus}/queues/orders"), format!("{bus}/queues/orders"), &bus, Count::Waiting),
            (format!("{bus}/topics/news/subscriptions/all"), format!("{bus}/topics/news"), &bus, Count::Arriving),
            (
                format!("{hubs}/eventhubs/clicks/consumergroups/us"),
                format!("{hubs}/eventhubs/clicks"),
                &hubs,
                Count::Arriving,
            ),
        ];
        for (scope, entity, namespace, count) in cases {
            assert_eq!(of(&scope), Some((entity, namespace.clone(), count)), "{scope}");
        }
        let account = format!("{group}/Microsoft.Storage/storageAccounts/st");
        for scope in [&bus, &hubs, &account, &format!("{account}/queueServices/default/queues/orders")] {
            assert_eq!(of(scope), None, "{scope}");
        }
    }
}
