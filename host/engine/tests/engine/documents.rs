//! What is laid over a policy at runtime.

use std::sync::Arc;

use serde_json::{Value, json};
use tollgate_domain::Amount;
use tollgate_engine::{Document, Policies};

use crate::support::{Folder, active, info};

/// A plan of one quota, laid over the shipped ones.
fn plan(id: &str, limit: Option<&str>) -> Document {
    let entry = limit.map(|limit| {
        json!({
            "id": id, "name": "Laid", "tier": "free", "price_monthly": "0", "price_yearly": "0",
            "quotas": [{ "name": "gemini_calls", "meter": "calls", "limit": limit }],
        })
    });
    let Value::Object(key) = json!({ "id": id }) else { panic!("a key is an object") };
    Document { policy: "standard-tiers".into(), list: "plans".into(), key, entry }
}

fn limit(policies: &Policies, id: &str) -> Option<Amount> {
    let set = active(policies);
    let plan = set.plans().get(&id.parse().unwrap())?;
    plan.quotas.iter().find(|quota| quota.name.as_str() == "gemini_calls")?.limit
}

#[test]
fn a_document_replaces_what_the_file_says_and_the_file_says_it_again_without() {
    let policies = Folder::shipped().open();
    let before = active(&policies).revision().to_owned();
    assert_eq!(limit(&policies, "free"), Some(100.into()));
    policies.lay(plan("free", Some("7"))).unwrap();
    assert_eq!(limit(&policies, "free"), Some(7.into()));
    assert_ne!(active(&policies).revision(), before);
    policies.lay(plan("free", Some("8"))).unwrap();
    assert_eq!(limit(&policies, "free"), Some(8.into()));
    assert_eq!(policies.documents().len(), 1);
    assert!(policies.lift(&plan("free", None)).unwrap());
    assert_eq!(limit(&policies, "free"), Some(100.into()));
    assert_eq!(active(&policies).revision(), before);
    assert!(!policies.lift(&plan("free", None)).unwrap());
}

#[test]
fn a_document_adds_what_no_file_has_and_takes_away_what_one_has() {
    let policies = Folder::shipped().open();
    policies.lay(plan("tiny", Some("1"))).unwrap();
    assert_eq!(limit(&policies, "tiny"), Some(1.into()));
    policies.lay(plan("basic", None)).unwrap();
    assert!(active(&policies).plans().get(&"basic".parse().unwrap()).is_none());
}

#[test]
fn a_document_that_the_policy_does_not_take_changes_nothing() {
    let policies = Folder::shipped().open();
    let before = active(&policies);
    let error = policies.lay(plan("free", Some("-1"))).unwrap_err().to_string();
    assert!(error.contains("/plans/0/quotas/0/limit: must not be negative"), "{error}");
    assert!(Arc::ptr_eq(&active(&policies), &before));
    assert_eq!(policies.documents(), []);
    let of_nobody = Document { policy: "nobody".into(), ..plan("free", None) };
    assert!(policies.lay(of_nobody).unwrap_err().to_string().contains("no policy `nobody`"));
}

#[test]
fn documents_outlive_edits_of_the_file_and_the_process() {
    let (folder, archive) = (Folder::shipped(), Arc::default());
    let policies = folder.resume(&archive);
    policies.lay(plan("free", Some("7"))).unwrap();
    folder.edit("standard-tiers.toml", "name = \"Free\"", "name = \"Gratis\"");
    folder.edit("standard-tiers.toml", "name = \"Basic\"", "name = \"Simple\"");
    assert!(policies.reload());
    assert_eq!(limit(&policies, "free"), Some(7.into()));
    let name = |policies: &Policies| {
        active(policies).plans().get(&"basic".parse().unwrap()).unwrap().name.clone()
    };
    assert_eq!(name(&policies), "Simple");
    let config = info(&policies, "standard-tiers").config_digest;
    drop(policies);
    let policies = folder.resume(&archive);
    assert_eq!(limit(&policies, "free"), Some(7.into()));
    assert_eq!(info(&policies, "standard-tiers").config_digest, config);
}

#[test]
fn a_revision_has_the_documents_that_it_had() {
    let folder = Folder::shipped();
    let policies = folder.open();
    let without = active(&policies).revision().to_owned();
    policies.lay(plan("free", Some("7"))).unwrap();
    let with = active(&policies).revision().to_owned();
    policies.rollback(&without).unwrap();
    assert_eq!((limit(&policies, "free"), policies.documents().len()), (Some(100.into()), 0));
    policies.rollback(&with).unwrap();
    assert_eq!((limit(&policies, "free"), policies.documents().len()), (Some(7.into()), 1));
    assert_eq!(policies.status().rejected, [], "the files have not changed");
}
