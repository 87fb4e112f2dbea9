//! App settings, drawn: those that make every connection as declared, with a few mistakes in them.

use proptest::{prelude::*, sample::select};

use crate::{evaluate::fixtures::right_settings, model::settings::DEFAULT_CLIENT, policy::Policy};

/// One mistake.
#[derive(Clone, Debug)]
pub enum Mistake {
    /// One of the settings is not there.
    Left(usize),
    /// One of them says something else.
    Says(usize, &'static str),
    /// One more is there.
    Beside(&'static str, &'static str),
}

const VALUES: [&str; 6] = [
    "@Microsoft.KeyVault(SecretUri=https://kv-orders.vault.azure.net/secrets/one)",
    "sb-orders.servicebus.windows.net",
    "https://sthost.blob.core.chinacloudapi.cn",
    "c1c1c1c1-0000-4000-8000-000000000000",
    "c9c9c9c9-0000-4000-8000-000000000009",
    "managedidentity",
];

const NAMES: [&str; 6] =
    ["Orders", "Orders__clientId", "Clicks__clientId", "Clicks__credential", "AzureWebJobsStorage", DEFAULT_CLIENT];

pub fn mistakes() -> impl Strategy<Value = Vec<Mistake>> {
    let one = prop_oneof![
        (0_usize..12).prop_map(Mistake::Left),
        (0_usize..12, select(VALUES.to_vec())).prop_map(|(at, value)| Mistake::Says(at, value)),
        (select(NAMES.to_vec()), select(VALUES.to_vec())).prop_map(|(name, value)| Mistake::Beside(name, value)),
    ];
    prop_oneof![2 => Just(Vec::new()), 3 => prop::collection::vec(one, 1..4)]
}

/// Names and values.
pub fn texts(policy: &Policy, mistakes: &[Mistake]) -> Vec<(String, String)> {
    let mut texts = right_settings(policy);
    for mistake in mistakes {
        let among = texts.len().max(1);
        match mistake {
            Mistake::Left(at) if texts.len() > at % among => drop(texts.remove(at % among)),
            Mistake::Says(at, value) if texts.len() > at % among => (*value).clone_into(&mut texts[at % among].1),
            Mistake::Beside(name, value) => texts.push(((*name).to_owned(), (*value).to_owned())),
            Mistake::Left(_) | Mistake::Says(..) => {}
        }
    }
    texts
}
