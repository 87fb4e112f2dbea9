//! `release-finalizers`: lets policies go that an uninstalled operator would have revoked for. Writes to Kubernetes only.

use kube::{Api, ResourceExt, api::ListParams};

use super::{CliError, args::ReleaseArguments, connect};
use crate::{
    api::FunctionIdentityPolicy,
    controller::{FINALIZER, set_finalizer},
    model::innermost,
};

pub(super) async fn release(verb: ReleaseArguments) -> Result<(), CliError> {
    let ReleaseArguments { namespace, all_namespaces, dry_run } = verb;
    let client = connect::cluster("set KUBECONFIG").await?;
    let policies: Api<FunctionIdentityPolicy> = if all_namespaces {
        Api::all(client.clone())
    } else {
        let namespace = namespace.as_deref().unwrap_or(client.default_namespace());
        Api::namespaced(client.clone(), namespace)
    };
    let found = policies.list(&ListParams::default()).await.map_err(|error| {
        CliError::new(format!("cannot read policies from the cluster: {}", innermost(&error)))
            .with_hint("is the API server of KUBECONFIG running, and are the CRDs installed?")
    })?;
    let mut released = 0;
    let held = found.items.iter().filter(|policy| policy.finalizers().iter().any(|own| own == FINALIZER));
    for policy in held {
        let name = format!("{}/{}", policy.namespace().unwrap_or_default(), policy.name_any());
        if !dry_run {
            match set_finalizer(&client, policy, false).await {
                Ok(_) => {}
                // Gone in the meantime.
                Err(kube::Error::Api(response)) if response.code == 404 => continue,
                Err(error) => {
                    let text = format!("the finalizer of {name} cannot be taken away: {}", innermost(&error));
                    return Err(CliError::new(text).with_hint("run it again: what is done stays done"));
                }
            }
        }
        super::print(&format!("{name}\n"));
        released += 1;
    }
    let done = if dry_run { "would be released" } else { "released; what was granted for them stays" };
    eprintln!("{released} {done}");
    Ok(())
}
