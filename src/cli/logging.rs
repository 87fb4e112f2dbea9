//! Logs go to stderr, for people or for machines. `RUST_LOG` narrows them.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use super::args::LogFormat;

/// What is logged when `RUST_LOG` says nothing. The older `azure_core` logs whole requests at `debug`; it only ever sees
/// a placeholder for a token, and is kept quiet all the same.
const DEFAULT: &str = "warn,rolecall=info";
const QUIET: [&str; 2] = ["azure_core=warn", "typespec_client_core=warn"];

pub(super) fn start(format: LogFormat) {
    let mut filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT));
    for directive in QUIET {
        filter = filter.add_directive(directive.parse().expect("the directives are constants"));
    }
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    match format {
        LogFormat::Human => builder.init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
}
