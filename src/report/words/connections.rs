//! Sentences for what is wrong with the connections that an app's settings make.

use crate::{
    evaluate::{ConnectionProblem, Used},
    model::{
        ActsAs, PlatformUse,
        settings::{Member, TELEMETRY},
    },
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
        ConnectionProblem::UnknownToScaler { setting } => format!(
            "the identity of connection `{connection}` is that of `AZURE_CLIENT_ID`, which the platform does not read when it \
             looks how much there is to do: with no instance running, none may be started; name it by `{setting}`"
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
            format!("`{setting}` is a reference or stands for an application, so {what} cannot be told")
        }
    }
}

fn wrong_identity(connection: &str, declared: &Identity, used: &Used) -> String {
    match used {
        Used::Default { enabled: true } => format!(
            "connection `{connection}` names no client id, so the system-assigned identity is used and not {declared}"
        ),
        Used::Default { enabled: false } => format!(
            "connection `{connection}` names no client id, so {declared} is not used, and the system-assigned identity, \
             which is asked instead, is not enabled"
        ),
        Used::Client { setting, client: None, .. } => {
            format!("the client id in `{setting}` is no GUID, so {declared} is not used")
        }
        Used::Client { setting, client: Some(client), identity } => {
            let whose = match identity {
                Some(identity) => format!("identity `{}`", identity.name()),
                None => "no identity that is attached or declared".to_owned(),
            };
            format!("the client id {client} in `{setting}` belongs to {whose}, so {declared} is not used")
        }
        Used::Resource(identity) => {
            let setting = Member::ManagedIdentityResourceId.of(connection);
            match identity {
                Some(identity) => format!("`{setting}` names identity `{}` and not {declared}", identity.name()),
                None => format!("`{setting}` is not the id of an identity, so {declared} is not used"),
            }
        }
        Used::Both => format!(
            "`{}` and `{}` are both set and exclude each other",
            Member::ClientId.of(connection),
            Member::ManagedIdentityResourceId.of(connection)
        ),
        Used::NoCredential => format!(
            "`{}` is not `managedidentity`, so {declared} is named and not certain to be used",
            Member::Credential.of(connection)
        ),
        Used::NoToken => {
            format!(
                "`{TELEMETRY}` does not say `Authorization=AAD`, so telemetry is sent without a token of {declared}"
            )
        }
    }
}

/// As whom the platform acts for the target.
pub(super) fn platform(used_for: &PlatformUse, used: &ActsAs, declared: &Identity) -> String {
    let used = match used {
        ActsAs::System => "by the system-assigned identity".to_owned(),
        ActsAs::User(id) => format!("by identity `{}`", id.name()),
        ActsAs::Unattached(text) => format!("by client id `{text}`, which no identity on the app has"),
        ActsAs::Unclear => "by an identity that is not known".to_owned(),
        ActsAs::Password => "without an identity".to_owned(),
    };
    match used_for {
        PlatformUse::Registry { server } => {
            format!("images of `{server}` are pulled {used}, and not by {declared} as declared")
        }
        PlatformUse::Secret { name, host } => {
            format!("secret `{name}` is read from `{host}` {used}, and not by {declared} as declared")
        }
        PlatformUse::References => {
            format!("Key Vault references are resolved {used}, and not by {declared} as declared")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::fixtures::{own, shared};

    #[test]
    fn each_wrong_identity_is_said_with_the_setting_that_names_it() {
        let client = "c9c9c9c9-0000-4000-8000-000000000009";
        let of = |identity| Used::Client { setting: "X__clientId".to_owned(), client: client.parse().ok(), identity };
        let spare = own("Microsoft.ManagedIdentity/userAssignedIdentities/mi-spare");
        let cases = [
            (
                Used::Default { enabled: false },
                "connection `X` names no client id, so identity `mi-shared` is not used, and the system-assigned identity, \
                 which is asked instead, is not enabled",
            ),
            (
                of(Some(spare.clone())),
                "the client id c9c9c9c9-0000-4000-8000-000000000009 in `X__clientId` belongs to identity `mi-spare`, so \
                 identity `mi-shared` is not used",
            ),
            (
                of(None),
                "the client id c9c9c9c9-0000-4000-8000-000000000009 in `X__clientId` belongs to no identity that is \
                 attached or declared, so identity `mi-shared` is not used",
            ),
            (
                Used::Client { setting: "X__clientId".to_owned(), client: None, identity: None },
                "the client id in `X__clientId` is no GUID, so identity `mi-shared` is not used",
            ),
            (
                Used::Resource(Some(spare)),
                "`X__managedIdentityResourceId` names identity `mi-spare` and not identity `mi-shared`",
            ),
            (
                Used::Resource(None),
                "`X__managedIdentityResourceId` is not the id of an identity, so identity `mi-shared` is not used",
            ),
            (Used::Both, "`X__clientId` and `X__managedIdentityResourceId` are both set and exclude each other"),
            (
                Used::NoCredential,
                "`X__credential` is not `managedidentity`, so identity `mi-shared` is named and not certain to be used",
            ),
        ];
        for (used, expected) in cases {
            let declared = Identity::User(shared());
            assert_eq!(problem("X", &ConnectionProblem::WrongIdentity { declared, used }), expected);
        }
    }
}
