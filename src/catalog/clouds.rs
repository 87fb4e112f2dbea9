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
    /// Where the logs of workspaces are queried. A token's scope is this, with `/.default`.
    pub logs_endpoint: &'static str,
    /// Where tokens come from.
    pub authority_host: &'static str,
    /// What Resource Manager lets one identity ask of one subscription.
    pub allowances: Allowances,
}

/// The documented limits, by kind of operation. What a subscription really has may be more or less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowances {
    /// GET and HEAD.
    pub reads: Allowance,
    /// PUT, PATCH and POST.
    pub writes: Allowance,
    /// DELETE.
    pub deletes: Allowance,
}

/// So many at once, and so many more within an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Requests at once.
    pub size: u32,
    /// Requests that come back in an hour.
    pub per_hour: u32,
}

/// Token buckets. Source: `MicrosoftDocs/azure-docs`,
/// `articles/azure-resource-manager/management/request-limits-and-throttling.md`.
const PUBLIC: Allowances = Allowances {
    reads: Allowance { size: 250, per_hour: 25 * 3600 },
    writes: Allowance { size: 200, per_hour: 10 * 3600 },
    deletes: Allowance { size: 200, per_hour: 10 * 3600 },
};

/// Queries of logs, of one identity: 200 in 30 seconds. Source: `MicrosoftDocs/azure-monitor-docs`,
/// `articles/azure-monitor/service-limits.md`, "Query API".
pub const QUERIES: Allowance = Allowance { size: 200, per_hour: 24_000 };

/// Windows of an hour (the same page, for the other clouds).
const HOURLY: Allowances = Allowances {
    reads: Allowance { size: 12_000, per_hour: 12_000 },
    writes: Allowance { size: 1_200, per_hour: 1_200 },
    deletes: Allowance { size: 15_000, per_hour: 15_000 },
};

/// Public Azure, US Government and China.
pub const CLOUDS: [Cloud; 3] = [
    Cloud {
        name: "AzureCloud",
        arm_endpoint: "https://management.azure.com",
        arm_scope: "https://management.azure.com/.default",
        logs_endpoint: "https://api.loganalytics.io",
        authority_host: "https://login.microsoftonline.com",
        allowances: PUBLIC,
    },
    Cloud {
        name: "AzureUSGovernment",
        arm_endpoint: "https://management.usgovcloudapi.net",
        // The audience ends in a slash, which a v2 scope must keep.
        arm_scope: "https://management.core.usgovcloudapi.net//.default",
        logs_endpoint: "https://api.loganalytics.us",
        authority_host: "https://login.microsoftonline.us",
        allowances: HOURLY,
    },
    Cloud {
        name: "AzureChinaCloud",
        arm_endpoint: "https://management.chinacloudapi.cn",
        arm_scope: "https://management.core.chinacloudapi.cn//.default",
        logs_endpoint: "https://api.loganalytics.azure.cn",
        authority_host: "https://login.chinacloudapi.cn",
        allowances: HOURLY,
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
            let logs = crate::catalog::services::of_type("Microsoft.OperationalInsights/workspaces").unwrap();
            assert_eq!(logs.audience.get(cloud.name).map(String::as_str), Some(cloud.logs_endpoint));
            for address in [cloud.arm_endpoint, cloud.logs_endpoint, cloud.authority_host] {
                assert!(address.starts_with("https://") && !address.ends_with('/'), "{address}: a path is appended");
            }
            assert!(cloud.arm_scope.ends_with("/.default"), "{}", cloud.arm_scope);
        }
    }
}
