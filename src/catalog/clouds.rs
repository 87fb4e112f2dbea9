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
