//! The files in `crds/` are what the types say.

use std::{fs, path::Path};

use rolecall::cli::crd::definitions;

#[test]
fn generated_files_are_what_the_types_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    let definitions = definitions().expect("the definitions can be printed");
    if std::env::var_os("ROLECALL_REGENERATE").is_some() {
        for (name, text) in &definitions {
            fs::write(folder.join(name), text).expect("the file can be written");
        }
    }
    for (name, text) in &definitions {
        let file = fs::read_to_string(folder.join(name)).unwrap_or_default();
        assert!(file == *text, "crds/{name} is stale: run `make generate`");
    }
    let count = fs::read_dir(&folder).expect("crds/ is there").count();
    assert_eq!(count, definitions.len(), "crds/ has a file that nothing generates");
}
