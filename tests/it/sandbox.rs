//! `rolecall sandbox` as a server with TLS, and a client that trusts its authority and logs in there: our own binary,
//! with workload identity, as in a cluster.

use std::{
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

/// A server with its files in a folder of its own; ends with the test.
struct Server {
    process: Child,
    url: String,
    folder: PathBuf,
}

impl Server {
    fn start(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&folder).expect("the folder for tests is writable");
        // There already, and readable for everybody.
        std::fs::write(folder.join("token"), "old").expect("writable");
        let mut process = rolecall()
            .args(["sandbox", "--world", "examples/orders/world.yaml", "--listen", "127.0.0.1:0", "--tls"])
            .arg("--ca-out")
            .arg(folder.join("ca.pem"))
            .arg("--token-out")
            .arg(folder.join("token"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the simulator starts");
        let stdout = process.stdout.take().expect("stdout is piped");
        let url = BufReader::new(stdout).lines().next().expect("it prints its address").expect("in UTF-8");
        Self { process, url, folder }
    }

    fn mode(&self, file: &str) -> u32 {
        std::fs::metadata(self.folder.join(file)).expect("written").permissions().mode() & 0o777
    }

    /// `check` of the example, over TLS.
    fn check(&self, environment: &[(&str, String)]) -> Output {
        let mut check = rolecall();
        check.args(["check", "-f", "examples/orders/policy.yaml"]).env("ROLECALL_ARM_ENDPOINT", &self.url);
        check.envs(environment.iter().cloned()).output().expect("the binary runs")
    }

    fn trusted(&self) -> (&'static str, String) {
        ("SSL_CERT_FILE", self.folder.join("ca.pem").to_string_lossy().into_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn rolecall() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rolecall"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).env_clear();
    command
}

#[test]
fn a_client_logs_in_and_checks_over_tls() {
    let server = Server::start("sandbox-login");
    assert!(server.url.starts_with("https://127.0.0.1:"), "{}", server.url);
    let assertion = server.folder.join("assertion");
    std::fs::write(&assertion, "what Kubernetes would have put there").expect("writable");
    let output = server.check(&[
        server.trusted(),
        ("AZURE_AUTHORITY_HOST", server.url.replace("127.0.0.1", "localhost")),
        ("AZURE_TENANT_ID", "00000000-7777-4777-8777-00000000000a".to_owned()),
        ("AZURE_CLIENT_ID", "c11e0000-0003-4000-8000-000000000003".to_owned()),
        ("AZURE_FEDERATED_TOKEN_FILE", assertion.to_string_lossy().into_owned()),
    ]);
    let told = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(2), "{told}{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("role-missing"), "{told}");
}

#[test]
fn the_token_that_is_written_is_for_its_owner_and_serves() {
    let server = Server::start("sandbox-token");
    assert_eq!((server.mode("ca.pem"), server.mode("token")), (0o644, 0o600));
    let authority = std::fs::read_to_string(server.folder.join("ca.pem")).expect("written");
    assert!(authority.starts_with("-----BEGIN CERTIFICATE-----"), "{authority}");
    assert!(!authority.contains("PRIVATE KEY"), "keys stay in the process");
    let token = std::fs::read_to_string(server.folder.join("token")).expect("written");
    let output =
        server.check(&[server.trusted(), ("ROLECALL_TOKEN_SOURCE", "static".to_owned()), ("ROLECALL_TOKEN", token)]);
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn who_does_not_trust_the_authority_sends_no_token() {
    let server = Server::start("sandbox-untrusted");
    let environment = [("ROLECALL_TOKEN_SOURCE", "static".to_owned()), ("ROLECALL_TOKEN", "any".to_owned())];
    let output = server.check(&environment);
    let told = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.contains("TransportError") || told.contains("certificate"), "{told}");
}

#[test]
fn an_authority_is_written_only_where_there_is_one() {
    let output = rolecall().args(["sandbox", "--world", "examples/orders/world.yaml", "--ca-out", "x"]).output();
    let output = output.expect("the binary runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--tls"));
}
