use std::collections::BTreeSet;

use super::*;
use crate::{
    catalog::{built_in, entity_scope, storage},
    model::{Scope, pattern},
};

#[test]
fn the_least_role_of_each_need_covers_it() {
    for row in rows() {
        for need in &row.needs {
            let (actions, data_actions) = match row.plane {
                Plane::Azure => {
                    let role = built_in(&need.role).unwrap_or_else(|| panic!("{} is not in the table", need.role));
                    (role.actions.clone(), role.data_actions.clone())
                }
                Plane::Cosmos => {
                    (Vec::new(), cosmos_role(&need.role).expect("a role of Cosmos DB").data_actions.clone())
                }
            };
            assert!(!need.rights.is_empty(), "{}: {} asks for nothing", row.id, need.purpose);
            for right in &need.rights {
                let own = if right.data { &data_actions } else { &actions };
                let allowed = |asked: &String| own.iter().any(|own| pattern::covers(own, asked));
                let served = right.any_of.iter().any(|way| way.iter().all(allowed));
                assert!(served, "{}: {} does not serve {right:?}", row.id, need.role);
            }
        }
    }
}

/// Smaller by what it allows beyond the need: of two roles that serve, the one that the other includes.
#[test]
fn no_role_of_the_table_that_serves_a_need_is_included_in_the_one_recommended() {
    let all = crate::catalog::built_in_roles();
    for row in rows().iter().filter(|row| row.plane == Plane::Azure) {
        for need in &row.needs {
            let recommended = built_in(&need.role).expect("the other test finds it");
            let serves = |role: &crate::catalog::BuiltInRole| {
                need.rights.iter().all(|right| {
                    let own = if right.data { &role.data_actions } else { &role.actions };
                    let allowed = |asked: &String| own.iter().any(|own| pattern::covers(own, asked));
                    right.any_of.iter().any(|way| way.iter().all(allowed))
                })
            };
            let within = |small: &[String], large: &[String]| {
                small.iter().all(|asked| large.iter().any(|own| pattern::covers(own, asked)))
            };
            let includes = |large: &crate::catalog::BuiltInRole, small: &crate::catalog::BuiltInRole| {
                within(&small.actions, &large.actions) && within(&small.data_actions, &large.data_actions)
            };
            let smaller: Vec<_> = all
                .iter()
                .filter(|role| role.condition.is_none() && serves(role))
                .filter(|role| includes(recommended, role) && !includes(role, recommended))
                .map(|role| &role.name)
                .collect();
            assert!(smaller.is_empty(), "{}: {}: {smaller:?} would do", row.id, need.purpose);
        }
    }
}

#[test]
fn every_role_of_a_column_is_in_the_table_of_its_plane() {
    for row in rows() {
        for entry in row.microsoft.iter().chain(&row.playbook).flatten() {
            let known = match row.plane {
                Plane::Azure => built_in(&entry.role).is_some(),
                Plane::Cosmos => entry.need.is_some(),
            };
            assert!(known, "{}: {}", row.id, entry.role);
        }
    }
}

/// No row without a behaviour: one that a policy can name asks for something, or says why it does not.
#[test]
fn every_row_can_be_named_and_says_what_comes_of_it() {
    for row in rows() {
        assert!(row.types.is_empty() == row.platform.is_some(), "{}", row.id);
        assert_eq!(
            row.access == AccessKind::Roles,
            row.needs.iter().any(|need| need.account != Account::Host),
            "{}",
            row.id
        );
        let explained = matches!(row.access, AccessKind::Database | AccessKind::Unsupported);
        assert_eq!(row.reason.is_some(), explained, "{}", row.id);
        assert!(!row.sources.is_empty() || row.unverified.is_some(), "{} has no source and does not say so", row.id);
        for type_ in &row.types {
            let said: Vec<_> = ["direction", "source", "scaling", "provider"]
                .into_iter()
                .map(|field| (field, row.when.get(field).map_or("", String::as_str)))
                .collect();
            assert_eq!(super::row(type_, &said).map(|found| &found.id), Ok(&row.id), "{type_}");
        }
    }
}

#[test]
fn rows_that_share_a_type_are_told_apart_and_no_more_than_one_is_meant_by_default() {
    let fields: BTreeSet<_> = rows().iter().flat_map(|row| row.when.keys()).map(String::as_str).collect();
    assert_eq!(fields, BTreeSet::from(["direction", "provider", "scaling", "source"]), "the fields of a binding");
    for type_ in types() {
        let same: Vec<_> = rows().iter().filter(|row| row.types.iter().any(|known| known == type_)).collect();
        let told: BTreeSet<_> = same.iter().map(|row| &row.when).collect();
        assert_eq!(told.len(), same.len(), "{type_}");
        assert!(same.iter().filter(|row| row.default).count() <= 1, "{type_}");
    }
    assert_eq!(types().count(), 62);
}

#[test]
fn what_a_binding_says_wrongly_is_named() {
    let wrong = |type_: &str, said: &[(&'static str, &str)]| row(type_, said).map(|row| row.id.clone()).unwrap_err();
    assert_eq!(wrong("blobtrigger", &[]).0, "type");
    let (field, problem) = wrong("queueTrigger", &[("direction", ""), ("source", "EventGrid")]);
    assert_eq!((field, problem.as_str()), ("source", "means nothing for a `queueTrigger`"));
    let (field, problem) = wrong("blob", &[("direction", ""), ("source", "")]);
    assert_eq!((field, problem.as_str()), ("direction", "a `blob` must say which: `in`, `out`"));
    let (field, problem) = wrong("serviceBusTrigger", &[("scaling", "Queue")]);
    assert_eq!((field, problem.as_str()), ("scaling", "`Queue` is not one of `Incremental`, `QueueLength`"));
    assert_eq!(row("serviceBusTrigger", &[("scaling", "")]).unwrap().id, "service-bus-trigger");
    assert_eq!(row("orchestrationClient", &[("provider", "")]).unwrap().id, "durable-storage");
}

#[test]
fn every_kind_of_entity_that_a_row_names_is_a_scope_of_its_resources() {
    for row in rows() {
        for (resource, kind) in
            row.resources.iter().flat_map(|resource| row.entities.iter().map(move |kind| (resource, kind)))
        {
            let id = format!("/subscriptions/1/resourceGroups/r/providers/{resource}/one");
            let scope = entity_scope(&Scope::parse(&id).unwrap(), &format!("{kind}/two"));
            assert!(scope.is_some(), "{}: {resource} has no {kind}", row.id);
        }
    }
}

#[test]
fn every_call_that_a_need_makes_is_in_the_table_of_storage() {
    let known: BTreeSet<_> = storage::calls().iter().map(|call| call.name.as_str()).collect();
    let made: BTreeSet<_> = rows().iter().flat_map(|row| &row.needs).flat_map(|need| &need.calls).collect();
    assert!(made.len() > 15 && made.iter().all(|name| known.contains(name.as_str())));
}
