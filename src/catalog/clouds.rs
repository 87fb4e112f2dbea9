//! The Azure clouds: where Resource Manager and the authority are, and which audience a token needs.
//!
//! Source: `Azure/azure-cli` cloud definitions and the client libraries' literals.

/// An Azure cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cloud {
    /// Its name as `az cloud list` prints it.
    pub name: &'static str,
    /// Where Resource Manager answers.
    pub arm_endpoint: &'static str,
    /// The scope of a token for Resource Manager.
    pub arm_scope: &'static str,
    /// Where tokens come from.
    pub authority_host: &'static str,
}

/// Public Azure, US Government and China.
pub const CLOUDS: [Cloud; 3] = [
    Cloud {
        name: "AzureCloud",
        arm_endpoint: "https://management.azure.com",
        arm_scope: "https://management.azure.com/.default",
        authority_host: "https://login.microsoftonline.com",
    },
    Cloud {
        name: "AzureUSGovernment",
        arm_endpoint: "https://management.usgovcloudapi.net",
        // The audience ends in a slash, which a v2 scope must keep.
        arm_scope: "https://management.core.usgovcloudapi.net//.default",
        authority_host: "https://login.microsoftonline.us",
    },
    Cloud {
        name: "AzureChinaCloud",
        arm_endpoint: "https://management.chinacloudapi.cn",
        arm_scope: "https://management.core.chinacloudapi.cn//.default",
        authority_host: "https://login.chinacloudapi.cn",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_clouds_share_an_endpoint_and_every_address_is_usable_as_it_stands() {
        for (position, cloud) in CLOUDS.iter().enumerate() {
            for other in &CLOUDS[..position] {
                assert!(cloud.name != other.name && cloud.arm_endpoint != other.arm_endpoint);
                assert!(cloud.arm_scope != other.arm_scope && cloud.authority_host != other.authority_host);
            }
            for address in [cloud.arm_endpoint, cloud.authority_host] {
                assert!(address.starts_with("https://") && !address.ends_with('/'), "{address}: a path is appended");
            }
            assert!(cloud.arm_scope.ends_with("/.default"), "{}", cloud.arm_scope);
        }
    }
}
