use serde_json::{Value, json};

use super::*;
use crate::catalog::queries::query;

const FIRST: &str = "2026-04-05T01:03:00Z";
const LAST: &str = "2026-04-05T01:19:59.5Z";

/// An answer whose rows are objects; a column that one leaves out is null.
fn rows(source: Source, objects: &[Value]) -> Rows {
    let names: Vec<_> = query(source).columns().iter().collect();
    let columns: Vec<_> = names.iter().map(|(name, kind)| json!({ "name": name, "type": kind })).collect();
    let cells = |object: &Value| names.iter().map(|(name, _)| object[name.as_str()].clone()).collect::<Vec<_>>();
    let rows: Vec<_> = objects.iter().map(cells).collect();
    let answer = json!({ "tables": [{ "name": "PrimaryResult", "columns": columns, "rows": rows }] });
    Rows::read(query(source), &answer).expect("the answer has every column")
}

fn failed(target: &str, result: &str, count: u64, sample: &str) -> Value {
    json!({ "Target": target, "Result": result, "Count": count, "First": FIRST, "Last": LAST, "Sample": sample })
}

#[test]
fn failures_are_ranked_by_target_and_said_in_signals() {
    let rows = rows(
        Source::DependencyFailures,
        &[
            failed("kv.vault.azure.net", "403", 7, "GET /secrets/a?api-version=7.4 ForbiddenByRbac"),
            failed("st.blob.core.windows.net", "403", 90, "AuthorizationPermissionMismatch"),
            failed("st.blob.core.windows.net", "403", 92, "GET https://st.blob.core.windows.net/in?sig=abc"),
            failed("sb.servicebus.windows.net", "0", 3, ""),
        ],
    );
    let summary = summary(Source::DependencyFailures, &rows).unwrap().expect("there are rows");
    let top: Vec<_> = summary.top.iter().map(|it| (it.name.as_str(), it.result.as_str(), it.count)).collect();
    let blob = ("st.blob.core.windows.net", "403", 182);
    assert_eq!(top, [blob, ("kv.vault.azure.net", "403", 7), ("sb.servicebus.windows.net", "0", 3)]);
    assert_eq!((summary.count, summary.more), (192, 0));
    assert_eq!((summary.first, summary.last), (FIRST.parse().unwrap(), LAST.parse().unwrap()));
    let told: Vec<_> = summary.signals.iter().map(|it| (it.signal.as_str(), it.count, it.at.as_str())).collect();
    assert_eq!(
        told,
        [
            ("refused-403", 92, "st.blob.core.windows.net"),
            ("storage-permission", 90, "st.blob.core.windows.net"),
            ("vault-refused-by-rbac", 7, "kv.vault.azure.net"),
            ("no-answer", 3, "sb.servicebus.windows.net"),
        ]
    );
    assert_eq!(
        summary.samples,
        [
            "GET https://st.blob.core.windows.net/in?…",
            "AuthorizationPermissionMismatch",
            "GET /secrets/a?… ForbiddenByRbac",
        ]
    );
}

#[test]
fn a_phrase_counts_although_the_sample_was_cut_before_it() {
    let row = json!({ "Kind": "exceptions", "Said": "ForbiddenByPolicy", "Count": 2, "First": FIRST, "Last": LAST,
        "Sample": "a long text that was cut" });
    let summary = summary(Source::CredentialTraces, &rows(Source::CredentialTraces, &[row])).unwrap().unwrap();
    assert_eq!(summary.signals[0].signal, "vault-refused-by-policy");
}

#[test]
fn functions_that_fail_come_before_those_that_only_run() {
    let row = |name: &str, succeeded: u64, failed: Value| json!({ "Function": name, "Succeeded": succeeded, "Failed": failed, "First": FIRST, "Last": LAST });
    let rows = rows(Source::Invocations, &[row("busy", 900, json!(null)), row("orders", 1, json!(40))]);
    let summary = summary(Source::Invocations, &rows).unwrap().unwrap();
    let top: Vec<_> = summary.top.iter().map(|it| (it.name.as_str(), it.count, it.failed)).collect();
    assert_eq!(top, [("orders", 41, 40), ("busy", 900, 0)]);
    assert!(summary.signals.is_empty() && summary.samples.is_empty());
}

#[test]
fn no_row_is_nothing_and_a_sum_of_nothing_is_nothing() {
    assert_eq!(summary(Source::HostTraces, &rows(Source::HostTraces, &[])).unwrap(), None);
    assert_eq!(series(&rows(Source::FailureSeries, &[])).unwrap(), None);
    assert_eq!(refused(&rows(Source::RefusedPrincipals, &[])).unwrap(), None);
    let nothing = json!({ "Calls": 0, "AuthFailures": 0, "Newest": null });
    assert_eq!(recovery(&rows(Source::Recovery, &[nothing])).unwrap(), None, "silence is no recovery");
    let quiet = json!({ "Calls": 0, "AuthFailures": null, "Newest": LAST });
    let figures = recovery(&rows(Source::Recovery, &[quiet])).unwrap().unwrap();
    assert_eq!((figures.calls, figures.auth_failures), (0, 0));
}

#[test]
fn the_newest_steps_are_kept_in_their_order() {
    let begin = |step: usize| format!("2026-04-05T{:02}:{:02}:00Z", step / 12, step % 12 * 5);
    let row = |step: usize| json!({ "Begin": begin(step), "Calls": 10, "AuthFailures": step, "NetworkFailures": 0 });
    let mut objects: Vec<_> = (0..MOST_STEPS + 4).map(row).collect();
    objects.reverse();
    let steps = series(&rows(Source::FailureSeries, &objects)).unwrap().unwrap();
    let failures: Vec<_> = steps.iter().map(|step| step.auth_failures).collect();
    assert_eq!(failures, (4..MOST_STEPS as u64 + 4).collect::<Vec<_>>());
}

#[test]
fn who_was_refused_is_told_by_resource_and_those_without_an_id_are_nobody() {
    let vault = "/subscriptions/1/resourcegroups/rg/providers/microsoft.keyvault/vaults/kv";
    let row = |id: &str, count: u64| {
        json!({ "Resource": vault, "ObjectId": id, "Result": "403", "Count": count, "First": FIRST, "Last": LAST,
            "Sample": "Caller is not authorized" })
    };
    let one = "05e70000-0000-4000-8000-000000000001";
    let rows = rows(Source::RefusedPrincipals, &[row("", 9), row("app", 8), row(one, 2), row(&one.to_uppercase(), 3)]);
    let refused = refused(&rows).unwrap().unwrap();
    assert_eq!(refused.len(), 1);
    assert_eq!((refused[0].count, refused[0].principal), (5, one.parse().unwrap()));
    assert_eq!(refused[0].resource, Scope::parse(&vault.to_uppercase()).unwrap());
}

#[test]
fn an_answer_in_part_or_of_another_form_is_a_failure() {
    let read = |answer: Value| Rows::read(query(Source::Recovery), &answer).map(|_| ()).unwrap_err().code;
    let column = |name: &str| json!({ "name": name, "type": "long" });
    let all = json!([column("Calls"), column("AuthFailures"), column("NetworkFailures"), column("Newest")]);
    let error = json!({ "code": "PartialError", "message": "There were some errors when processing your query." });
    let table = |columns: &Value, rows: Value| json!({ "columns": columns, "rows": rows });
    assert_eq!(read(json!({ "tables": [table(&all, json!([[1, 2, 0, LAST]]))], "error": error })), "PartialError");
    assert_eq!(read(json!({ "tables": [] })), "UndecodableAnswer");
    assert_eq!(read(json!({ "value": [] })), "UndecodableAnswer");
    assert_eq!(read(json!({ "tables": [table(&json!([column("Calls")]), json!([[1]]))] })), "UndecodableAnswer");
    assert_eq!(read(json!({ "tables": [table(&all, json!([[1, 2]]))] })), "UndecodableAnswer");
    assert_eq!(read(json!({ "tables": [table(&all, json!(vec![[1, 2, 0, 3]; 301]))] })), "UndecodableAnswer");
    for cells in [json!([-1, 0, 0, LAST]), json!([1, "many", 0, LAST]), json!([1, 0, 0, "yesterday"])] {
        let answer = json!({ "tables": [table(&all, json!([cells]))], "error": null });
        let rows = Rows::read(query(Source::Recovery), &answer).expect("it has the form of an answer");
        assert_eq!(recovery(&rows).unwrap_err().code, "UndecodableAnswer", "{cells}");
    }
}

/// All sources together are to leave most of a status for other things: it may have 64 KiB.
#[test]
fn the_longest_evidence_is_a_small_part_of_a_status() {
    let long = |letter: &str| "ü".repeat(600) + letter;
    let everything = crate::catalog::signals::phrases(Table::Exceptions).join("; ");
    let counted = |source: Source| {
        let row = |at: usize| {
            let name = format!("{at}{}", long("x"));
            json!({ "Target": name, "Function": name, "Kind": "exceptions", "Result": long("r"), "Said": everything,
                "Sample": format!("{at}{}", long("s")), "Count": u64::MAX, "Succeeded": u64::MAX, "Failed": u64::MAX,
                "First": FIRST, "Last": LAST })
        };
        let rows = rows(source, &(0..50).map(row).collect::<Vec<_>>());
        serde_json::to_string(&summary(source, &rows).unwrap()).unwrap().len()
    };
    let sources = [Source::DependencyFailures, Source::CredentialTraces, Source::Invocations, Source::HostTraces];
    let mut bytes: usize = sources.into_iter().map(counted).sum();
    let step = json!({ "Begin": LAST, "Calls": u64::MAX, "AuthFailures": u64::MAX, "NetworkFailures": u64::MAX });
    let steps = series(&rows(Source::FailureSeries, &vec![step; 300])).unwrap();
    bytes += serde_json::to_string(&steps).unwrap().len();
    let row = |at: usize| {
        let vault = format!(
            "/subscriptions/{}/resourcegroups/{}/providers/microsoft.keyvault/vaults/kv{at:024}",
            "1".repeat(36),
            "g".repeat(90)
        );
        json!({ "Resource": vault, "ObjectId": "05e70000-0000-4000-8000-000000000001", "Count": u64::MAX, "First": FIRST,
            "Last": LAST, "Sample": long("s") })
    };
    let refused = refused(&rows(Source::RefusedPrincipals, &(0..50).map(row).collect::<Vec<_>>())).unwrap();
    bytes += serde_json::to_string(&refused).unwrap().len();
    assert!((8 * 1024..28 * 1024).contains(&bytes), "{bytes} bytes");
}
