//! The arguments of one verb, as another one takes them to look at the same.

use clap::ValueEnum;

use super::args::{AzureArguments, SubjectArguments};
use crate::report::Report;

/// What `check` is to be given for the policy of a report. `by_name`: the same arguments would find others as well.
pub(super) fn check(
    subjects: &SubjectArguments,
    azure: &AzureArguments,
    report: &Report,
    by_name: bool,
    variable: impl Fn(&str) -> Option<String>,
) -> Vec<String> {
    let from_cluster = subjects.file.is_empty();
    let mut words = Vec::new();
    if by_name || from_cluster || subjects.name.is_some() {
        words.push(report.name.clone());
    }
    let mut flag = |name: &str, value: &str| words.extend([name.to_owned(), value.to_owned()]);
    subjects.file.iter().for_each(|file| flag("-f", &file.to_string_lossy()));
    subjects.boundary.iter().for_each(|file| flag("--boundary", &file.to_string_lossy()));
    let of_cluster = from_cluster.then_some(&report.namespace).filter(|namespace| !namespace.is_empty());
    if let Some(namespace) = of_cluster.or(subjects.namespace.as_ref()) {
        flag("-n", namespace);
    }
    let AzureArguments { cloud, arm_endpoint, logs_endpoint, authority_host, token_source } = azure;
    // What stands in the environment stays there.
    let mut of_azure = |name: &str, default: Option<&str>, given: Option<&str>| {
        let standing = variable(&format!("ROLECALL_{}", name.to_uppercase().replace('-', "_")));
        if let Some(given) = given.filter(|given| standing.as_deref().or(default) != Some(*given)) {
            flag(&format!("--{name}"), given);
        }
    };
    of_azure("cloud", Some("AzureCloud"), word(cloud).as_deref());
    of_azure("arm-endpoint", None, arm_endpoint.as_deref());
    of_azure("logs-endpoint", None, logs_endpoint.as_deref());
    of_azure("authority-host", None, authority_host.as_deref());
    of_azure("token-source", Some("auto"), word(token_source).as_deref());
    words
}

fn word(value: &impl ValueEnum) -> Option<String> {
    Some(value.to_possible_value()?.get_name().to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::{
        cli::args::{Arguments, Verb},
        policy::PolicyError,
        report::PassResult,
    };

    fn again(arguments: &[&str], by_name: bool, variables: &[(&str, &str)]) -> String {
        let Ok(arguments) = Arguments::try_parse_from(["rolecall", "explain"].iter().chain(arguments)) else {
            panic!("{arguments:?} are arguments")
        };
        let Verb::Explain(verb) = arguments.verb else { panic!("they are of `explain`") };
        let finding = PassResult::Invalid(PolicyError { violations: Vec::new() });
        let (namespace, name) = ("payments".to_owned(), "orders".to_owned());
        let report = Report { namespace, name, generation: 1, at: jiff::Timestamp::UNIX_EPOCH, finding };
        let variable = |name: &str| {
            let known = variables.iter().find(|(known, _)| *known == name);
            known.map(|(_, value)| (*value).to_owned())
        };
        check(&verb.subjects, &verb.azure, &report, by_name, variable).join(" ")
    }

    #[test]
    fn the_same_policy_is_found_where_it_was_found() {
        assert_eq!(again(&[], false, &[]), "orders -n payments");
        assert_eq!(again(&["-A"], false, &[]), "orders -n payments");
        assert_eq!(again(&["--boundary", "b.yaml"], false, &[]), "orders --boundary b.yaml -n payments");
        let files = ["-f", "p.yaml", "-f", "q.yaml", "--boundary", "b.yaml"];
        assert_eq!(again(&files, false, &[]), "-f p.yaml -f q.yaml --boundary b.yaml");
        assert_eq!(again(&["-f", "p.yaml", "--target", "func-orders"], true, &[]), "orders -f p.yaml");
        assert_eq!(again(&["-f", "p.yaml", "-n", "billing"], false, &[]), "-f p.yaml -n billing");
    }

    #[test]
    fn azure_is_reached_as_before_and_the_environment_is_left_alone() {
        let arguments = ["-f", "p.yaml", "--arm-endpoint", "http://127.0.0.1:1", "--token-source", "static"];
        let told = "-f p.yaml --arm-endpoint http://127.0.0.1:1 --token-source static";
        assert_eq!(again(&arguments, false, &[]), told);
        let variables = [("ROLECALL_ARM_ENDPOINT", "http://127.0.0.1:1"), ("ROLECALL_TOKEN_SOURCE", "static")];
        assert_eq!(again(&arguments, false, &variables), "-f p.yaml");
        let china = ["-f", "p.yaml", "--cloud", "AzureChinaCloud"];
        assert_eq!(again(&china, false, &[]), "-f p.yaml --cloud AzureChinaCloud");
    }
}
