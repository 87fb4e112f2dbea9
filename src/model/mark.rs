//! Whose a grant is: the text that we leave in its description, and the name that we derive for it. Both are read back
//! from Azure; nothing else proves that a grant is ours.

use uuid::Uuid;

use super::{Grant, PrincipalId, RoleId, Scope};

const OPENING: &str = "Granted by Rolecall for FunctionIdentityPolicy ";
const INSTALLATION: &str = " (installation ";

/// Who made a grant, and for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The installation: one cluster's operators. None for what was made from a command line.
    pub installation: Option<String>,
    /// The policy that asked first, as `namespace/name`. Others may have come to need the grant since.
    pub policy: String,
}

impl Mark {
    /// The description that carries it.
    #[must_use]
    pub fn description(&self) -> String {
        let Self { installation, policy } = self;
        let installation = installation.as_ref().map(|id| format!("{INSTALLATION}{id})")).unwrap_or_default();
        format!("{OPENING}{policy}{installation}")
    }

    /// What a description says; none for one that is not ours to the letter, because a person may have edited it.
    #[must_use]
    pub fn read(description: &str) -> Option<Self> {
        let rest = description.strip_prefix(OPENING)?;
        let (policy, installation) = match rest.split_once(INSTALLATION) {
            Some((policy, id)) => (policy, Some(id.strip_suffix(')')?.to_owned())),
            None => (rest, None),
        };
        let mark = Self { installation, policy: policy.to_owned() };
        (policy.matches('/').count() == 1 && mark.description() == description).then_some(mark)
    }
}

/// On whose behalf grants are made, and so which of them are ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The installation's id.
    pub installation: String,
    /// The principal that our token stands for.
    pub principal: PrincipalId,
}

impl Owner {
    /// Whether a grant is ours as we made it, by all proofs: our derived name, our mark, created by our principal, and no
    /// condition, which we never set.
    #[must_use]
    pub fn owns(&self, grant: &Grant) -> bool {
        let marked = grant.mark.as_ref().and_then(|mark| mark.installation.as_deref()) == Some(&self.installation);
        let named = grant.id.name() == grant_name(&grant.scope, grant.principal, grant.role).to_string();
        marked && named && grant.created_by == Some(self.principal) && !grant.is_conditioned()
    }
}

/// The name of our grant for that scope, principal and role. The same triple gives the same name for every operator,
/// so a lost answer or two runs at once cannot make two; a new principal gives a new name, as Azure requires.
#[must_use]
pub fn grant_name(scope: &Scope, principal: PrincipalId, role: RoleId) -> Uuid {
    let space = Uuid::new_v5(&Uuid::NAMESPACE_URL, b"https://rolecall.dev/grants");
    Uuid::new_v5(&space, format!("{}|{principal}|{role}", scope.key()).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(installation: Option<&str>) -> Mark {
        Mark { installation: installation.map(str::to_owned), policy: "payments/orders".to_owned() }
    }

    #[test]
    fn a_mark_is_read_back_from_its_description() {
        for mark in [mark(None), mark(Some("3f1b-7a"))] {
            assert_eq!(Mark::read(&mark.description()), Some(mark));
        }
    }

    #[test]
    fn an_edited_description_is_nobodys() {
        let ours = mark(Some("3f1b-7a")).description();
        for edited in [
            format!("{ours} "),
            format!("{ours} keep!"),
            ours.replace("payments/orders", "orders"),
            ours.replace(')', ""),
            ours.to_lowercase(),
            String::new(),
        ] {
            assert_eq!(Mark::read(&edited), None, "{edited}");
        }
    }
}
