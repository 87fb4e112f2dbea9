//! A simulated subscription and the pieces that tests run over it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use azure_core::http::Transport;
use rolecall::{
    api::{FunctionIdentityPolicy, IdentityBoundary},
    azure::{Azure, AzureConfig, Limits, StaticToken},
    catalog::clouds::CLOUDS,
    clock::Clock,
    observe::Surveys,
    pipeline::Pipeline,
    policy::{Authority, Boundary},
    sandbox::arm::{ArmSim, World},
};

/// The example's subscription, as `make cluster` serves it: one role is missing.
pub fn example() -> (ArmSim, Clock) {
    let world = World::from_yaml(&file("world.yaml")).expect("the example world is valid");
    let clock = Clock::starting_at(world.clock.expect("the example world has a clock"));
    (ArmSim::new(world, clock), clock)
}

/// The public cloud, played by the simulator.
pub fn config(arm: &ArmSim) -> AzureConfig {
    AzureConfig {
        cloud: CLOUDS[0],
        arm_endpoint: None,
        logs_endpoint: None,
        credential: Arc::new(StaticToken::new("a-token-for-tests")),
        transport: Some(Transport::new(arm.transport())),
        limits: Limits::default(),
    }
}

pub fn client(arm: &ArmSim) -> Azure {
    Azure::new(config(arm)).expect("the public cloud's endpoint is a URL")
}

pub fn pipeline(arm: &ArmSim, clock: Clock) -> Pipeline {
    Pipeline::new(client(arm), Surveys::new(clock, Duration::from_secs(60)), clock)
}

pub fn policy() -> FunctionIdentityPolicy {
    serde_saphyr::from_str(&file("policy.yaml")).expect("the example policy is valid")
}

/// The example's boundary, over the example's namespace.
pub fn boundaries() -> Authority {
    let boundary: IdentityBoundary = serde_saphyr::from_str(&file("boundary.yaml")).expect("the boundary is valid");
    Authority::Boundaries { boundaries: vec![Boundary::from(&boundary)], namespaces: BTreeMap::new() }
}

/// The text of a file of `examples/orders`.
pub fn file(name: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/orders").join(name);
    std::fs::read_to_string(path).expect("the example is there")
}
