//! `sandbox`: a simulated Resource Manager for other processes on this machine.

use std::{
    fs::{self, OpenOptions, Permissions},
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use tokio::net::TcpListener;

use super::{CliError, args::SandboxArguments};
use crate::{
    clock::Clock,
    sandbox::arm::{ArmSim, Certificate, World},
};

pub(super) async fn serve(verb: SandboxArguments) -> Result<(), CliError> {
    let SandboxArguments { world, listen, tls, ca_out, token_out } = verb;
    if !listen.ip().is_loopback() {
        return Err(CliError::new(format!(
            "the simulator believes any token and listens on this machine only, not on {listen}"
        )));
    }
    // The wall clock, whatever the world's `clock` says: its clients live by it, and compare its times with theirs.
    let clock = Clock::System;
    let sim = ArmSim::new(read(&world)?, clock);
    let certificate = tls.then(|| Certificate::new(clock.now())).transpose();
    let certificate = certificate.map_err(|error| CliError::new(error.to_string()))?;
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|error| CliError::new(format!("cannot listen on {listen}: {error}")))?;
    let address = listener.local_addr().map_err(|error| CliError::new(format!("no address: {error}")))?;
    // Before the address is printed: whoever waits for that line may read the files.
    if let (Some(path), Some(certificate)) = (&ca_out, &certificate) {
        write(path, certificate.authority(), 0o644)?;
    }
    if let Some(path) = &token_out {
        write(path, &sim.token(), 0o600)?;
    }
    println!("{}://{address}", if tls { "https" } else { "http" });
    eprintln!("simulating Azure Resource Manager; end with Ctrl-C");
    let served = async {
        match &certificate {
            Some(certificate) => sim.serve_tls(listener, certificate).await,
            None => sim.serve(listener).await,
        }
    };
    tokio::select! {
        served = served => served.map_err(|error| CliError::new(format!("the simulator stopped: {error}"))),
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}

fn read(path: &Path) -> Result<World, CliError> {
    let name = path.display();
    let text =
        fs::read_to_string(path).map_err(|error| CliError::new(format!("cannot read the world `{name}`: {error}")))?;
    World::from_yaml(&text).map_err(|error| {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        CliError::new(format!("`{name}`: {error}{cause}"))
    })
}

/// Writes a file that has these rights before anything is in it, also when it was there with others.
fn write(path: &Path, text: &str, mode: u32) -> Result<(), CliError> {
    let written = || -> io::Result<()> {
        let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(mode).open(path)?;
        file.set_permissions(Permissions::from_mode(mode))?;
        file.write_all(text.as_bytes())
    };
    written().map_err(|error| CliError::new(format!("cannot write `{}`: {error}", path.display())))
}
