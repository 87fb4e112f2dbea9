//! Everything that is generated from the types is up to date: `crds/` and the chart's copy.

use std::{fs, path::Path};

use rolecall::cli::crd::definitions;

#[test]
#[expect(clippy::disallowed_methods, reason = "`make generate` sets it")]
fn generated_files_are_what_the_types_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let definitions = definitions().expect("the definitions can be printed");
    for folder in ["crds", "charts/rolecall/crds"] {
        if std::env::var_os("ROLECALL_REGENERATE").is_some() {
            for (name, text) in &definitions {
                fs::write(root.join(folder).join(name), text).expect("the file can be written");
            }
        }
        for (name, text) in &definitions {
            let file = fs::read_to_string(root.join(folder).join(name)).unwrap_or_default();
            assert!(file == *text, "{folder}/{name} is stale: run `make generate`");
        }
        let count = fs::read_dir(root.join(folder)).expect("the folder is there").count();
        assert_eq!(count, definitions.len(), "{folder} has a file that nothing generates");
    }
}
