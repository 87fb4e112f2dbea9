//! `catalog`: what each binding needs, with the source of each row.

use super::{
    CliError,
    args::{CatalogArguments, CatalogOutput},
};
use crate::report::catalog;

pub(super) fn print(arguments: &CatalogArguments) -> Result<(), CliError> {
    let selection = catalog::matching(arguments.name.as_deref());
    if let (Some(name), true) = (&arguments.name, selection.rows.is_empty() && selection.roles.is_empty()) {
        return Err(CliError::new(format!("nothing in the catalog is called anything like `{name}`"))
            .with_hint("rolecall catalog prints them all"));
    }
    match arguments.output {
        CatalogOutput::Text => super::print(&catalog::text(&selection)),
        CatalogOutput::Json => super::print(&format!("{:#}\n", catalog::json(&selection))),
        CatalogOutput::Markdown if arguments.name.is_some() => {
            return Err(CliError::new("the page in Markdown is always the whole of it")
                .with_hint("leave the name out, or take another output"));
        }
        CatalogOutput::Markdown => super::print(&catalog::markdown()),
    }
    Ok(())
}
