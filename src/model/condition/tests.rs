//! Conditions as the documentation writes them, and as they are recorded.

use proptest::prelude::*;

use super::*;
use crate::model::{PrincipalKind, RoleId, Scope};

const ACCOUNT: &str = "/subscriptions/1111/resourceGroups/rg-one/providers/Microsoft.Storage/storageAccounts/stOrders";
const BLOB: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs";
const MESSAGES: &str = "Microsoft.Storage/storageAccounts/queueServices/queues/messages";
const CONTAINER_NAME: &str = "@Resource[Microsoft.Storage/storageAccounts/blobServices/containers:name]";

fn container(name: &str) -> Scope {
    Scope::parse(&format!("{ACCOUNT}/blobServices/default/containers/{name}")).unwrap()
}

fn condition(text: &str) -> Condition {
    Condition::read(text, Some("2.0")).expect("it says something")
}

/// What the condition says of an action on the data plane.
fn on(text: &str, action: &str, resource: &Scope) -> Truth {
    condition(text).allows(&Request { data: true, action, resource, assignment: None })
}

fn of_uploads(text: &str) -> Truth {
    on(text, &format!("{BLOB}/read"), &container("uploads"))
}

fn is_undecided(truth: &Truth, about: &str) -> bool {
    matches!(truth, Truth::Undecided(why) if why.contains(about))
}

/// The usual form: the action is free, or else the expression must hold.
fn guarded(action: &str, expression: &str) -> String {
    format!("((!(ActionMatches{{'{action}'}})) OR ({expression}))")
}

#[test]
fn a_container_is_known_by_the_name_in_the_scope() {
    for (text, expected) in [
        (format!("{CONTAINER_NAME} StringEquals 'uploads'"), Truth::True),
        (format!("{CONTAINER_NAME} StringEquals 'archive'"), Truth::False),
        (format!("{CONTAINER_NAME} StringNotEquals 'archive'"), Truth::True),
        (format!("{CONTAINER_NAME} StringEquals 'Uploads'"), Truth::False),
        (format!("{CONTAINER_NAME} StringEqualsIgnoreCase 'Uploads'"), Truth::True),
        (format!("{CONTAINER_NAME} StringStartsWith 'up'"), Truth::True),
        (format!("{CONTAINER_NAME} StringNotStartsWith 'up'"), Truth::False),
        (format!("{CONTAINER_NAME} StringLike 'u?load*'"), Truth::True),
        (format!("{CONTAINER_NAME} StringNotLike 'u?load'"), Truth::True),
        (format!("{CONTAINER_NAME} ForAnyOfAnyValues:StringEquals {{'archive', 'uploads'}}"), Truth::True),
        (format!("'uploads' StringEquals {CONTAINER_NAME}"), Truth::True),
        // As recorded: other casing of attribute and operator.
        (
            "@Resource[Microsoft.Storage/storageAccounts/blobServices/containers:Name] stringEquals 'foo'".into(),
            Truth::False,
        ),
        ("@Resource[Microsoft.Storage/storageAccounts:name] StringEquals 'storders'".into(), Truth::True),
    ] {
        assert_eq!(of_uploads(&text), expected, "{text}");
    }
}

#[test]
fn a_condition_on_other_actions_says_nothing_about_this_one() {
    let text = guarded(&format!("{BLOB}/delete"), &format!("{CONTAINER_NAME} StringEquals 'archive'"));
    assert_eq!(of_uploads(&text), Truth::True);
    assert_eq!(on(&text, &format!("{BLOB}/delete"), &container("uploads")), Truth::False);
    assert_eq!(on(&text, &format!("{BLOB}/delete"), &container("archive")), Truth::True);
    assert_eq!(
        of_uploads(&guarded(
            &format!("{BLOB}/*"),
            "@Environment[isPrivateLink] BoolEquals true and 'a' StringEquals 'b'"
        )),
        Truth::False
    );
}

#[test]
fn what_the_request_does_not_tell_is_undecided_by_name() {
    for (expression, about) in [
        (
            "@Resource[Microsoft.Storage/storageAccounts/blobServices/containers/blobs:path] StringLike 'in/*'",
            "@Resource[blobs:path]",
        ),
        (
            "@Resource[Microsoft.Storage/storageAccounts/blobServices/containers/blobs/tags:Project<$key_case_sensitive$>] StringEquals 'a'",
            "tags:Project",
        ),
        ("@Environment[UtcNow] DateTimeGreaterThan '2026-01-01T00:00:00Z'", "@Environment[UtcNow]"),
        ("@Principal[Microsoft.Directory/CustomSecurityAttributes/Id:Eng_Project] StringEquals 'a'", "Eng_Project"),
        ("Exists @Request[Microsoft.Storage/storageAccounts/blobServices/containers/blobs:snapshot]", "snapshot"),
        ("NOT Exists @Request[Microsoft.Storage/storageAccounts/blobServices/containers/blobs:snapshot]", "snapshot"),
        ("@Resource[Microsoft.ServiceBus/namespaces/queues:name] StringEquals 'orders'", "queues:name"),
        ("@Resource[Microsoft.Storage/storageAccounts/queueServices/queues:name] StringEquals 'a'", "queues:name"),
    ] {
        assert!(is_undecided(&of_uploads(expression), about), "{expression}: {:?}", of_uploads(expression));
        assert_eq!(of_uploads(&format!("{expression} AND {CONTAINER_NAME} StringEquals 'archive'")), Truth::False);
        assert_eq!(of_uploads(&format!("{expression} OR {CONTAINER_NAME} StringEquals 'uploads'")), Truth::True);
    }
    let account = Scope::parse(ACCOUNT).unwrap();
    let whole = on(&format!("{CONTAINER_NAME} StringEquals 'uploads'"), &format!("{BLOB}/read"), &account);
    assert!(is_undecided(&whole, "@Resource[containers:name]"), "a need of the whole account names no container");
}

#[test]
fn a_queue_is_known_to_actions_on_its_messages() {
    let queue = Scope::parse(&format!("{ACCOUNT}/queueServices/default/queues/orders")).unwrap();
    let named = "@Resource[Microsoft.Storage/storageAccounts/queueServices/queues:name] StringEquals 'orders'";
    assert_eq!(on(named, &format!("{MESSAGES}/process/action"), &queue), Truth::True);
    assert!(is_undecided(
        &on(named, "Microsoft.Storage/storageAccounts/queueServices/queues/read", &queue),
        "queues:name"
    ));
}

#[test]
fn sub_operations_may_or_may_not_be_meant() {
    let read = format!("{BLOB}/read");
    let but_list = format!("(!(ActionMatches{{'{read}'}} AND NOT SubOperationMatches{{'Blob.List'}}))");
    let only_in = |name: &str| format!("({but_list} OR ({CONTAINER_NAME} StringEquals '{name}'))");
    assert_eq!(of_uploads(&only_in("uploads")), Truth::True);
    assert_eq!(of_uploads(&only_in("archive")), Truth::False, "plain reading is refused, whatever listing is");
    let no_list = format!("!(ActionMatches{{'{read}'}} AND SubOperationMatches{{'Blob.List'}})");
    assert!(is_undecided(&of_uploads(&no_list), "sub-operations"), "reading is allowed and listing is not");
    let old = format!(
        "!(ActionMatches{{'{read}'}} AND @Request[subOperation] ForAnyOfAnyValues:StringEqualsIgnoreCase {{'Blob.List'}})"
    );
    assert!(is_undecided(&of_uploads(&old), "sub-operations"));
    let request = Request { data: true, action: &read, resource: &container("uploads"), assignment: None };
    assert!(is_undecided(&condition(&no_list.replace('!', "")).denies(&request), "sub-operations"));
    assert_eq!(condition(&no_list).denies(&request), Truth::True);
}

/// As recorded (number 004): whoever holds it may grant any role but Owner and Role Based Access Control Administrator.
const DELEGATED: &str = "((!(ActionMatches{'Microsoft.Authorization/roleAssignments/write'})) OR \
    (@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAllValues:GuidNotEquals \
    {8e3af657-a8ff-443c-a75c-2fe8c4bcb635, f58310d9-a9f6-439a-9e8d-f62e7b41a168})) AND \
    ((!(ActionMatches{'Microsoft.Authorization/roleAssignments/delete'})) OR \
    (@Resource[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAllValues:GuidNotEquals \
    {8e3af657-a8ff-443c-a75c-2fe8c4bcb635, f58310d9-a9f6-439a-9e8d-f62e7b41a168}))";

#[test]
fn a_role_assignment_is_judged_by_what_it_grants_to_whom() {
    let resource = container("uploads");
    let of = |text: &str, verb: &str, role: &str, kind| {
        let assignment = Assignment {
            role: role.parse::<RoleId>().unwrap(),
            principal: "52525252-0000-4000-8000-000000000052".parse().unwrap(),
            kind,
        };
        let action = format!("Microsoft.Authorization/roleAssignments/{verb}");
        let request = Request { data: false, action: &action, resource: &resource, assignment: Some(assignment) };
        condition(text).allows(&request)
    };
    let (owner, receiver) = ("8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "4F6D3B9B-027B-4F4C-9142-0E5A2A2247E0");
    for verb in ["write", "delete"] {
        assert_eq!(of(DELEGATED, verb, receiver, PrincipalKind::ServicePrincipal), Truth::True);
        assert_eq!(of(DELEGATED, verb, owner, PrincipalKind::ServicePrincipal), Truth::False);
    }
    assert_eq!(of(DELEGATED, "read", owner, PrincipalKind::Group), Truth::True);
    let people = "@Request[Microsoft.Authorization/roleAssignments:PrincipalType] ForAnyOfAnyValues:StringEqualsIgnoreCase {'User', 'group'}";
    assert_eq!(of(people, "write", receiver, PrincipalKind::Group), Truth::True);
    assert_eq!(of(people, "write", receiver, PrincipalKind::ServicePrincipal), Truth::False);
    assert!(is_undecided(&of(people, "delete", receiver, PrincipalKind::Group), "PrincipalType"));
    let shared =
        "@Request[Microsoft.Authorization/roleAssignments:PrincipalId] GuidEquals 52525252-0000-4000-8000-000000000052";
    assert_eq!(of(shared, "write", receiver, PrincipalKind::ServicePrincipal), Truth::True);
}

#[test]
fn the_documented_cross_products_come_out_as_documented() {
    for (text, expected) in [
        ("{'red', 'blue'} ForAnyOfAnyValues:StringEquals {'blue', 'green'}", true),
        ("{'red', 'blue'} ForAnyOfAnyValues:StringEquals {'orange', 'green'}", false),
        ("{'red', 'blue'} ForAllOfAnyValues:StringEquals {'orange', 'red', 'blue'}", true),
        ("{'red', 'blue'} ForAllOfAnyValues:StringEquals {'red', 'green'}", false),
        ("{10, 20} ForAnyOfAllValues:NumericLessThan {15, 18}", true),
        ("{10, 20} ForAllOfAllValues:NumericLessThan {5, 15, 18}", false),
        ("{10, 20} ForAllOfAllValues:NumericLessThan {25, 30}", true),
        ("{10, 20} ForAllOfAllValues:NumericLessThan {15, 25, 30}", false),
        ("'abcd' StringLike 'a*c?'", true),
        ("'abcd' StringLike 'A*C?'", false),
        ("'abcd' StringLike 'a*c'", false),
        ("'a*c' StringLike 'a\\*c'", true),
        ("'abc' StringLike 'a\\*c'", false),
        ("true BoolEquals True", true),
        ("7 NumericGreaterThanEquals 7 && 7 NumericNotEquals 8", true),
        ("'2026-01-01T00:00:00Z' DateTimeLessThanEquals '2026-01-01T01:00:00+01:00'", true),
        ("'09:30:00' TimeOfDayLessThan '17:00:00' || 'a' StringEquals 'b'", true),
        ("8E3AF657-A8FF-443C-A75C-2FE8C4BCB635 GuidNotEquals '8e3af657-a8ff-443c-a75c-2fe8c4bcb635'", false),
    ] {
        assert_eq!(of_uploads(text), if expected { Truth::True } else { Truth::False }, "{text}");
    }
}

#[test]
fn what_is_not_understood_is_undecided_and_never_true() {
    let deep = format!("{}'a' StringEquals 'a'{}", "(".repeat(100), ")".repeat(100));
    let negated = format!("{}('a' StringEquals 'a')", "!".repeat(50_000));
    let long = format!("'{}' StringEquals 'a'", "a".repeat(20_000));
    let joined = vec!["'a' StringEquals 'a'"; 200].join(" AND ");
    assert_eq!(of_uploads(&joined), Truth::True, "length alone is no depth");
    for text in [
        deep.as_str(),
        &negated,
        &long,
        "'a' StringEquals 'a' AND 'a' StringEquals 'a' OR 'a' StringEquals 'a'",
        "'a' StringEquals",
        "'a' StringEquals 'a' 'b'",
        "'a StringEquals 'a'",
        "ActionMatches{}",
        "ActionMatches'a'",
        "@Tenant[a] StringEquals 'a'",
        "@Resource[a StringEquals 'a'",
        "'a' StringMatches 'a'",
        "'a' ForSomeOfAnyValues:StringEquals 'a'",
        "('a' StringEquals 'a'",
        "'a' StringEquals 'a')",
        "Exists 'a'",
        "'a' NumericEquals 'a'",
        "{'a', 'b'} StringEquals 'a'",
        "'a\\a' StringEquals 'a\\a'",
        "ä",
        "1 = 1",
    ] {
        assert!(matches!(of_uploads(text), Truth::Undecided(_)), "{text:.40}");
        let request = Request { data: true, action: "a", resource: &container("b"), assignment: None };
        assert!(matches!(condition(text).denies(&request), Truth::Undecided(_)), "{text:.40}");
    }
    let of_tomorrow = Condition::read("'a' StringEquals 'a'", Some("3.0")).unwrap();
    let request = Request { data: true, action: "a", resource: &container("b"), assignment: None };
    assert!(is_undecided(&of_tomorrow.allows(&request), "version `3.0`"));
    assert_eq!(Condition::read("  ", None), None);
}

proptest! {
    #[test]
    fn no_text_makes_it_stumble(text in "[ -~]{0,60}") {
        if let Some(condition) = Condition::read(&text, None) {
            let request = Request { data: true, action: "a/b", resource: &container("c"), assignment: None };
            let _ = (condition.allows(&request), condition.denies(&request));
        }
    }

    #[test]
    fn no_sentence_of_its_words_makes_it_stumble(words in prop::collection::vec(0_usize..14, 0..40)) {
        const WORDS: [&str; 14] = [
            "(", ")", "!", "AND", "OR", "ActionMatches{'a/b'}", "SubOperationMatches{'c'}", "Exists", "@Resource[a:name]",
            "@Request[subOperation]", "StringEquals", "ForAllOfAnyValues:StringLike", "'a'", "{'a', '*'}",
        ];
        let text: Vec<&str> = words.into_iter().map(|at| WORDS[at]).collect();
        if let Some(condition) = Condition::read(&text.join(" "), None) {
            let request = Request { data: true, action: "a/b", resource: &container("c"), assignment: None };
            let _ = (condition.allows(&request), condition.denies(&request), condition.action_patterns());
        }
    }
}
