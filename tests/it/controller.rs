//! The real controller in this process, over a simulated API server and simulated Azure, under paused time: hours cost
//! milliseconds, and what goes wrong goes wrong at a chosen moment.

mod breaker;
mod deletion;
mod faults;
mod lease;
mod metrics;
mod operators;
mod ownership;
mod passes;
mod rivals;
mod run;
mod vaults;
mod wire;
