//! The guards of `apply`: the world, the rights or the will change between the plan and the write, and nothing is
//! written that is no longer right. Each test names every request that asked for a change, and what was said about it.

mod alignment;
mod bench;
mod blocks;
mod conflict;
mod covered;
mod documents;
mod leave;
mod lost;
mod names;
mod principals;
mod rehearsal;
mod rivals;
mod vaults;
mod witnesses;
