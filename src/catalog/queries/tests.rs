use proptest::prelude::*;

use super::*;

fn scope(text: &str) -> Scope {
    Scope::parse(text).unwrap()
}

fn app() -> Scope {
    scope("/subscriptions/1/resourceGroups/rg/providers/Microsoft.Web/sites/func-orders")
}

fn text_of(query: &Query, dialect: Dialect, role_name: &str, resources: &[&Scope]) -> Option<String> {
    let window = SignedDuration::from_hours(2);
    query.text(dialect, &Parameters { role_name, app: &app(), resources, window })
}

/// The text with every literal taken out, and the literals as KQL understands them. A reader of its own: it knows no more
/// of how literals are written than the page does.
fn read(text: &str) -> (String, Vec<String>) {
    let (mut skeleton, mut literals) = (String::new(), Vec::new());
    for line in text.lines().filter(|line| !line.starts_with("//")) {
        let mut symbols = line.chars();
        while let Some(symbol) = symbols.next() {
            if symbol != '"' {
                skeleton.push(symbol);
                continue;
            }
            let mut literal = String::new();
            loop {
                match symbols.next().expect("a literal ends in its line") {
                    '"' => break,
                    '\\' => literal.push(symbols.next().expect("something is escaped")),
                    symbol => literal.push(symbol),
                }
            }
            skeleton.push('L');
            literals.push(literal);
        }
        skeleton.push('\n');
    }
    (skeleton, literals)
}

#[test]
fn every_source_has_one_query_and_every_query_is_filled_and_bounded() {
    assert_eq!(queries().iter().map(|query| query.id).collect::<Vec<_>>(), Source::ALL);
    let vault = scope("/subscriptions/1/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/KV");
    for query in queries() {
        for dialect in [Dialect::Workspace, Dialect::Classic] {
            let Some(text) = text_of(query, dialect, "func-orders", &[&vault]) else { continue };
            assert!(text.starts_with(&format!("// rolecall: {}\n", query.id)), "{text}");
            assert!(!text.contains(['{', '}']), "{text}");
            assert!(text.contains("ago(120m)"), "{}: looks back without end", query.id);
            let (_, take) = text.rsplit_once("| take ").expect("it ends in a bound");
            assert!(take.parse::<u32>().is_ok_and(|rows| rows <= 300), "{}: {take}", query.id);
            for column in query.columns().keys() {
                assert!(text.contains(&format!("{column} = ")) || text.contains(&format!(", {column}\n")), "{column}");
            }
            assert!(text.len() < 8 * 1024, "{}: {} bytes", query.id, text.len());
        }
    }
}

#[test]
fn each_dialect_has_its_own_names_and_none_of_the_others() {
    let names = &ROWS.names;
    let (workspace, classic) = (&names[&Dialect::Workspace], &names[&Dialect::Classic]);
    assert!(workspace.keys().eq(classic.keys()));
    let foreign = |text: &str, names: &BTreeMap<String, String>| {
        let (skeleton, _) = read(text);
        let words: Vec<_> = skeleton.split(|c: char| !(c.is_alphanumeric() || c == '_')).map(str::to_owned).collect();
        names.values().find(|name| words.contains(name)).cloned()
    };
    for query in queries() {
        let text = text_of(query, Dialect::Workspace, "f", &[]).expect("a workspace is asked everything");
        assert_eq!(foreign(&text, classic), None, "{}", query.id);
        if let Some(text) = text_of(query, Dialect::Classic, "f", &[]) {
            // Columns of answers are named by us, and some as a workspace names them.
            let tables = workspace.iter().filter(|(_, name)| name.starts_with("App") || *name == "TimeGenerated");
            assert_eq!(foreign(&text, &tables.map(|(key, name)| (key.clone(), name.clone())).collect()), None);
        }
    }
    let asked = |id, dialect| text_of(query(id), dialect, "f", &[]).is_some();
    assert!(!asked(Source::HostTraces, Dialect::Classic) && asked(Source::Recovery, Dialect::Classic));
}

#[test]
fn the_window_is_neither_too_short_to_tell_nor_too_long_to_pay_for() {
    for (window, written) in [(1, "ago(20m)"), (90, "ago(90m)"), (100_000, "ago(1440m)")] {
        let window = SignedDuration::from_mins(window);
        let parameters = Parameters { role_name: "f", app: &app(), resources: &[], window };
        assert!(query(Source::Invocations).text(Dialect::Workspace, &parameters).unwrap().contains(written));
    }
}

#[test]
fn what_is_searched_for_in_a_query_is_what_is_recognised_in_its_answer() {
    let (_, literals) = read(&text_of(query(Source::CredentialTraces), Dialect::Workspace, "f", &[]).unwrap());
    for phrase in signals::phrases(Table::Traces) {
        assert!(literals.iter().any(|literal| literal == phrase), "{phrase}");
    }
    assert!(literals.iter().any(|literal| literal.starts_with("(?i)") && literal.contains(r"claim\(s\) are required")));
    let (_, literals) = read(&text_of(query(Source::Recovery), Dialect::Workspace, "f", &[]).unwrap());
    assert!(literals.contains(&"amqp:unauthorized-access".to_owned()));
    for name in AMQP {
        assert!(signals::signal(name).is_some(), "{name}");
    }
}

#[test]
fn resources_are_named_as_the_query_makes_them() {
    let vault = scope("/subscriptions/1/resourceGroups/RG/providers/Microsoft.KeyVault/vaults/KV");
    let text = text_of(query(Source::RefusedPrincipals), Dialect::Workspace, "f", &[&vault]).unwrap();
    let lower = "/subscriptions/1/resourcegroups/rg/providers/microsoft.keyvault/vaults/kv";
    assert!(text.contains(&format!("datatable(Id: string) [\"{lower}\"]")), "{text}");
}

#[test]
fn only_what_is_ours_to_the_letter_is_recognised() {
    let vault = scope("/subscriptions/1/resourceGroups/RG/providers/Microsoft.KeyVault/vaults/KV");
    for query in queries() {
        let text = text_of(query, Dialect::Workspace, "func \\ \"orders\"", &[&vault, &app()]).unwrap();
        let asked = recognise(&text).expect("it is ours");
        assert_eq!((asked.query.id, asked.minutes), (query.id, 120));
        let expected = [
            ("roleName", vec!["func \\ \"orders\"".to_owned()]),
            ("app", vec![app().as_str().to_owned()]),
            ("resources", vec![vault.key().to_owned(), app().key().to_owned()]),
        ];
        for (name, texts) in expected {
            assert!(asked.texts.get(name).is_none_or(|found| *found == texts), "{name}: {:?}", asked.texts);
        }
        assert!(recognise(&format!("{text} ")).is_none(), "more than is ours");
        assert!(recognise(&text.replace("| take ", "| limit ")).is_none());
        assert!(recognise(text.split_once('\n').unwrap().1).is_none(), "nobody says which it is");
        assert!(recognise(&text.replace("claim(s) are", "claims are")).is_none() || !text.contains("claim(s) are"));
    }
    assert!(recognise("AppTraces | take 10").is_none());
    assert!(recognise("// rolecall: recovery\nAppTraces | take 10").is_none());
    assert!(recognise("").is_none());
}

proptest! {
    /// No name becomes a part of the query: it stays one literal, which says what was put in.
    #[test]
    fn no_name_breaks_out_of_its_literal(
        name in prop_oneof![
            ".{0,40}",
            prop::collection::vec(prop::sample::select(vec!['"', '\\', '\n', '\r', '\'', '`', '@', '/', '{', '}', '\u{85}',
                '\u{2028}', '|', ';', '(', ')', 'a', ' ', '\0']), 0..20).prop_map(String::from_iter),
        ],
        at in 0_usize..14,
    ) {
        let dialect = [Dialect::Workspace, Dialect::Classic][at / 7];
        let query = &queries()[at % 7];
        let resource = Scope::lenient(&name);
        if let Some(text) = text_of(query, dialect, &name, &[&resource]) {
            let (skeleton, literals) = read(&text);
            let harmless = scope("/subscriptions/1");
            let (expected, others) = read(&text_of(query, dialect, "x", &[&harmless]).unwrap());
            prop_assert_eq!(skeleton, expected);
            prop_assert_eq!(literals.len(), others.len());
            let differing: Vec<_> = literals.iter().zip(&others).filter(|(one, other)| one != other).collect();
            prop_assert!(differing.len() <= 1, "only the parameter differs");
            let is_printable = |c: char| !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}');
            if name.chars().all(is_printable) && query.id != Source::RefusedPrincipals && query.id != Source::HostTraces {
                prop_assert_eq!(&literals[0], &name);
            }
        }
    }
}
