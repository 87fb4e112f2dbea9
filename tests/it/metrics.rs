//! Metrics keep their names, and know every word that the program says.

use std::{collections::BTreeSet, fs, path::Path};

use rolecall::{
    controller::{Health, serve, serve_metrics},
    metrics::{Metrics, Tally},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// The text of every source file below `src/folder` and of `src/folder.rs`.
fn sources(folder: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut text = fs::read_to_string(root.join(format!("{folder}.rs"))).expect("a module");
    for entry in fs::read_dir(root.join(folder)).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|ending| ending == "rs") {
            text.push_str(&fs::read_to_string(path).expect("a source file"));
        }
    }
    text
}

/// The strings between quotes in the function that begins after `from` with `head`.
fn quoted(text: &str, from: &str, head: &str) -> BTreeSet<String> {
    let (_, rest) = text.split_once(from).unwrap_or_else(|| panic!("`{from}` is somewhere else now"));
    let (_, body) = rest.split_once(head).unwrap_or_else(|| panic!("`{head}` is somewhere else now"));
    let end = body.find("\n    }\n").or_else(|| body.find("\n}\n")).expect("functions end");
    body[..end].split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The words that a tally counts as `other`.
fn unknown(words: &BTreeSet<String>, count: impl Fn(&mut Tally, &str), label: &str) -> Vec<String> {
    assert!(words.len() > 5, "{words:?}");
    let is_unknown = |word: &&String| {
        let metrics = Metrics::default();
        let mut tally = Tally::default();
        count(&mut tally, word);
        metrics.tally_by(move || Some(tally.clone()));
        !metrics.scrape().contains(&format!("{label}=\"{word}\""))
    };
    words.iter().filter(is_unknown).cloned().collect()
}

#[test]
fn every_finding_hold_and_reason_has_a_series_of_its_own() {
    let hint = "add it to src/metrics/words.rs, or it is counted as `other`";
    let codes = quoted(&sources("evaluate/finding"), "impl Finding {", "fn code(&self)");
    assert_eq!(unknown(&codes, Tally::finding, "code"), Vec::<String>::new(), "{hint}");
    let holds = quoted(&sources("plan"), "impl HoldReason {", "fn word(&self)");
    assert_eq!(unknown(&holds, Tally::held, "reason"), Vec::<String>::new(), "{hint}");

    let report = sources("report");
    let rows = report.split("ready(\"").skip(1).filter_map(|row| {
        let mut parts = row.split('"');
        let (_status, between, reason) = (parts.next()?, parts.next()?, parts.next()?);
        (between == ", ").then(|| reason.to_owned())
    });
    let mut reasons: BTreeSet<_> = rows.collect();
    assert!(reasons.contains("Compliant") && reasons.len() > 10, "{reasons:?}");
    reasons.extend(quoted(&report, "fn waited_since", "fn class_reason"));
    let count = |tally: &mut Tally, reason: &str| tally.policy(Some(("True", reason)));
    assert_eq!(unknown(&reasons, count, "reason"), Vec::<String>::new(), "{hint}");
}

#[test]
fn names_are_conventional_and_no_label_names_an_object() {
    let metrics = Metrics::default();
    let mut seen = BTreeSet::new();
    for metric in metrics.listed() {
        let (name, kind) = (metric.name, metric.kind);
        assert!(seen.insert(name), "{name} is there twice");
        assert!(name.starts_with("rolecall_") || name.starts_with("process_"), "{name}");
        assert_eq!(name.ends_with("_total"), kind == "counter", "{name}");
        assert_eq!(name.ends_with("_info"), kind == "info", "{name}");
        assert!(kind != "histogram" || name.ends_with("_seconds"), "{name}");
        assert!(!metric.help.ends_with('.') && metric.help.len() > 10, "{name}: {}", metric.help);
        for label in &metric.labels {
            assert!(!["policy", "namespace", "name", "subscription", "scope"].contains(label), "{name}: {label}");
        }
    }
}

#[test]
fn the_docs_speak_of_metrics_that_exist() {
    let listed: BTreeSet<_> = Metrics::default().listed().iter().map(|metric| metric.name).collect();
    for (page, text) in
        [("docs/metrics.md", include_str!("../../docs/metrics.md")), ("README.md", include_str!("../../README.md"))]
    {
        for (at, _) in text.match_indices("rolecall_") {
            let end =
                text[at..].find(|c: char| !c.is_ascii_alphanumeric() && c != '_').map_or(text.len(), |it| at + it);
            let name = &text[at..end];
            assert!(listed.contains(name), "{page} speaks of {name}");
        }
        let mut blocks = text.split("```yaml\n").skip(1).filter_map(|block| block.split("```").next());
        assert!(
            blocks.all(|yaml| serde_saphyr::from_str::<serde_json::Value>(yaml).is_ok()),
            "{page} has YAML that is none"
        );
    }
}

#[test]
fn a_scrape_names_each_metric_as_it_is_listed() {
    let metrics = Metrics::default();
    let mut tally = Tally::default();
    tally.policy(None);
    tally.finding("role-missing");
    tally.held("ModeReport");
    metrics.tally_by(move || Some(tally.clone()));
    metrics.changed("GrantRole", "Applied");
    metrics.reconciled(true, std::time::Duration::from_secs(2));
    metrics.status_written(rolecall::metrics::StatusWrite::Written);
    metrics.watch_failed("policies");
    metrics.arm_retried("other");
    metrics.arm_request("other").answered(429, true);
    metrics.breaker_open(2);
    metrics.started("2026-03-02T09:00:00.5Z".parse().expect("a time"));
    let scrape = metrics.scrape();
    for metric in metrics.listed() {
        let series = match metric.kind {
            "histogram" => format!("{}_count", metric.name),
            _ => metric.name.to_owned(),
        };
        let labels: Vec<_> = metric.labels.iter().map(|label| format!("{label}=\"")).collect();
        let line = scrape
            .lines()
            .find(|line| line.starts_with(&format!("{series}{{")) || line.starts_with(&format!("{series} ")));
        let line = line.unwrap_or_else(|| panic!("no {series} in\n{scrape}"));
        assert_eq!(line.contains('{'), !labels.is_empty(), "{line}");
        assert!(labels.iter().all(|label| line.contains(label)), "{line}");
        let family = metric.name.trim_end_matches("_total").trim_end_matches("_info");
        assert!(scrape.contains(&format!("# TYPE {family} {}\n", metric.kind)), "{scrape}");
        assert!(scrape.contains(&format!("# HELP {family} {}.\n", metric.help)), "{scrape}");
    }
    for line in [
        "rolecall_breakers_open 2.0",
        "process_start_time_seconds 1772442000.5",
        "rolecall_reconcile_duration_seconds_sum{result=\"ok\"} 2.0",
        "rolecall_arm_throttled_total{operation=\"other\"} 1",
        "# UNIT rolecall_reconcile_duration_seconds seconds",
    ] {
        assert!(scrape.lines().any(|other| other == line), "no `{line}` in\n{scrape}");
    }
    if cfg!(target_os = "linux") {
        let memory = scrape.lines().find_map(|line| line.strip_prefix("process_resident_memory_bytes "));
        assert!(memory.and_then(|it| it.parse::<f64>().ok()).is_some_and(|it| it > 1e6), "{memory:?}");
    }
}

/// A listener on this machine that answers in the background, and its address.
async fn served<F: Future<Output = ()> + Send + 'static>(answer: impl FnOnce(TcpListener) -> F) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound").to_string();
    tokio::spawn(answer(listener));
    address
}

/// Everything that is answered to one GET, until the connection ends.
async fn get(address: &str, path: &str) -> String {
    let mut connection = TcpStream::connect(address).await.expect("it listens");
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n");
    connection.write_all(request.as_bytes()).await.expect("it reads");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.expect("it answers and closes");
    answer
}

#[tokio::test]
async fn a_scrape_says_what_it_is_and_each_listener_answers_its_own_pages() {
    let metrics = served(|listener| serve_metrics(listener, Metrics::default())).await;
    let probes = served(|listener| serve(listener, Health::default())).await;
    let scrape = get(&metrics, "/metrics").await;
    assert!(scrape.starts_with("HTTP/1.1 200 OK\r\n"), "{scrape}");
    assert!(
        scrape.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"),
        "{scrape}"
    );
    assert!(scrape.contains("\nrolecall_build_info{version=\"") && scrape.ends_with("# EOF\n"), "{scrape}");
    for (address, path) in [(&metrics, "/"), (&metrics, "/healthz"), (&metrics, "/metrics/x"), (&probes, "/metrics")] {
        assert!(get(address, path).await.starts_with("HTTP/1.1 404 Not Found\r\n"), "{path}");
    }
    assert!(get(&probes, "/healthz").await.starts_with("HTTP/1.1 200 OK\r\n"));
    assert!(get(&probes, "/readyz").await.starts_with("HTTP/1.1 503 "));
}

#[tokio::test]
async fn whoever_holds_connections_open_keeps_no_probe_from_its_answer() {
    let metrics = served(|listener| serve_metrics(listener, Metrics::default())).await;
    let probes = served(|listener| serve(listener, Health::default())).await;
    let mut silent = Vec::new();
    for _ in 0..300 {
        silent.push(TcpStream::connect(&metrics).await.expect("the system takes it"));
    }
    assert!(get(&probes, "/healthz").await.starts_with("HTTP/1.1 200 OK\r\n"));
    // The silent ones are dropped after ten seconds, and the next scrape is answered.
    let scrape = tokio::time::timeout(std::time::Duration::from_secs(30), get(&metrics, "/metrics")).await;
    assert!(scrape.expect("in time").ends_with("# EOF\n"));
    drop(silent);
}
