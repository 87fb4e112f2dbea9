//! The import table of the design: who may know whom, and nothing `async` below the line.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Each top-level module and the modules that it may import. What is missing here may not be imported.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    // L0 values
    ("model", &[]),
    ("api", &["catalog"]),
    ("clock", &[]),
    ("catalog", &["model"]),
    // L1 pure
    ("policy", &["api", "catalog", "model"]),
    ("evaluate", &["api", "catalog", "model", "policy"]),
    ("plan", &["api", "evaluate", "model", "policy"]),
    ("report", &["api", "catalog", "evaluate", "model", "plan", "policy"]),
    // L2 IO
    ("metrics", &[]),
    ("azure", &["catalog", "metrics", "model", "plan"]),
    ("observe", &["api", "azure", "catalog", "clock", "model", "policy"]),
    ("apply", &["azure", "model", "plan", "policy"]),
    // L3 driver
    (
        "pipeline",
        &["api", "apply", "azure", "clock", "evaluate", "metrics", "model", "observe", "plan", "policy", "report"],
    ),
    // L4 edges
    ("controller", &["api", "clock", "metrics", "model", "pipeline", "policy", "report"]),
    (
        "cli",
        &[
            "api",
            "azure",
            "catalog",
            "clock",
            "controller",
            "metrics",
            "model",
            "observe",
            "pipeline",
            "policy",
            "report",
            "sandbox",
        ],
    ),
    ("sandbox", &["api", "azure", "catalog", "clock", "controller", "observe", "pipeline"]),
];

/// Modules below the line: no `async`, no clock, no environment, no randomness.
const PURE: &[&str] = &["model", "api", "catalog", "policy", "evaluate", "plan", "report"];

/// What a pure module may not say.
const IMPURE: &[&str] =
    &["async ", ".await", "tokio", "Timestamp::now", "SystemTime", "Instant", "std::env", "new_v4", "rand::"];

#[test]
fn every_import_is_in_the_table() {
    let mut wrong = Vec::new();
    let known: BTreeMap<_, _> = MAY_IMPORT.iter().copied().collect();
    for (module, file, text) in sources() {
        let Some(allowed) = known.get(module.as_str()) else {
            assert!(matches!(module.as_str(), "lib" | "main"), "`{module}` is missing in the table");
            continue;
        };
        for imported in imports(&text) {
            if imported != module && known.contains_key(imported.as_str()) && !allowed.contains(&imported.as_str()) {
                wrong.push(format!("{} imports `{imported}`", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "not in the import table:\n{}", wrong.join("\n"));
}

#[test]
fn the_table_has_no_entry_that_nobody_uses() {
    let mut used: BTreeSet<(String, String)> = BTreeSet::new();
    for (module, _, text) in sources() {
        used.extend(imports(&text).into_iter().map(|imported| (module.clone(), imported)));
    }
    for (module, allowed) in MAY_IMPORT {
        for imported in *allowed {
            assert!(
                used.contains(&((*module).to_owned(), (*imported).to_owned())),
                "`{module}` may import `{imported}` and does not: tighten the table"
            );
        }
    }
}

#[test]
fn nothing_below_the_line_is_async_or_reads_the_world() {
    let mut wrong = Vec::new();
    for (module, file, text) in sources() {
        if !PURE.contains(&module.as_str()) {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            for word in IMPURE.iter().filter(|word| code.contains(**word)) {
                wrong.push(format!("{}:{}: {word}", file.display(), number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "below the line:\n{}", wrong.join("\n"));
}

/// Top-level module, path and text of every source file, tests in the file left out.
fn sources() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    assert!(files.len() > 40, "the sources were not found");
    files
        .into_iter()
        .map(|file| {
            let relative = file.strip_prefix(&root).expect("collected below the root").to_path_buf();
            let first = relative.components().next().expect("a file has a name");
            let module = Path::new(first.as_os_str()).file_stem().expect("a file has a stem");
            let text = fs::read_to_string(&file).expect("a source file is readable");
            // Tests in a file come last. `#[cfg(test)] mod fixtures;` near the top is no end of anything.
            let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default().to_owned();
            (module.to_string_lossy().into_owned(), relative, text)
        })
        .collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a source folder is readable") {
        let path = entry.expect("an entry is readable").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
}

/// The top-level modules named by `crate::…`, in `use` groups as well.
fn imports(text: &str) -> BTreeSet<String> {
    let code: String =
        text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            found.extend(top_level_names(group));
        } else {
            found.insert(word(rest));
        }
    }
    found
}

/// The first word of each item of a `{…}` group.
fn top_level_names(group: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut depth = 0;
    let mut expect = true;
    for (at, symbol) in group.char_indices() {
        match symbol {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => expect = true,
            symbol if expect && symbol.is_alphabetic() => {
                names.push(word(&group[at..]));
                expect = false;
            }
            _ => {}
        }
    }
    names
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}
