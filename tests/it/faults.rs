//! Bad answers, through the real client against the simulated Resource Manager: what class they get, what is sent
//! again, what is never sent, and what a whole pass makes of them.

mod bench;
mod passes;
mod reads;
mod secrets;
mod served;
mod tokens;
mod turns;
mod writes;

pub use secrets::Log;
