//! kubectl, as a person or a delivery pipeline runs it.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use super::stage::{skip, variable};

/// kubectl with a kubeconfig.
pub struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
}

/// What it printed.
pub struct Printed {
    pub success: bool,
    pub stdout: String,
    pub stderr: String,
}

impl Kubectl {
    /// `None` when there is no kubectl, which has been said then.
    pub fn of(kubeconfig: &Path) -> Option<Self> {
        static PROGRAM: OnceLock<Option<PathBuf>> = OnceLock::new();
        let program = PROGRAM.get_or_init(|| {
            let program = PathBuf::from(variable("KUBECTL").unwrap_or_else(|| "kubectl".to_owned()));
            let runs =
                Command::new(&program).args(["version", "--client"]).output().is_ok_and(|it| it.status.success());
            if !runs {
                skip("what needs kubectl: it is not on PATH, and KUBECTL names none");
            }
            runs.then_some(program)
        });
        Some(Self { program: program.clone()?, kubeconfig: kubeconfig.to_owned() })
    }

    /// Runs it with `input` on stdin.
    pub fn run(&self, arguments: &[&str], input: &str) -> Printed {
        let mut child = Command::new(&self.program)
            .args(arguments)
            .env("KUBECONFIG", &self.kubeconfig)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kubectl was there a moment ago");
        let mut stdin = child.stdin.take().expect("piped");
        // A refused command does not read its input.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        let output = child.wait_with_output().expect("kubectl ends");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Printed { success: output.status.success(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    /// Runs it and returns stdout; it must succeed.
    pub fn ok(&self, arguments: &[&str]) -> String {
        self.apply(arguments, "")
    }

    /// Like `ok`, with `input` on stdin.
    pub fn apply(&self, arguments: &[&str], input: &str) -> String {
        let printed = self.run(arguments, input);
        assert!(printed.success, "kubectl {}: {}{}", arguments.join(" "), printed.stdout, printed.stderr);
        printed.stdout
    }
}
