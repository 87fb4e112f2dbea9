//! What starts an app's functions, as far as somebody counts whether there is anything to start them for.

use std::collections::BTreeSet;

use super::{Origin, Policy};
use crate::{catalog::counted::counted, model::Scope};

/// The sources of a policy's triggers.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct TriggerSources {
    /// Those whose work is counted.
    pub counted: BTreeSet<Scope>,
    /// Whether there are others.
    pub others: bool,
}

impl TriggerSources {
    /// Only those that may be told of, and of them the first few: the rest are others.
    #[must_use]
    pub fn within(mut self, most: usize, may_tell: impl Fn(&Scope) -> bool) -> Self {
        let all = self.counted.len();
        self.counted = self.counted.into_iter().filter(|source| may_tell(source)).take(most).collect();
        self.others |= self.counted.len() < all;
        self
    }
}

impl Policy {
    /// The sources of its triggers.
    #[must_use]
    pub fn trigger_sources(&self) -> TriggerSources {
        let mut sources = TriggerSources::default();
        for trigger in &self.triggers {
            let is_of_it = |origin: &Origin| matches!(origin, Origin::Binding(name) if name == trigger);
            let needs = self.requirements.iter().filter(|one| one.origins.iter().any(is_of_it));
            let own: Vec<_> = needs.filter_map(|one| Some(counted(&one.scope)?.entity)).collect();
            sources.others |= own.is_empty();
            sources.counted.extend(own);
        }
        sources
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::fixtures::{policy, queue};

    #[test]
    fn a_trigger_without_a_source_that_is_counted_is_another() {
        let both = policy(|_| {}).trigger_sources();
        assert_eq!(both, TriggerSources { counted: [queue()].into(), others: false });
        let whole = policy(|spec| spec.bindings[0].entity.clear()).trigger_sources();
        assert_eq!(whole, TriggerSources { counted: BTreeSet::new(), others: true }, "of a namespace nobody counts");
        let output = policy(|spec| spec.bindings[0].type_ = "serviceBus".to_owned()).trigger_sources();
        assert_eq!(output, TriggerSources::default(), "it starts nothing");
    }

    #[test]
    fn what_may_not_be_told_or_is_one_too_many_is_another() {
        let hub = |name: &str| Scope::lenient(&format!("/subscriptions/1/x/{name}"));
        let sources = || TriggerSources { counted: [hub("a"), hub("b"), hub("c")].into(), others: false };
        assert_eq!(sources().within(3, |_| true), sources());
        let told = sources().within(3, |source| source.name() != "b");
        assert_eq!(told, TriggerSources { counted: [hub("a"), hub("c")].into(), others: true });
        assert_eq!(sources().within(1, |_| true), TriggerSources { counted: [hub("a")].into(), others: true });
    }
}
