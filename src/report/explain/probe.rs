//! The commands that try the token endpoint from inside of a target. None of them prints a token: of an answer that has
//! one they leave nothing but its status.

use crate::{
    catalog::{clouds, services},
    evaluate::{Finding, Probes},
    model::{ClientId, Scope, Workload},
    policy::{Identity, Policy},
    report::{
        Pass, az,
        text::{line, paragraph},
    },
};

/// The versions of the two endpoints: of a machine's metadata service, and of what App Service and Container Apps put
/// into `IDENTITY_ENDPOINT`.
const METADATA: &str = "2018-02-01";
const LOCAL: &str = "2019-08-01";

/// The section of the explanation.
pub(super) fn section(out: &mut String, pass: &Pass) {
    let Some(probes) = &pass.explanation.probes else { return };
    line(out, "\n  Try the token endpoint from inside (no token is printed)");
    paragraph(out, "    ", intro(probes.workload));
    for command in commands_of(pass, probes) {
        line(out, &format!("    $ {command}"));
    }
}

/// Each as a shell takes it, the first of a container app in this shell and the others in the one that it opens.
pub(super) fn commands_of(pass: &Pass, probes: &Probes) -> Vec<String> {
    let audience = |identity: &Identity| audience(&pass.policy, &pass.evaluation.findings, probes, identity);
    commands(&pass.policy.target, probes, audience)
}

/// For whom a token is asked: for the resource that the identity is refused at, else for one that it is declared to reach.
/// A token for Resource Manager proves that there is an identity, and less about the call that fails.
fn audience(policy: &Policy, findings: &[Finding], probes: &Probes, identity: &Identity) -> String {
    let refused = findings.iter().filter_map(|finding| match finding {
        Finding::RoleMissing { identity, scope, .. }
        | Finding::CosmosRoleMissing { identity, scope, .. }
        | Finding::AccessDenied { identity, scope, .. }
        | Finding::Propagating { identity, scope, .. } => Some((identity, scope)),
        Finding::AccessPolicyMissing { identity, vault, .. } => Some((identity, vault)),
        _ => None,
    });
    let declared = policy.requirements.iter().map(|one| (&one.identity, &one.scope));
    let vaults = policy.vaults.iter().map(|one| (&one.identity, &one.vault));
    let mut scopes = refused.chain(declared).chain(vaults).filter(|(who, _)| *who == identity).map(|(_, scope)| scope);
    let cloud = clouds::CLOUDS.iter().find(|cloud| cloud.arm_scope.starts_with(probes.audience.as_str()));
    let found = scopes.find_map(|scope| {
        let (resource, _) = services::resource_of(scope)?;
        services::of_type(&resource.resource_type()?)?.audience.get(cloud?.name).cloned()
    });
    found.unwrap_or_else(|| probes.audience.clone())
}

fn intro(workload: Workload) -> &'static str {
    match workload {
        Workload::FunctionApp | Workload::WebApp => {
            "in the app's console, or by `az webapp ssh` where the app has it; 200 is a token, 400 names what is wrong; the \
             endpoint is inside of the app, and no security group cuts it"
        }
        Workload::ContainerApp => {
            "the first opens a shell in a running replica, whose image has to have one and curl; the others are for that \
             shell; 200 is a token, 400 names what is wrong"
        }
        Workload::Machine { .. } => {
            "200 is a token, 400 names what is wrong; no answer at all is the network of the machine, a proxy in it, or a \
             security group that denies the tag `AzurePlatformIMDS` (a rule on the address does nothing), none of which are \
             looked at"
        }
    }
}

fn commands(target: &Scope, probes: &Probes, audience: impl Fn(&Identity) -> String) -> Vec<String> {
    let app = az::app(target);
    let of_each = |command: &dyn Fn(Option<ClientId>, &str) -> String| {
        let identities = probes.identities.iter();
        identities.map(|(identity, client)| command(*client, &encoded(&audience(identity)))).collect::<Vec<_>>()
    };
    let local = |client: Option<ClientId>, audience: &str| {
        let url = format!("$IDENTITY_ENDPOINT?api-version={LOCAL}&resource={audience}{}", named(client));
        curl("X-IDENTITY-HEADER: $IDENTITY_HEADER", &url)
    };
    match probes.workload {
        Workload::FunctionApp | Workload::WebApp => of_each(&local),
        Workload::ContainerApp => {
            let shell = format!("az containerapp exec {app} --command sh");
            std::iter::once(shell).chain(of_each(&local)).collect()
        }
        Workload::Machine { windows } => of_each(&|client, audience| {
            let url = format!(
                "http://169.254.169.254/metadata/identity/oauth2/token?api-version={METADATA}&resource={audience}{}",
                named(client)
            );
            let (kind, script) = if windows {
                ("RunPowerShellScript", power_shell(&url))
            } else {
                ("RunShellScript", curl("Metadata: true", &url))
            };
            format!(
                "az vm run-command invoke {app} --command-id {kind} --query 'value[].message' --output tsv --scripts {}",
                az::quoted(&script)
            )
        }),
    }
}

fn named(client: Option<ClientId>) -> String {
    client.map(|client| format!("&client_id={client}")).unwrap_or_default()
}

/// The line with the token is left out; an error has none.
fn curl(header: &str, url: &str) -> String {
    format!(
        r#"curl -sS --max-time 10 --noproxy "*" -H "{header}" -w "\nHTTP %{{http_code}}\n" "{url}" | grep -v access_token"#
    )
}

fn power_shell(url: &str) -> String {
    format!(
        r#"try {{ (Invoke-WebRequest -UseBasicParsing -TimeoutSec 10 -Headers @{{Metadata="true"}} -Uri "{url}").StatusCode }} catch {{ $_.Exception.Message; $_.ErrorDetails.Message }}"#
    )
}

/// For a query: an audience is a URL.
fn encoded(audience: &str) -> String {
    audience.replace(':', "%3A").replace('/', "%2F")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Identity;

    fn told(id: &str, workload: Workload, client: Option<&str>) -> Vec<String> {
        let target = Scope::parse(&format!("/subscriptions/1/resourceGroups/rg-(one)/providers/{id}")).expect("an id");
        let identities = vec![(Identity::System, client.map(|client| client.parse().expect("a GUID")))];
        let audience = "https://management.azure.com/".to_owned();
        let probes = Probes { workload, audience, identities };
        commands(&target, &probes, |_| probes.audience.clone())
    }

    #[test]
    fn a_machine_asks_its_metadata_service_in_the_shell_that_it_has() {
        let client = "c9c9c9c9-0000-4000-8000-000000000009";
        let id = "Microsoft.Compute/virtualMachines/vm-press";
        let linux = told(id, Workload::Machine { windows: false }, Some(client));
        assert_eq!(
            linux,
            [concat!(
                "az vm run-command invoke --subscription 1 --resource-group 'rg-(one)' --name vm-press --command-id ",
                r#"RunShellScript --query 'value[].message' --output tsv --scripts 'curl -sS --max-time 10 --noproxy "*" "#,
                r#"-H "Metadata: true" -w "\nHTTP %{http_code}\n" "http://169.254.169.254/metadata/identity/oauth2/token"#,
                "?api-version=2018-02-01&resource=https%3A%2F%2Fmanagement.azure.com%2F&client_id=",
                r#"c9c9c9c9-0000-4000-8000-000000000009" | grep -v access_token'"#,
            )]
        );
        let windows = told(id, Workload::Machine { windows: true }, None).remove(0);
        assert!(windows.contains("--command-id RunPowerShellScript") && windows.contains(".StatusCode }"), "{windows}");
    }

    #[test]
    fn a_container_app_is_entered_first_and_asks_its_own_endpoint() {
        let told = told("Microsoft.App/containerApps/ca-press", Workload::ContainerApp, None);
        let [enter, ask] = &told[..] else { panic!("{told:?}") };
        assert_eq!(
            enter,
            "az containerapp exec --subscription 1 --resource-group 'rg-(one)' --name ca-press --command sh"
        );
        assert!(ask.starts_with("curl ") && ask.contains(r#""X-IDENTITY-HEADER: $IDENTITY_HEADER""#), "{ask}");
        assert!(ask.ends_with("| grep -v access_token"), "{ask}");
    }
}
