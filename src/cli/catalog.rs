//! `catalog`: what each binding needs, with the source of each row.

use super::{
    CliError,
    args::{CatalogArguments, CatalogOutput},
};
use crate::report::catalog;

pub(super) fn print(arguments: &CatalogArguments) -> Result<(), CliError> {
    let rows = catalog::matching(arguments.name.as_deref());
    if let (Some(name), true) = (&arguments.name, rows.is_empty()) {
        return Err(CliError::new(format!("no row of the catalog is called anything like `{name}`"))
            .with_hint("rolecall catalog prints them all"));
    }
    match arguments.output {
        CatalogOutput::Text => super::print(&catalog::text(&rows)),
        CatalogOutput::Json => super::print(&format!("{:#}\n", catalog::json(&rows))),
        CatalogOutput::Markdown if arguments.name.is_some() => {
            return Err(CliError::new("the page in Markdown is always the whole of it")
                .with_hint("leave the name out, or take another output"));
        }
        CatalogOutput::Markdown => super::print(&catalog::markdown()),
    }
    Ok(())
}
