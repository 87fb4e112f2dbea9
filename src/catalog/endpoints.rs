//! Where a resource answers in a cloud, and whether an address in a setting is that place. The figures are those of
//! `services.yaml`.

use super::services::{self, Service};
use crate::model::{
    Scope,
    settings::{Address, Member, Path},
};

/// What a service expects of whoever calls a resource of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The value that the setting should have. A part in angle brackets is not known from the resource's id.
    pub canonical: String,
    /// The audience of its tokens.
    pub audience: String,
}

/// The resource that a setting must name.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The resource.
    pub resource: &'a Scope,
    /// Which setting.
    pub member: Member,
    /// For `serviceUri` of a storage account: which service is meant.
    pub service: Member,
    /// The cloud, by name.
    pub cloud: &'a str,
}

/// The short form means an account of the public cloud.
const PUBLIC: &str = "AzureCloud";

impl Expected<'_> {
    /// What is wrong with an address: none when it is the resource's. None too where the table does not say where
    /// the resource answers.
    #[must_use]
    pub fn contradicts(&self, address: Option<&Address>) -> Option<Endpoint> {
        let endpoint = self.endpoint()?;
        let right = address.is_some_and(|address| self.is_right(address));
        (!right).then_some(endpoint)
    }

    /// Where the resource answers; none where the table does not say.
    #[must_use]
    pub fn endpoint(&self) -> Option<Endpoint> {
        let service = self.of_table()?;
        let audience = service.audience.get(self.cloud).or_else(|| service.audience.get(PUBLIC))?.clone();
        if self.member == Member::AccountName && self.cloud == PUBLIC {
            return Some(Endpoint { canonical: self.resource.name().to_ascii_lowercase(), audience });
        }
        let host = self.labels(service, service.suffix.get(self.cloud)?)?.join(".");
        let canonical = match self.member {
            Member::FullyQualifiedNamespace => host,
            Member::TopicEndpointUri => format!("https://{host}/api/events"),
            _ => format!("https://{host}"),
        };
        Some(Endpoint { canonical, audience })
    }

    fn is_right(&self, address: &Address) -> bool {
        let Some(service) = self.of_table() else { return true };
        let Address { scheme, host, port, path } = address;
        if self.member == Member::AccountName {
            return self.cloud == PUBLIC && self.resource.name().eq_ignore_ascii_case(host);
        }
        let form = if self.member == Member::FullyQualifiedNamespace {
            // A URI is taken as well: `serviceBusEndpoint` of Resource Manager ends in `:443/`.
            matches!(scheme, None | Some("https" | "sb")) && port.is_none_or(|port| port == 443) && *path == Path::None
        } else {
            let path_fits = *path == Path::None || (*path == Path::Events && self.member == Member::TopicEndpointUri);
            *scheme == Some("https") && port.is_none_or(|port| port == 443) && path_fits
        };
        form && self.is_host(service, host)
    }

    fn is_host(&self, service: &Service, host: &str) -> bool {
        let answers_at = |suffix: &String| {
            let labels = self.labels(service, suffix).unwrap_or_default();
            let expected = labels.join(".");
            let (expected, given): (Vec<_>, Vec<_>) = (expected.split('.').collect(), host.split('.').collect());
            expected.len() == given.len() && expected.iter().zip(&given).all(|(expected, given)| fits(expected, given))
        };
        match service.suffix.get(self.cloud) {
            None => true,
            // The owner chose the name, and services of that kind have other names besides: only another cloud's is wrong.
            Some(own) if service.hosts.as_ref().is_some_and(|hosts| hosts.starts_with("{subdomain}")) => {
                let ends = |suffix: &String| host.ends_with(&format!(".{suffix}"));
                ends(own) || !service.suffix.values().any(ends)
            }
            Some(own) => answers_at(own) || (service.name == "Storage" && self.is_in_a_zone(host)),
        }
    }

    /// An account that was made with endpoints in zones answers at `{account}.z01.blob.storage.azure.net`.
    fn is_in_a_zone(&self, host: &str) -> bool {
        let name = self.resource.name().to_ascii_lowercase();
        let part = self.part().unwrap_or_default();
        let rest = host.strip_prefix(&format!("{name}.z")).and_then(|rest| rest.strip_suffix(".storage.azure.net"));
        let zone = rest.and_then(|rest| rest.strip_suffix(&format!(".{part}")));
        self.cloud == PUBLIC && zone.is_some_and(|zone| !zone.is_empty() && zone.chars().all(|c| c.is_ascii_digit()))
    }

    fn of_table(&self) -> Option<&'static Service> {
        services::of_type(&self.resource.resource_type()?)
    }

    /// The host's labels: the resource's name where that is in it, and `<…>` for what its id does not tell.
    fn labels(&self, service: &Service, suffix: &str) -> Option<Vec<String>> {
        let name = self.resource.name().to_ascii_lowercase();
        let mut labels = Vec::new();
        for (position, label) in service.hosts.as_ref()?.split('.').enumerate() {
            labels.push(match label {
                "{suffix}" => suffix.to_owned(),
                "{subdomain}" => "<subdomain>".to_owned(),
                _ if position == 0 => name.clone(),
                _ if label.contains('|') => self.part()?.to_owned(),
                _ => label.replace('{', "<").replace('}', ">"),
            });
        }
        Some(labels)
    }

    /// Which of a storage account's services.
    fn part(&self) -> Option<&'static str> {
        let member = if self.member == Member::ServiceUri { self.service } else { self.member };
        match member {
            Member::BlobServiceUri | Member::AccountName => Some("blob"),
            Member::QueueServiceUri => Some("queue"),
            Member::TableServiceUri => Some("table"),
            _ => None,
        }
    }
}

/// `<region>-1` stands for any label that ends so.
fn fits(expected: &str, given: &str) -> bool {
    match expected.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
        None => expected == given,
        Some((_, end)) => given.strip_suffix(end).is_some_and(|rest| !rest.is_empty()),
    }
}

/// Whether a host name is one of a service's, in any cloud. Others may be anything and are not repeated.
#[must_use]
pub fn is_known_host(host: &str) -> bool {
    let mut suffixes = services::services().iter().flat_map(|service| service.suffix.values());
    suffixes.any(|suffix| host.ends_with(&format!(".{suffix}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AppSettings, settings::Setting};

    fn right(resource: &str, member: Member, cloud: &str, value: &str) -> bool {
        let id = format!("/subscriptions/1/resourceGroups/r/providers/{resource}");
        let resource = Scope::parse(&id).unwrap();
        let setting = member.of("X");
        let settings = AppSettings::read([(setting.as_str(), value)]);
        let Some(Setting::Address(address)) = settings.get(&setting) else { panic!("{member} is an address") };
        let expected = Expected { resource: &resource, member, service: Member::QueueServiceUri, cloud };
        expected.contradicts(address.as_ref()).is_none()
    }

    const ACCOUNT: &str = "Microsoft.Storage/storageAccounts/stOne";
    const BUS: &str = "Microsoft.ServiceBus/namespaces/sb-one";
    const TOPIC: &str = "Microsoft.EventGrid/topics/one";
    const COSMOS: &str = "Microsoft.DocumentDB/databaseAccounts/one";
    const OPENAI: &str = "Microsoft.CognitiveServices/accounts/one";

    #[test]
    fn the_address_of_the_resource_in_its_cloud_is_right() {
        use Member as M;
        let cases = [
            (ACCOUNT, M::BlobServiceUri, "AzureCloud", "https://stone.blob.core.windows.net/"),
            (ACCOUNT, M::BlobServiceUri, "AzureCloud", "https://stone.z07.blob.storage.azure.net"),
            (ACCOUNT, M::TableServiceUri, "AzureChinaCloud", "https://stone.table.core.chinacloudapi.cn"),
            (ACCOUNT, M::ServiceUri, "AzureCloud", "https://stone.queue.core.windows.net"),
            (ACCOUNT, M::AccountName, "AzureCloud", "stone"),
            (BUS, M::FullyQualifiedNamespace, "AzureUSGovernment", "SB-one.servicebus.usgovcloudapi.net"),
            (BUS, M::FullyQualifiedNamespace, "AzureCloud", "https://sb-one.servicebus.windows.net:443/"),
            (TOPIC, M::TopicEndpointUri, "AzureCloud", "https://one.westeurope-1.eventgrid.azure.net/api/events"),
            (COSMOS, M::AccountEndpoint, "AzureCloud", "https://one.documents.azure.com:443/"),
            (OPENAI, M::Endpoint, "AzureCloud", "https://chosen.openai.azure.com/"),
            (OPENAI, M::Endpoint, "AzureCloud", "https://chosen.cognitiveservices.azure.com/"),
        ];
        for (resource, member, cloud, value) in cases {
            assert!(right(resource, member, cloud, value), "{member} = {value} in {cloud}");
        }
    }

    #[test]
    fn another_name_cloud_service_scheme_port_or_path_is_wrong() {
        use Member as M;
        let cases = [
            (ACCOUNT, M::BlobServiceUri, "AzureCloud", "https://sttwo.blob.core.windows.net"),
            (ACCOUNT, M::BlobServiceUri, "AzureUSGovernment", "https://stone.blob.core.windows.net"),
            (ACCOUNT, M::QueueServiceUri, "AzureCloud", "https://stone.blob.core.windows.net"),
            (ACCOUNT, M::ServiceUri, "AzureCloud", "https://stone.blob.core.windows.net"),
            (ACCOUNT, M::BlobServiceUri, "AzureCloud", "http://stone.blob.core.windows.net"),
            (ACCOUNT, M::BlobServiceUri, "AzureCloud", "stone.blob.core.windows.net"),
            (ACCOUNT, M::BlobServiceUri, "AzureCloud", "https://stone.blob.core.windows.net/uploads"),
            (ACCOUNT, M::BlobServiceUri, "AzureCloud", "https://stone.z07.queue.storage.azure.net"),
            (ACCOUNT, M::AccountName, "AzureCloud", "sttwo"),
            (ACCOUNT, M::AccountName, "AzureChinaCloud", "stone"),
            (BUS, M::FullyQualifiedNamespace, "AzureCloud", "sb-one.servicebus.windows.net:5671"),
            (BUS, M::FullyQualifiedNamespace, "AzureCloud", "sb-one"),
            (TOPIC, M::TopicEndpointUri, "AzureCloud", "https://two.westeurope-1.eventgrid.azure.net/api/events"),
            (TOPIC, M::TopicEndpointUri, "AzureCloud", "https://one.eventgrid.azure.net/api/events"),
            (COSMOS, M::AccountEndpoint, "AzureCloud", "https://one.documents.azure.com:444/"),
            (OPENAI, M::Endpoint, "AzureUSGovernment", "https://chosen.openai.azure.com"),
        ];
        for (resource, member, cloud, value) in cases {
            assert!(!right(resource, member, cloud, value), "{member} = {value} in {cloud}");
        }
    }

    #[test]
    fn what_is_told_is_the_value_to_set_and_the_audience() {
        let id = "/subscriptions/1/resourceGroups/r/providers/Microsoft.EventGrid/topics/One";
        let resource = Scope::parse(id).unwrap();
        let member = Member::TopicEndpointUri;
        let told = Expected { resource: &resource, member, service: member, cloud: "AzureUSGovernment" }.endpoint();
        let canonical = "https://one.<region>-1.eventgrid.azure.us/api/events".to_owned();
        let audience = "https://eventgrid.azure.net".to_owned();
        assert_eq!(told, Some(Endpoint { canonical, audience }));
    }
}
