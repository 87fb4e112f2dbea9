//! The command line as a person sees it: exit code, stdout and stderr, against the simulator over HTTP.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// A `rolecall sandbox` process on a free port; ends with the test.
struct Simulator {
    process: Child,
    url: String,
}

impl Simulator {
    fn start(world: &str) -> Self {
        let mut process = command()
            .args(["sandbox", "--world", world, "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the simulator starts");
        let stdout = process.stdout.take().expect("stdout is piped");
        let url = BufReader::new(stdout).lines().next().expect("it prints its address").expect("in UTF-8");
        Self { process, url }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rolecall"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).env_clear();
    command
}

/// Exit code, stdout and stderr in one text. `against` is the simulator.
fn run(against: Option<&Simulator>, arguments: &[&str]) -> String {
    let mut command = command();
    if let Some(simulator) = against {
        command
            .env("ROLECALL_ARM_ENDPOINT", &simulator.url)
            .env("ROLECALL_TOKEN_SOURCE", "static")
            .env("ROLECALL_TOKEN", "a-token-for-tests");
    }
    let output = command.args(arguments).output().expect("the binary runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let told = format!(
        "$ rolecall {}\nexit code: {}\n----- stdout -----\n{}----- stderr -----\n{}",
        arguments.join(" "),
        output.status.code().unwrap_or(-1),
        text(&output.stdout),
        text(&output.stderr)
    );
    // What differs between machines and runs.
    told.replace(env!("CARGO_TARGET_TMPDIR"), "TMP")
}

/// When facts were seen is the real time of the run. One time is as long as another, so lines break where they did.
fn without_times(text: &str) -> String {
    let is_time = |word: &str| {
        let word = word.trim_start_matches("(seen").trim_end_matches(')');
        word.len() >= 9 && word.ends_with('Z') && word.get(word.len() - 4..word.len() - 3) == Some(":")
    };
    let blank = |word: &str| {
        let digits = word.chars().map(|one| if one.is_ascii_digit() { '0' } else { one });
        if is_time(word.trim_end()) && !word.starts_with("2025-") { digits.collect() } else { word.to_owned() }
    };
    text.split_inclusive([' ', '\n']).map(blank).collect()
}

/// A file of its own for each test.
fn scratch(name: &str, text: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = folder.join(name);
    std::fs::write(&path, text).expect("the folder for tests is writable");
    path
}

fn example(name: &str) -> String {
    crate::azure::file(name)
}

macro_rules! snapshot {
    ($name:literal, $text:expr) => {
        insta::with_settings!({
            snapshot_path => "snapshots/cli",
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, { insta::assert_snapshot!($name, $text) })
    };
}

#[test]
fn check_tells_drift_and_exits_2() {
    let simulator = Simulator::start("examples/orders/world.yaml");
    snapshot!("check-drift", run(Some(&simulator), &["check", "-f", "examples/orders/policy.yaml"]));
}

#[test]
fn plan_shows_the_requests_that_enforce_would_send() {
    let simulator = Simulator::start("examples/orders/world.yaml");
    let arguments = [
        "plan",
        "-f",
        "examples/orders/policy.yaml",
        "--boundary",
        "examples/orders/boundary.yaml",
        "--mode",
        "enforce",
    ];
    snapshot!("plan-enforce", run(Some(&simulator), &arguments));
}

#[test]
fn explain_tells_the_evidence_for_and_against_and_what_to_do() {
    let simulator = Simulator::start("examples/orders/world.yaml");
    let text = run(Some(&simulator), &["explain", "-f", "examples/orders/policy.yaml"]);
    // Lines are wrapped by what they say, and a time is as long as any other.
    snapshot!("explain", without_times(&text));
    let by_app = run(Some(&simulator), &["explain", "-f", "examples/orders/policy.yaml", "--target", "func-orders"]);
    assert!(by_app.contains("ACT ON THIS"), "{by_app}");
    let text = run(Some(&simulator), &["explain", "-f", "examples/orders/policy.yaml", "--target", "func-other"]);
    snapshot!("explain-nobody", text);
}

#[test]
fn explain_as_json_has_the_evidence_of_each_hypothesis() {
    let simulator = Simulator::start("examples/orders/world.yaml");
    let text = run(Some(&simulator), &["explain", "-o", "json", "-f", "examples/orders/policy.yaml"]);
    let json = &text[text.find('{').expect("JSON")..=text.rfind('}').expect("JSON")];
    let json: serde_json::Value = serde_json::from_str(json).expect("stdout is JSON");
    assert_eq!(json["exitCode"], 2);
    let policy = &json["policies"][0];
    assert_eq!((&policy["severity"], &policy["cause"]), (&"SEV-1".into(), &"H2".into()));
    let cases = policy["hypotheses"].as_array().expect("a list");
    assert_eq!(cases.len(), 6);
    let cited = |case: &serde_json::Value, side: &str| case[side].as_array().map_or(0, Vec::len);
    assert_eq!((cases[1]["verdict"].as_str(), cited(&cases[1], "confirming")), (Some("confirmed"), 1));
    assert!(cases[3]["verdict"] == "refuted" && cited(&cases[3], "disproving") > 0, "{}", cases[3]);
    assert!(cases[0]["verdict"] == "open" && cited(&cases[0], "needed") > 0, "{}", cases[0]);
    let fact = &cases[1]["confirming"][0];
    assert!(fact["resource"].is_string() && fact["at"].is_string() && fact["field"] == "roleAssignments", "{fact}");
    assert_eq!(policy["chain"].as_array().map(Vec::len), Some(5));
}

#[test]
fn check_exits_0_when_everything_is_there() {
    let simulator = Simulator::start("examples/orders/world.yaml");
    // Without the trigger whose role is missing.
    let policy = example("policy.yaml");
    let from = policy.find("    - name: uploads").expect("the example has the trigger");
    let to = policy.find("  vaults:").expect("the example has vaults");
    let path = scratch("compliant.yaml", &format!("{}{}", &policy[..from], &policy[to..]));
    let arguments = ["check", "-f", path.to_str().expect("UTF-8"), "--strict"];
    snapshot!("check-compliant", run(Some(&simulator), &arguments[..3]));
    let strict = run(Some(&simulator), &arguments);
    assert!(strict.contains("exit code: 2\n") && strict.contains("1 drifted"), "advice counts: {strict}");
}

#[test]
fn grants_that_may_not_act_yet_are_counted_as_waiting() {
    let now = rolecall::clock::Clock::System.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let anew = |line: &str| match line.find("On: \"2025-11-0") {
        Some(at) => format!("{}On: \"{now}\"\n", &line[..at]),
        None => format!("{line}\n"),
    };
    let world: String = example("world.yaml").lines().map(anew).collect();
    let world = scratch("waiting-world.yaml", &world);
    let simulator = Simulator::start(world.to_str().expect("UTF-8"));
    let policy = example("policy.yaml");
    let from = policy.find("    - name: uploads").expect("the example has the trigger");
    let to = policy.find("  vaults:").expect("the example has vaults");
    let path = scratch("waiting.yaml", &format!("{}{}", &policy[..from], &policy[to..]));
    let arguments = ["check", "-f", path.to_str().expect("UTF-8"), "--allow-propagating"];
    let text = run(Some(&simulator), &arguments[..3]);
    assert!(text.contains("\nWAITING ") && text.contains("exit code: 2\n"), "{text}");
    assert!(text.contains("1 checked: 0 compliant, 0 drifted, 1 waiting, 0 undetermined, 0 in error"), "{text}");
    let forgiven = run(Some(&simulator), &arguments);
    assert!(
        forgiven.contains("exit code: 0\n") && forgiven.contains("1 compliant, 0 drifted, 0 waiting"),
        "{forgiven}"
    );
}

#[test]
fn what_check_says_of_what_it_could_not_read_fits_80_columns() {
    let nobody = Simulator { url: "http://127.0.0.1:1".to_owned(), process: sleeper() };
    let text = run(Some(&nobody), &["check", "-f", "examples/orders/policy.yaml"]);
    assert!(text.contains("  - unreadable ["), "{text}");
    // Ids stay whole.
    let long = |line: &&str| line.chars().count() > 80 && line.split_whitespace().count() > 2;
    let long: Vec<_> = text.lines().filter(|line| line.starts_with(' ')).filter(long).collect();
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn check_exits_3_when_azure_does_not_answer() {
    let nobody = Simulator { url: "http://127.0.0.1:1".to_owned(), process: sleeper() };
    let text = run(Some(&nobody), &["check", "-f", "examples/orders/policy.yaml"]);
    assert!(text.contains("exit code: 3") && text.contains("TransportError"), "{text}");
}

fn sleeper() -> Child {
    command().arg("--version").stdout(Stdio::null()).spawn().expect("the binary runs")
}

#[test]
fn an_app_that_is_not_there_is_an_error() {
    let simulator = Simulator::start("examples/orders/world.yaml");
    let path = scratch("gone.yaml", &example("policy.yaml").replace("sites/func-orders", "sites/func-ordres"));
    snapshot!("check-target-not-found", run(Some(&simulator), &["check", "-f", path.to_str().expect("UTF-8")]));
}

#[test]
fn an_unknown_field_is_refused_with_the_nearest_name() {
    let path = scratch("typo.yaml", &example("policy.yaml").replace("  mode: Report", "  mdoe: Enforce"));
    snapshot!("check-unknown-field", run(None, &["check", "-f", path.to_str().expect("UTF-8")]));
}

#[test]
fn a_policy_that_contradicts_itself_names_every_mistake() {
    let simulator = Simulator::start("examples/orders/world.yaml");
    let text = example("policy.yaml")
        .replace("    system: Required", "    system: Forbidden")
        .replace("    bus: Microsoft.ServiceBus", "    bus: Microsoft.EventHub")
        .replace("  mode: Report", "  mode: Report\n  interval: 5s");
    let path = scratch("contradictory.yaml", &text);
    snapshot!("check-invalid", run(Some(&simulator), &["check", "-f", path.to_str().expect("UTF-8")]));
}

#[test]
fn a_misspelt_name_is_answered_with_the_one_that_was_meant() {
    let text = example("policy.yaml").replace("type: serviceBusTrigger", "type: serviceBusTriger").replacen(
        "identity: system",
        "identity: sytem",
        1,
    );
    let path = scratch("misspelt.yaml", &text);
    snapshot!("check-misspelt", run(None, &["check", "-f", path.to_str().expect("UTF-8")]));
    let path = scratch("misspelt-mode.yaml", &example("policy.yaml").replace("mode: Report", "mode: Reprot"));
    snapshot!("check-misspelt-mode", run(None, &["check", "-f", path.to_str().expect("UTF-8")]));
}

#[test]
fn a_role_that_nobody_knows_is_named_with_the_nearest() {
    let simulator = Simulator::start("examples/orders/world.yaml");
    let grant = "  grants:\n    - {role: Storage Blob Data Reeder, resource: app, identity: system}\n  vaults:";
    let path = scratch("role.yaml", &example("policy.yaml").replace("  vaults:", grant));
    let text = run(Some(&simulator), &["plan", "-f", path.to_str().expect("UTF-8")]);
    assert!(text.contains("did\n    you mean `Storage Blob Data Reader`?"), "{text}");
    assert!(text.contains("no role of that name is known there"), "{text}");
}

#[test]
fn a_boundary_for_another_namespace_is_named_to_whoever_gave_its_file() {
    let boundary = example("boundary.yaml").replace("names: [payments]", "names: [billing]");
    let path = scratch("elsewhere.yaml", &boundary);
    let arguments = ["check", "-f", "examples/orders/policy.yaml", "--boundary", path.to_str().expect("UTF-8")];
    snapshot!("check-outside-boundary", run(None, &arguments));
}

#[test]
fn a_name_selects_among_the_policies_of_files() {
    let simulator = Simulator::start("examples/orders/world.yaml");
    let both =
        format!("{}\n---\n{}", example("policy.yaml"), example("policy.yaml").replace("name: orders", "name: other"));
    let path = scratch("two.yaml", &both);
    let path = path.to_str().expect("UTF-8");
    let text = run(Some(&simulator), &["check", "orders", "-f", path]);
    assert!(text.contains("payments/orders") && text.contains("1 checked"), "{text}");
    let text = run(Some(&simulator), &["check", "ordesr", "-f", path]);
    assert!(text.contains("exit code: 1\n") && text.contains("hold no FunctionIdentityPolicy `ordesr`"), "{text}");
    assert!(text.contains("did you mean `orders`?"), "{text}");
}

#[test]
fn wrong_usage_is_an_error_and_no_drift() {
    for arguments in [&["check", "--bogus"][..], &["chek"], &["check", "-A", "orders"], &["plan", "--mode", "Hope"]] {
        let text = run(None, arguments);
        assert!(text.contains("exit code: 1\n"), "{text}");
    }
    assert!(run(None, &["--version"]).contains("exit code: 0\n"));
}

#[test]
fn a_lease_without_time_for_a_write_is_refused() {
    for (duration, why) in [("14s", "the minimum is 15s"), ("11m", "the maximum is 600s"), ("soon", "not a duration")] {
        let text = run(None, &["run", "--lease-duration", duration]);
        assert!(text.contains("exit code: 1\n") && text.contains(why), "{text}");
    }
}

#[test]
fn a_boundary_file_without_a_boundary_does_not_mean_no_boundary() {
    let text = run(None, &["check", "-f", "examples/orders/policy.yaml", "--boundary", "examples/orders/policy.yaml"]);
    assert!(text.contains("exit code: 1\n") && text.contains("hold no IdentityBoundary"), "{text}");
}

#[test]
fn allow_propagating_forgives_what_is_granted_and_not_settled() {
    let world = example("world.yaml").replace("2025-11-03T08:15:42.1234567Z", &jiff_now());
    let world = scratch("young.yaml", &world);
    let simulator = Simulator::start(world.to_str().expect("UTF-8"));
    // Without the trigger whose role is missing.
    let policy = example("policy.yaml");
    let from = policy.find("    - name: uploads").expect("the example has the trigger");
    let to = policy.find("  vaults:").expect("the example has vaults");
    let path = scratch("young-policy.yaml", &format!("{}{}", &policy[..from], &policy[to..]));
    let path = path.to_str().expect("UTF-8");
    let plain = run(Some(&simulator), &["check", "-f", path]);
    assert!(plain.contains("exit code: 2\n") && plain.contains("WAITING  payments/orders"), "{plain}");
    let forgiving = run(Some(&simulator), &["check", "-f", path, "--allow-propagating"]);
    assert!(forgiving.contains("exit code: 0\n") && forgiving.contains("1 compliant"), "{forgiving}");
}

/// The processes under test live by the wall clock.
#[expect(clippy::disallowed_methods, reason = "other processes are compared with it")]
fn jiff_now() -> String {
    jiff::Timestamp::now().to_string()
}

#[test]
fn the_demo_as_json_has_an_entry_for_each_scenario() {
    let text = run(None, &["demo", "-o", "json"]);
    assert!(text.contains("exit code: 0\n"), "{text}");
    let json = &text[text.find('{').expect("JSON")..=text.rfind('}').expect("JSON")];
    let json: serde_json::Value = serde_json::from_str(json).expect("stdout is JSON");
    let scenarios = json["scenarios"].as_array().expect("a list");
    assert_eq!(scenarios.len(), rolecall::sandbox::scenario::all().len());
    for scenario in scenarios {
        assert_eq!(scenario["ok"], true, "{scenario}");
        assert_eq!(scenario["writesSecondPass"], 0, "{scenario}");
        let ready = &scenario["ready"];
        assert!(ready["status"].is_string() && ready["reason"].is_string() && scenario["findings"].is_array());
    }
}

#[test]
fn a_file_without_a_policy_is_an_error() {
    snapshot!("check-nothing", run(None, &["check", "-f", "examples/orders/boundary.yaml"]));
}

#[test]
fn json_has_the_status_of_the_resource() {
    let simulator = Simulator::start("examples/orders/world.yaml");
    let text = run(Some(&simulator), &["check", "-o", "json", "-f", "examples/orders/policy.yaml"]);
    let start = text.find('{').expect("there is JSON");
    let end = text.rfind('}').expect("there is JSON");
    let json: serde_json::Value = serde_json::from_str(&text[start..=end]).expect("stdout is JSON");
    assert_eq!(json["exitCode"], 2);
    assert_eq!(json["policies"][0]["status"]["findings"][0]["code"], "role-missing");
    assert_eq!(json["policies"][0]["hypotheses"][1]["verdict"], "confirmed");
}

#[test]
fn crd_prints_what_is_in_the_folder() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    let file = |name: &str| std::fs::read_to_string(root.join(name)).expect("the file is there");
    let printed = run(None, &["crd"]);
    for name in ["functionidentitypolicies.rolecall.dev.yaml", "identityboundaries.rolecall.dev.yaml"] {
        assert!(printed.contains(&format!("---\n{}", file(name))), "{name}");
    }
}

#[test]
fn the_simulator_listens_on_this_machine_only() {
    snapshot!(
        "sandbox-listen",
        run(None, &["sandbox", "--world", "examples/orders/world.yaml", "--listen", "0.0.0.0:0"])
    );
}

#[test]
fn help_lists_the_verbs() {
    snapshot!("help", run(None, &["--help"]));
}

#[test]
fn a_scenario_that_does_not_exist_is_answered_with_those_that_do() {
    snapshot!("demo-unknown", run(None, &["demo", "nothing-like-it"]));
}

#[test]
fn the_demo_is_told_like_this() {
    snapshot!("demo", run(None, &["demo"]));
}
