//! What a policy can be about: an app of App Service, a container app or a virtual machine. The type of the id decides,
//! and with it how an identity block is written.

use super::Scope;

/// A kind of target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TargetKind {
    /// A Function App or a Web App, or a slot of one.
    App,
    /// A container app.
    ContainerApp,
    /// A virtual machine.
    Machine,
}

impl TargetKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::App, Self::ContainerApp, Self::Machine];

    /// The kind of a target. A valid policy has no other.
    #[must_use]
    pub fn of(target: &Scope) -> Self {
        let is_it = |kind: &Self| target.is_type(kind.resource_type());
        Self::ALL.into_iter().find(is_it).unwrap_or(Self::App)
    }

    /// Its resource type.
    #[must_use]
    pub fn resource_type(self) -> &'static str {
        match self {
            Self::App => "Microsoft.Web/sites",
            Self::ContainerApp => "Microsoft.App/containerApps",
            Self::Machine => "Microsoft.Compute/virtualMachines",
        }
    }

    /// What a person calls it.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::ContainerApp => "container app",
            Self::Machine => "virtual machine",
        }
    }

    /// The same as a label: a container app is an app.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::App | Self::ContainerApp => "app",
            Self::Machine => "machine",
        }
    }

    /// The action that a write of its identities takes.
    #[must_use]
    pub fn write_action(self) -> &'static str {
        match self {
            Self::App => "Microsoft.Web/sites/write",
            Self::ContainerApp => "Microsoft.App/containerApps/write",
            Self::Machine => "Microsoft.Compute/virtualMachines/write",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_of_the_id_decides_whatever_its_casing() {
        let kind = |text: &str| {
            let id = format!("/subscriptions/1/resourceGroups/r/providers/{text}");
            TargetKind::of(&Scope::parse(&id).expect("an id"))
        };
        // As Azure answers it.
        assert_eq!(kind("Microsoft.App/containerapps/ca-press"), TargetKind::ContainerApp);
        assert_eq!(kind("microsoft.compute/virtualmachines/vm-press"), TargetKind::Machine);
        assert_eq!(kind("Microsoft.Web/sites/func/slots/staging"), TargetKind::App);
    }
}
