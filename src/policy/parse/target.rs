//! What the policy is about, and what means nothing for a target of that kind.

use super::Parser;
use crate::{
    api::{self, Settings},
    model::{Scope, TargetKind},
};

impl Parser {
    /// The target: an app or a slot of it, a container app or a machine.
    pub(super) fn target(&mut self, target: &api::Target) -> Option<Scope> {
        let api::Target { resource, slot } = target;
        let types = TargetKind::ALL.map(TargetKind::resource_type);
        let target = self.resource("spec.target.resource", resource, &types)?;
        if slot.is_empty() {
            return Some(target);
        }
        let problem = if let Some(kind) = no_app(&target) {
            format!("means nothing for a {}: leave it out", kind.noun())
        } else if slot.eq_ignore_ascii_case("production") {
            "`production` is the app itself: leave `slot` out".to_owned()
        } else if slot.chars().all(|one| one.is_ascii_alphanumeric() || one == '-') {
            return Some(target.child(&format!("slots/{slot}")));
        } else {
            format!("`{slot}` is not the name of a slot")
        };
        self.fault("spec.target.slot", problem);
        None
    }

    /// Refuses what only other kinds of target have. What can be declared as a grant says so.
    pub(super) fn fits(&mut self, target: &Scope, spec: &api::FunctionIdentityPolicySpec) {
        let Some(kind) = no_app(target) else { return };
        let noun = kind.noun();
        if spec.settings == Settings::Inspect {
            self.fault("spec.settings", format!("`Inspect` reads app settings, which a {noun} does not have"));
        }
        if !spec.identities.key_vault_references.is_empty() {
            self.fault(
                "spec.identities.keyVaultReferences",
                format!("means nothing for a {noun}: its settings have none"),
            );
        }
        let api::Platform { host_storage, deployment_storage, registry, telemetry, app_configuration } = &spec.platform;
        let is_machine = kind == TargetKind::Machine;
        // Functions run in a container app too, and its platform pulls images.
        let platform = [
            ("hostStorage", host_storage.is_some() && is_machine),
            ("deploymentStorage", deployment_storage.is_some()),
            ("registry", registry.is_some() && is_machine),
            ("telemetry", telemetry.is_some() && is_machine),
            ("appConfiguration", !app_configuration.is_empty()),
        ];
        let problem = format!("means nothing for a {noun}: declare the role that it needs in `grants`");
        for (field, _) in platform.into_iter().filter(|(_, refused)| *refused) {
            self.fault(&format!("spec.platform.{field}"), problem.clone());
        }
        if is_machine && !spec.bindings.is_empty() {
            let problem = format!("mean nothing for a {noun}: declare the roles that it needs in `grants`");
            self.fault("spec.bindings", problem);
        }
    }
}

fn no_app(target: &Scope) -> Option<TargetKind> {
    Some(TargetKind::of(target)).filter(|kind| *kind != TargetKind::App)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::{
        api::{FunctionIdentityPolicy, FunctionIdentityPolicySpec, Settings},
        policy::{
            Policy,
            fixtures::{bare, declare, host, own, trigger, vault},
        },
    };

    const CONTAINER_APP: &str = "Microsoft.App/containerApps/ca-press";
    const MACHINE: &str = "Microsoft.Compute/virtualMachines/vm-press";

    fn object(id: &str, edit: impl FnOnce(&mut FunctionIdentityPolicySpec)) -> FunctionIdentityPolicy {
        let mut object = bare();
        object.spec.resources.insert("app".to_owned(), id.to_owned());
        edit(&mut object.spec);
        object
    }

    fn refused(id: &str, edit: impl FnOnce(&mut FunctionIdentityPolicySpec)) -> Vec<(String, String)> {
        let error = Policy::parse(&object(id, edit)).expect_err("it makes no sense");
        error.violations.into_iter().map(|one| (one.field, one.problem)).collect()
    }

    #[test]
    fn grants_and_vaults_are_for_every_kind() {
        for id in ["Microsoft.Web/sites/web-press", CONTAINER_APP, MACHINE] {
            let policy = Policy::parse(&object(id, |spec| {
                declare(spec, "Storage Blob Data Reader", "files", "system");
                vault(spec, "RBAC", "shared", &["get"]);
            }));
            let policy = policy.unwrap_or_else(|error| panic!("{id}: {error}"));
            assert_eq!((policy.target, policy.requirements.len(), policy.vaults.len()), (own(id), 1, 1));
        }
    }

    #[test]
    fn a_container_app_may_run_functions_and_pull_by_identity() {
        let edit = |spec: &mut FunctionIdentityPolicySpec| {
            host(spec, "host", "system");
            trigger(spec, "incoming", "serviceBusTrigger", "bus", "queues/incoming", "shared");
            spec.resources.insert("acr".to_owned(), "Microsoft.ContainerRegistry/registries/acrpress".to_owned());
            let registry = json!({ "resource": "acr", "identity": "shared" });
            spec.platform.registry = Some(serde_json::from_value(registry).expect("a registry"));
        };
        assert!(Policy::parse(&object(CONTAINER_APP, edit)).is_ok());
    }

    #[test]
    fn what_a_kind_does_not_have_is_refused_and_named() {
        let slot = |spec: &mut FunctionIdentityPolicySpec| "staging".clone_into(&mut spec.target.slot);
        let problem = "means nothing for a container app: leave it out".to_owned();
        assert_eq!(refused(CONTAINER_APP, slot), [("spec.target.slot".to_owned(), problem)]);
        let told = refused(MACHINE, |spec| {
            spec.settings = Settings::Inspect;
            host(spec, "host", "system");
            trigger(spec, "incoming", "serviceBusTrigger", "bus", "queues/incoming", "shared");
        });
        let fields: Vec<_> = told.iter().map(|(field, _)| field.as_str()).collect();
        assert_eq!(fields, ["spec.settings", "spec.platform.hostStorage", "spec.bindings"]);
        assert_eq!(told[2].1, "mean nothing for a virtual machine: declare the roles that it needs in `grants`");
        let settings = |spec: &mut FunctionIdentityPolicySpec| spec.settings = Settings::Inspect;
        assert_eq!(refused(CONTAINER_APP, settings).len(), 1, "it has no app settings either");
        let store = |spec: &mut FunctionIdentityPolicySpec| {
            let resource = json!({ "resource": "files", "identity": "system" });
            spec.platform.deployment_storage = Some(serde_json::from_value(resource).expect("a resource"));
        };
        let told = refused(CONTAINER_APP, store);
        assert_eq!(told[0].0, "spec.platform.deploymentStorage");
    }
}
