//! Crashes, lost answers, refusals, lies and other people at every call of a run, with the properties that must hold
//! all the same. `docs/reliability.md` says how to read it and what it found.

/// A third of the work of a schedule is memory, and there are a hundred thousand of them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

mod arm_calls;
mod at;
mod chance;
mod deeds;
mod driver;
mod facts;
mod fault;
mod kube_calls;
mod ledger;
mod many;
mod play;
mod points;
mod process;
mod properties;
mod random;
mod replay;
mod run;
mod schedule;
mod stage;
mod town;
