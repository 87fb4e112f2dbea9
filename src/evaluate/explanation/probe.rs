//! What only the target itself can try: whether its token endpoint answers for each declared identity.

use crate::{
    api::SystemIdentity,
    catalog::clouds,
    model::{ClientId, Observed, Reading, Workload},
    policy::{Identity, Policy},
};

/// Where tokens are asked for, and for which identities. How that is done from inside is `report`'s to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probes {
    /// What it is done in.
    pub workload: Workload,
    /// For which service a token is asked. Any would do; this one exists in each cloud.
    pub audience: String,
    /// The identities, each with the client id that names it; none for the system-assigned one.
    pub identities: Vec<(Identity, Option<ClientId>)>,
}

/// None when the target is not known.
pub(super) fn probes(policy: &Policy, observed: &Observed) -> Option<Probes> {
    let site = observed.target.present()?;
    let system = (policy.system == SystemIdentity::Required).then_some((Identity::System, None));
    // Without its client id nobody could ask for it.
    let user = policy.user.iter().filter_map(|id| {
        let client = observed.user.get(id).and_then(Reading::present).and_then(|identity| identity.client)?;
        Some((Identity::User(id.clone()), Some(client)))
    });
    let identities: Vec<_> = system.into_iter().chain(user).collect();
    let cloud = clouds::CLOUDS.iter().find(|cloud| cloud.name == observed.cloud)?;
    let audience = cloud.arm_scope.trim_end_matches("/.default").to_owned();
    (!identities.is_empty()).then_some(Probes { workload: site.workload, audience, identities })
}
