//! The command line: arguments become a resolved configuration before any verb sees them. stdout is data, stderr is
//! talk.

mod again;
mod args;
mod catalog;
mod check;
mod connect;
pub mod crd;
#[cfg(feature = "sandbox")]
mod demo;
mod explain;
mod files;
mod logging;
mod release;
mod run;
#[cfg(feature = "sandbox")]
mod simulator;
mod subjects;

use std::process::ExitCode;

use clap::Parser;

use self::args::{Arguments, Verb};
use crate::report;

/// Why a verb could not do its work: told on stderr as `error: …`, exit code 1.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct CliError {
    text: String,
    hint: Option<String>,
}

impl CliError {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), hint: None }
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<crate::model::Failure> for CliError {
    fn from(failure: crate::model::Failure) -> Self {
        Self { text: failure.text, hint: failure.hint }
    }
}

/// Parses the arguments of the process and runs the verb.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            // Not clap's own 2: that means drift here, and a typo in a pipeline is none.
            return ExitCode::from(if error.use_stderr() { report::ExitCode::Error as u8 } else { 0 });
        }
    };
    let code = match arguments.verb {
        Verb::Run(verb) => block_on(run::run(verb)),
        Verb::Check(verb) => block_on(check::check(verb)).map(code),
        Verb::Plan(verb) => block_on(check::plan(verb)).map(code),
        Verb::Explain(verb) => block_on(explain::explain(verb)).map(code),
        Verb::Catalog(verb) => catalog::print(&verb).map(|()| 0),
        Verb::Crd => crd::print().map(|()| 0),
        Verb::ReleaseFinalizers(verb) => block_on(release::release(verb)).map(|()| 0),
        #[cfg(feature = "sandbox")]
        Verb::Demo(verb) => demo::demo(&verb),
        #[cfg(feature = "sandbox")]
        Verb::Sandbox(verb) => block_on(simulator::serve(verb)).map(|()| 0),
    };
    match code {
        Ok(code) => ExitCode::from(code),
        Err(CliError { text, hint }) => {
            eprintln!("error: {text}");
            if let Some(hint) = hint {
                eprintln!("hint: {hint}");
            }
            ExitCode::from(report::ExitCode::Error as u8)
        }
    }
}

/// Writes to stdout. A reader that went away, as `head` does, is no error.
fn print(text: &str) {
    use std::io::Write as _;
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

fn code(code: report::ExitCode) -> u8 {
    code as u8
}

fn block_on<T>(work: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| CliError::new(format!("the async runtime cannot be started: {error}")))?;
    runtime.block_on(work)
}
