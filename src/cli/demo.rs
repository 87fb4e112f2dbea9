//! placeholder
use super::{CliError, args::DemoArguments};
pub(super) fn demo(_: &DemoArguments) -> Result<u8, CliError> {
    Err(CliError::new("not built yet"))
}
