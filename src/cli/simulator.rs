//! `sandbox`: a simulated Resource Manager for other processes on this machine.

use tokio::net::TcpListener;

use super::{CliError, args::SandboxArguments};
use crate::{
    clock::Clock,
    sandbox::arm::{ArmSim, World},
};

pub(super) async fn serve(verb: SandboxArguments) -> Result<(), CliError> {
    let SandboxArguments { world, listen } = verb;
    if !listen.ip().is_loopback() {
        return Err(CliError::new(format!(
            "the simulator believes any token and listens on this machine only, not on {listen}"
        )));
    }
    let name = world.display();
    let text = std::fs::read_to_string(&world)
        .map_err(|error| CliError::new(format!("cannot read the world `{name}`: {error}")))?;
    let world = World::from_yaml(&text).map_err(|error| {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        CliError::new(format!("`{name}`: {error}{cause}"))
    })?;
    // The wall clock, whatever the world's `clock` says: its clients live by it, and compare its times with theirs.
    let clock = Clock::System;
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|error| CliError::new(format!("cannot listen on {listen}: {error}")))?;
    let address = listener.local_addr().map_err(|error| CliError::new(format!("no address: {error}")))?;
    println!("http://{address}");
    eprintln!("simulating Azure Resource Manager; end with Ctrl-C");
    tokio::select! {
        served = ArmSim::new(world, clock).serve(listener) => {
            served.map_err(|error| CliError::new(format!("the simulator stopped: {error}")))
        }
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}
