//! Our derived name exists already when the grant is about to be made: nothing is ever written over it.

use rolecall::{api::Mode, model::FailureClass, report::Situation};
use serde_json::Value;

use super::bench::{Bench, Seen};
use super::documents::{
    ACTING, APPLIED, BLOB_CONTRIBUTOR, CONDITIONED, DONE, NOTHING, READER, REHEARSED, STRANGER, SYSTEM, assignment,
    conditioned, missing, storage, uploads,
};

/// A survey, then the document under our name, then a pass that rests on the survey.
async fn found(mode: Mode, document: &Value) -> (Bench, Seen) {
    let bench = Bench::new(mode);
    bench.look().await;
    bench.arm.insert(document.clone());
    let seen = bench.act().await;
    assert_eq!(bench.writes(), NOTHING, "{mode:?} {:?}", seen.outcomes());
    assert_eq!(bench.arm.document(&missing()).as_ref(), Some(document), "{mode:?}");
    (bench, seen)
}

fn named(scope: &str, principal: &str, role: &str) -> Value {
    assignment(&missing(), scope, principal, role)
}

#[tokio::test(start_paused = true)]
async fn the_same_grant_under_our_name_is_what_was_wanted() {
    for mode in ACTING {
        let (bench, seen) = found(mode, &named(&uploads(), SYSTEM, BLOB_CONTRIBUTOR)).await;
        assert_eq!(seen.outcomes(), [DONE]);
        if mode == Mode::Enforce {
            assert_eq!(seen.situation, Situation::Remediating);
            bench.assert_settled().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_grant_in_another_casing_is_the_same() {
    let (_, seen) = found(Mode::Enforce, &named(&uploads().to_uppercase(), SYSTEM, BLOB_CONTRIBUTOR)).await;
    assert_eq!(seen.outcomes(), [DONE]);
}

#[tokio::test(start_paused = true)]
async fn a_condition_under_our_name_is_left_alone() {
    for mode in ACTING {
        let (_, seen) = found(mode, &conditioned(named(&uploads(), SYSTEM, BLOB_CONTRIBUTOR))).await;
        assert_eq!(seen.outcomes(), [CONDITIONED]);
        if mode == Mode::Enforce {
            assert_eq!(seen.situation, Situation::Held("ConditionedAssignmentExists"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn another_grant_under_our_name_is_an_error_and_stays() {
    let others = [
        named(&uploads(), STRANGER, BLOB_CONTRIBUTOR),
        named(&uploads(), SYSTEM, READER),
        named(&storage(), SYSTEM, BLOB_CONTRIBUTOR),
        conditioned(named(&uploads(), STRANGER, BLOB_CONTRIBUTOR)),
    ];
    let name = missing().rsplit('/').next().map(str::to_owned).expect("an id has a last segment");
    let said = format!("role assignment {name} exists for another principal, role or scope");
    for other in &others {
        for mode in ACTING {
            let (_, seen) = found(mode, other).await;
            assert_eq!(seen.outcomes(), [said.as_str()], "{other}");
            if mode == Mode::Enforce {
                let Situation::Failing(failure) = &seen.situation else { panic!("{:?}", seen.situation) };
                assert_eq!((failure.class, failure.code.as_str()), (FailureClass::Bug, "NameInUse"), "{other}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_for_our_name_that_names_no_principal_or_role_is_not_a_free_name() {
    for member in ["principalId", "roleDefinitionId"] {
        for mode in ACTING {
            let mut document = named(&uploads(), SYSTEM, BLOB_CONTRIBUTOR);
            document["properties"][member] = Value::Null;
            let (_, seen) = found(mode, &document).await;
            let [outcome] = seen.outcomes()[..] else { panic!("{:?}", seen.outcomes()) };
            assert!(![APPLIED, DONE, REHEARSED].contains(&outcome), "{member} {mode:?}: {outcome}");
        }
    }
}
