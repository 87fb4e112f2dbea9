//! Sentences for what is wrong with the connections that an app's settings make.

use crate::{
    evaluate::{ConnectionProblem, Used},
    model::settings::{Member, TELEMETRY},
    policy::Identity,
};

/// What was expected of a connection and what was seen.
pub(super) fn problem(connection: &str, problem: &ConnectionProblem) -> String {
    match problem {
        ConnectionProblem::Missing { settings } => {
            let settings: Vec<_> = settings.iter().map(|setting| format!("`{setting}`")).collect();
            format!("connection `{connection}` is not made: the app has no setting {}", settings.join(" and "))
        }
        ConnectionProblem::UsesSecret { setting, by_reference } => {
            let kind = if *by_reference { "a reference to a connection string" } else { "a connection string" };
            format!("setting `{setting}` is {kind}, which outweighs `{setting}__…`: no identity is asked")
        }
        ConnectionProblem::WrongIdentity { declared, used } => wrong_identity(connection, declared, used),
        ConnectionProblem::IdentityUnsupported { setting } => format!(
            "`{setting}` is not read by this extension, so the app's default identity is used; name it by `{}`",
            Member::ClientId.of(connection)
        ),
        ConnectionProblem::WrongAddress { setting, seen, canonical, audience } => {
            let seen = match seen {
                Some(seen) => format!("is `{seen}`"),
                None => "names another place".to_owned(),
            };
            format!(
                "`{setting}` {seen}, while the declared resource answers at `{canonical}`, with tokens for `{audience}`"
            )
        }
        ConnectionProblem::Undecided { setting, is_address } => {
            let what = if *is_address { "where it leads" } else { "which identity is used" };
            format!("`{setting}` is a reference, whose value is not read, so {what} cannot be told")
        }
    }
}

fn wrong_identity(connection: &str, declared: &Identity, used: &Used) -> String {
    let client_id = Member::ClientId.of(connection);
    match used {
        Used::Default { enabled } => {
            let (what, becomes) = match enabled {
                true => ("the system-assigned identity is used", ""),
                false => ("the system-assigned identity is asked for", ", which is not enabled"),
            };
            format!("connection `{connection}` names no client id, so {what} and not {declared}{becomes}")
        }
        Used::Client { setting, client: None, .. } => {
            format!("the client id in `{setting}` is no GUID, so {declared} is not used")
        }
        Used::Client { setting, client: Some(client), identity } => {
            let whose = match identity {
                Some(identity) => format!("identity `{}`", identity.name()),
                None => "none of the app's user-assigned identities that are known".to_owned(),
            };
            format!("the client id {client} in `{setting}` is that of {whose}, and not of {declared}")
        }
        Used::Resource(identity) => {
            let setting = Member::ManagedIdentityResourceId.of(connection);
            match identity {
                Some(identity) => format!("`{setting}` names identity `{}` and not {declared}", identity.name()),
                None => format!("`{setting}` is not the id of an identity, so {declared} is not used"),
            }
        }
        Used::Both => format!(
            "`{client_id}` and `{}` are both set and exclude each other",
            Member::ManagedIdentityResourceId.word()
        ),
        Used::NoCredential => format!(
            "`{}` is not `managedidentity`, so that {declared} is named and not certain to be used",
            Member::Credential.of(connection)
        ),
        Used::NoToken => {
            format!(
                "`{TELEMETRY}` does not say `Authorization=AAD`, so telemetry is sent without a token of {declared}"
            )
        }
    }
}
