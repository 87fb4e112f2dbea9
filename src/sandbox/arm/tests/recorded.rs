//! The shapes of answers against recorded traffic, which is read in place and decides.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::*;

#[tokio::test(start_paused = true)]
async fn answers_have_the_fields_of_recorded_ones() {
    let Some(recordings) = recordings() else { return };
    let bench = Bench::new(world());
    let name = "ef56ef56-0000-4000-8000-0000000000ef";
    let created = bench.grant(STORE, name, SHARED_PRINCIPAL, BLOB_READER).await;
    let read = bench.get(&grant_path(STORE, name)).await;
    let twin = bench.grant(STORE, "fe65fe65-0000-4000-8000-0000000000fe", SHARED_PRINCIPAL, BLOB_READER).await;
    let deleted = bench.send(Method::Delete, &grant_path(STORE, name), None).await;
    let identity = bench.get(IDENTITY).await;
    let role =
        bench.get(&format!("{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{BLOB_READER}")).await;
    let missing = bench.get(&IDENTITY.replace("id-shared", "id-none")).await;
    let permissions = bench.get(&format!("{GROUP}/providers/Microsoft.Authorization/permissions")).await;
    // The recorded DELETE is of an older api-version: these members came later.
    let newer = ["condition", "conditionVersion", "delegatedManagedIdentityResourceId", "description"];
    for (file, got, beyond) in [
        ("009-role-assignment-put-201-storage-scope", created, &[][..]),
        ("010-role-assignment-get-storage-scope", read, &[]),
        ("014-role-assignment-put-409-exists-2025", twin, &[]),
        ("008-role-assignment-delete-200-rg", deleted, &newer),
        ("026-uami-get", identity, &[]),
        ("015-role-definition-get-key-vault-administrator", role, &[]),
        ("027-uami-get-404", missing, &[]),
        ("023-permissions-list-with-dataactions", permissions, &[]),
    ] {
        let text = std::fs::read_to_string(recordings.join(format!("{file}.json"))).expect("a recording");
        let recorded: Value = serde_json::from_str(&text).expect("JSON");
        let mut fields = fields_of(&got.body, "");
        fields.retain(|field| !beyond.iter().any(|extra| field == &format!(".properties.{extra}")));
        assert_eq!(fields, fields_of(&recorded["response"]["body"], ""), "{file}");
        assert_eq!(u64::from(got.status), recorded["response"]["status"].as_u64().unwrap_or(0), "{file}");
    }
}

/// The paths of all members; those of array items count once.
fn fields_of(value: &Value, prefix: &str) -> BTreeSet<String> {
    match value {
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, value)| {
                let path = format!("{prefix}.{name}");
                let below = fields_of(value, &path);
                below.into_iter().chain([path])
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(|item| fields_of(item, &format!("{prefix}[]"))).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => BTreeSet::new(),
    }
}

#[expect(clippy::disallowed_methods, reason = "a test finds its data by the environment")]
fn recordings() -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/azure/recorded");
    let folder = std::env::var_os("ROLECALL_RECORDED").map_or_else(beside, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(std::env::var_os("CI").is_none(), "no recordings in {}: CI must have them", folder.display());
    println!("skipped: no recordings in {}", folder.display());
    None
}
