//! `rolecall`: the operator and the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    rolecall::cli::main()
}
