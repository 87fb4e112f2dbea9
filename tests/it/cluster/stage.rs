//! What all tests share: an API server with our CRDs, simulated Azure, and the operator.

use std::{
    env, fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::Duration,
};

use rolecall::sandbox::arm::World;

use super::{account, arm::Arm, process::Process, request::until};

/// The binary under test.
pub const ROLECALL: &str = env!("CARGO_BIN_EXE_rolecall");
/// A start takes two to three seconds; the rest is for machines that compile beside it.
const SERVER_PATIENCE: Duration = Duration::from_secs(90);

/// An API server, and where its files are.
pub struct Server {
    pub kubeconfig: PathBuf,
    pub folder: PathBuf,
    process: Option<Process>,
}

/// Everything that is shared.
pub struct Stage {
    pub server: Server,
    pub arm: Arm,
    pub operator: Process,
    _sandbox: Process,
}

/// The shared stage, set up by whoever comes first. `None` without an API server, which has been said then.
pub fn stage() -> Option<&'static Stage> {
    static STAGE: OnceLock<Option<Stage>> = OnceLock::new();
    STAGE.get_or_init(set_up).as_ref()
}

fn set_up() -> Option<Stage> {
    let server = match variable("ROLECALL_KUBECONFIG") {
        Some(given) => Server { kubeconfig: given.into(), folder: new_folder("given"), process: None },
        None => Server::start("shared", "127.0.0.1:0")?,
    };
    server.install_crds();
    let (arm, sandbox) = sandbox(&server.folder);
    let operator = operator(&server, &arm);
    Some(Stage { server, arm, operator: operator.0, _sandbox: sandbox })
}

/// The simulator with a subscription for each test.
pub fn sandbox(folder: &Path) -> (Arm, Process) {
    let world = folder.join("world.yaml");
    fs::write(&world, super::scene::world()).expect("the world can be written");
    let command = [ROLECALL, "sandbox", "--listen", "127.0.0.1:0", "--world", text(&world)];
    let mut sandbox = Process::start(&command, &[], &folder.join("sandbox.log"), None);
    let url = sandbox.first_line(Duration::from_secs(30));
    (Arm::at(&url), sandbox)
}

/// The operator, and where its probes answer. It need not be ready.
pub fn operator(server: &Server, arm: &Arm) -> (Process, Arm) {
    let kubeconfig = account::kubeconfig(server);
    // It names the caller, by which the operator knows what it made itself.
    let token = World::from_yaml(include_str!("../../../examples/orders/world.yaml")).expect("the example").token();
    let environment = [
        ("KUBECONFIG", text(&kubeconfig)),
        ("ROLECALL_TOKEN", &token),
        ("ROLECALL_TOKEN_SOURCE", "static"),
        ("ROLECALL_ARM_ENDPOINT", &arm.url),
        ("HOSTNAME", "rolecall-in-the-tests"),
        ("RUST_LOG", "info,rolecall=debug"),
    ];
    let probes = format!("127.0.0.1:{}", free_port());
    let metrics = format!("127.0.0.1:{}", free_port());
    let command = [ROLECALL, "run", "--health-listen", &probes, "--metrics-listen", &metrics];
    let log = server.folder.join("operator.log");
    let process = Process::start(&command, &environment, &log, None);
    let probes = Arm::at(&format!("http://{probes}"));
    until("the operator answers probes", || process.log(), || probes.try_get("/healthz").map(|(code, _)| code == 200));
    (process, probes)
}

impl Server {
    /// Starts the binary on a new directory.
    pub fn start(name: &str, listen: &str) -> Option<Self> {
        // Nothing is left behind where there is no server.
        binary()?;
        Self::start_in(new_folder(name), listen)
    }

    /// Starts the binary on a directory that may have been served before.
    pub fn start_in(folder: PathBuf, listen: &str) -> Option<Self> {
        let binary = binary()?;
        let data = folder.join("server");
        let command = [text(&binary), "--dir", text(&data), "--listen", listen];
        let mut process = Process::start(&command, &[], &folder.join("server.log"), Some(&folder));
        let line = process.first_line(SERVER_PATIENCE);
        let kubeconfig = line.strip_prefix("ready ").unwrap_or_else(|| panic!("unexpected line `{line}`")).into();
        Some(Self { kubeconfig, folder, process: Some(process) })
    }

    /// Puts the files of `crds/` there as a user without kubectl would, and waits until they are served.
    pub fn install_crds(&self) {
        super::request::install_crds(&self.kubeconfig);
    }

    /// Kills the server, keeping its data.
    pub fn kill(mut self) {
        self.process.take().expect("a server of our own").kill();
    }
}

/// The API server's binary; says once why there is none.
fn binary() -> Option<PathBuf> {
    static BINARY: OnceLock<Option<PathBuf>> = OnceLock::new();
    BINARY.get_or_init(find_binary).clone()
}

fn find_binary() -> Option<PathBuf> {
    if let Some(given) = variable("ROLECALL_CLUSTER_BIN") {
        return Some(given.into());
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let built = root.join("target/cluster/cluster");
    if built.exists() {
        return Some(built);
    }
    if !in_ci() {
        // It takes minutes, once; nobody expects that of `make test`.
        skip("tests with a real kube-apiserver: it is not built yet; `make cluster-binary` builds it");
        return None;
    }
    let output = Command::new(root.join("tests/cluster/build.sh")).output().expect("build.sh can be run");
    match output.status.code() {
        Some(0) => Some(String::from_utf8_lossy(&output.stdout).trim().into()),
        Some(3) => {
            skip("tests with a real kube-apiserver: Go is not installed");
            None
        }
        _ => panic!("build.sh failed:\n{}", String::from_utf8_lossy(&output.stderr)),
    }
}

/// Says what is not tested. In CI everything is.
pub fn skip(what: &str) {
    assert!(!in_ci(), "in CI nothing is skipped: {what}");
    // Past the test harness, which hides what tests that pass print.
    let _ = writeln!(std::io::stderr(), "skipped: {what}");
}

#[expect(clippy::disallowed_methods, reason = "where the tests find things is configured by the environment")]
pub fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn in_ci() -> bool {
    variable("CI").is_some()
}

fn new_folder(name: &str) -> PathBuf {
    // Under the name of this process, because other checkouts may share the target directory.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cluster-{}-{name}", std::process::id()));
    fs::create_dir_all(&folder).expect("the target directory can be written");
    folder
}

/// A port that was free a moment ago, for programs that do not tell which one they took.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("this machine has loopback");
    listener.local_addr().expect("bound").port()
}

pub fn text(path: &Path) -> &str {
    path.to_str().expect("paths of the tests are UTF-8")
}
