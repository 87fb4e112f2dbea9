use proptest::prelude::*;

use super::redacted;

fn line(text: &str) -> String {
    redacted(text, 10_000)
}

#[test]
fn secrets_are_taken_out_and_what_is_around_them_stays() {
    let key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
    let jwt = "eyJhbGciOiJub25lIn0.eyJvaWQiOiJjMGZmZWUwMC01ZWVkLTRhMTEtOGIwZC0wMTIzNDU2Nzg5YWIifQ.c2ln";
    let cases = [
        (
            "GET https://st.blob.core.windows.net/in/a.txt?sv=2024&sig=abc%3D&se=x failed".to_owned(),
            "GET https://st.blob.core.windows.net/in/a.txt?… failed",
        ),
        ("\"/secrets/api-key?api-version=7.4\" 403".to_owned(), "\"/secrets/api-key?…\" 403"),
        ("sv=2024-11-04&sr=c&sig=AbC%2Fd&se=2026".to_owned(), "sv=2024-11-04&sr=c&sig=…&se=2026"),
        (
            format!("DefaultEndpointsProtocol=https;AccountName=st;AccountKey={key};EndpointSuffix=core.windows.net"),
            "DefaultEndpointsProtocol=https;AccountName=st;AccountKey=…;EndpointSuffix=core.windows.net",
        ),
        (
            "Endpoint=sb://sb.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey=abc=;EntityPath=q".to_owned(),
            "Endpoint=sb://sb.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey=…;EntityPath=q",
        ),
        ("Server=tcp:sql;User ID=app;Password='two words';Encrypt=True".to_owned(), "Server=tcp:sql;User ID=app;Password='…';Encrypt=True"),
        (format!("Authorization: Bearer {jwt} was refused"), "Authorization: … was refused"),
        (format!("sent bearer {jwt}, twice"), "sent bearer …, twice"),
        (format!("the token {jwt} is expired"), "the token … is expired"),
        (
            "{\"client_id\":\"05e70000-0000-4000-8000-000000000001\",\"client_secret\":\"11111111-2222-4333-8444-555555555555\"}".to_owned(),
            "{\"client_id\":\"05e70000-0000-4000-8000-000000000001\",\"client_secret\":\"…\"}",
        ),
        (r#"{\"clientSecret\": \"p~8Q\", \"a\": 1}"#.to_owned(), r#"{\"clientSecret\": \"…", \"a\": 1}"#),
        ("AZURE_CLIENT_SECRET=abc8Q~xyz SharedKey st:abc=".to_owned(), "AZURE_CLIENT_SECRET=… SharedKey …"),
        ("amqps://user:p@ss@host:5671/q and x".to_owned(), "amqps://…@host:5671/q and x"),
        (format!("found {key} in a log"), "found … in a log"),
        ("key 0123456789abcdef0123456789abcdef was refused".to_owned(), "key … was refused"),
        ("Ocp-Apim-Subscription-Key: 0123".to_owned(), "Ocp-Apim-Subscription-Key: …"),
        ("Authorization: SharedAccessSignature sr=sb%3A&sig=a%3D&se=1&skn=x".to_owned(), "Authorization: …&sig=…&se=1&skn=x"),
    ];
    for (text, expected) in cases {
        assert_eq!(line(&text), expected, "{text}");
    }
}

#[test]
fn what_a_reader_needs_stays() {
    for text in [
        "ForbiddenByRbac: Caller is not authorized. Code: Forbidden Action: 'Microsoft.KeyVault/vaults/secrets/getSecret/action'",
        "Unauthorized access. 'Listen' claim(s) are required. Resource: 'sb://sb-1.servicebus.windows.net/orders'.",
        "User-assigned identity not found for clientId 05e70000-0000-4000-8000-000000000001.",
        "/subscriptions/11111111-AAAA-4bbb-8ccc-000000000001/resourceGroups/rg-Functions-Prod-1/providers/Microsoft.Web/sites/func",
        "stfuncprodwesteurope01.blob.core.windows.net | GET /uploads/2026/11/26/order-0001.json",
        "AADSTS500011: The resource principal named https://storage.azure.example was not found",
        "Is it there? No.",
        "Substatus: 5301; ActivityId: eb482ff1-adbc-47f5-9d34-6d18e71bd9e0",
    ] {
        assert_eq!(line(text), text);
    }
}

#[test]
fn a_text_is_one_line_and_is_cut_between_characters() {
    assert_eq!(line("  two\r\n\tlines\u{0} "), "two lines");
    assert_eq!(redacted("ééééé", 7), "éé…");
    assert_eq!(redacted("four", 4), "four");
}

proptest! {
    /// Wherever a secret is written as secrets are written, it is gone.
    #[test]
    fn a_secret_behind_its_name_is_gone(
        before in "[ a-z(\"{;]{0,12}",
        name in prop::sample::select(vec!["sig", "AccountKey", "SharedAccessKey", "Password", "client_secret", "x-functions-key", "access_token"]),
        sign in prop::sample::select(vec!["=", ": ", "\":\"", " = '", "\\\":\\\""]),
        secret in "[A-Za-z0-9+/~._-]{6,60}",
        after in "([ ;&\"'].{0,12})?",
    ) {
        let secret = format!("S3cr{secret}");
        let text = redacted(&format!("{before} {name}{sign}{secret}{after}"), 10_000);
        prop_assert!(!text.contains(&secret[..8]), "{text}");
    }

    #[test]
    fn any_text_is_kept_within_its_bounds(text in ".{0,400}", most in 3_usize..300) {
        prop_assert!(redacted(&text, most).len() <= most);
        prop_assert_eq!(line(&line(&text)), line(&text), "nothing is left to take out the second time");
    }
}
