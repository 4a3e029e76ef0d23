//! Which candidates and which of the active policies make up the next set.

use std::collections::BTreeMap;

use tollgate_domain::PlanBook;

use crate::Kind;
use crate::candidate::AnyPolicy;
use crate::refusal::{Refused, Step};
use crate::set::plan_book;

/// What stands under each name in the folder.
pub(crate) type Candidates = BTreeMap<String, Result<AnyPolicy, Refused>>;

/// The next set, if a complete one can be made, and why some names are not in it as they stand
/// in the folder.
pub(crate) struct Assembly {
    /// In the order of their names.
    pub members: Option<(Vec<AnyPolicy>, PlanBook)>,
    /// What is to run beside them, in the order of the names.
    pub candidates: Vec<AnyPolicy>,
    pub refused: Vec<(String, Refused)>,
}

/// The name under which a refusal of the set as a whole is reported.
pub(crate) const WHOLE_SET: &str = "*";

/// Puts the next set together. Refusal is per name: where a candidate cannot be taken, the
/// version of it that is active stays, and all others go in.
pub(crate) fn assemble(candidates: Candidates, active: &[AnyPolicy]) -> Assembly {
    let active: Members =
        active.iter().map(|policy| (policy.name().to_owned(), policy.clone())).collect();
    let mut kept = Members::new();
    let mut changed = Members::new();
    let mut refused = Vec::new();
    let mut beside = Vec::new();
    let mut gone = active.clone();
    for (name, outcome) in candidates {
        let last_good = gone.remove(&name);
        match outcome {
            Ok(policy) if last_good.as_ref().is_some_and(|last| policy.is(last)) => {
                kept.insert(name, policy);
            }
            Ok(policy) if policy.card().manifest.rollout.is_beside() => match last_good {
                Some(last) => {
                    kept.insert(name, last);
                    beside.push(policy);
                }
                None => refused.push((name, Refused::new(Step::Active, NOTHING_BESIDE))),
            },
            Ok(policy) => {
                changed.insert(name, policy);
            }
            Err(why) => {
                kept.extend(last_good.map(|policy| (name.clone(), policy)));
                refused.push((name, why));
            }
        }
    }
    keep_complete(gone, &mut kept, &changed, &mut refused);
    let plans = loop {
        match plan_book(kept.values().chain(changed.values())) {
            Ok(plans) => break plans,
            Err((position, error)) => {
                // Those who were active together go together: it is a changed one.
                let at = position.saturating_sub(kept.len());
                let Some(name) = changed.keys().nth(at).cloned() else {
                    return Assembly { members: None, candidates: Vec::new(), refused };
                };
                changed.remove(&name);
                kept.extend(active.get(&name).map(|policy| (name.clone(), policy.clone())));
                refused.push((name, Refused::new(Step::Active, error)));
            }
        }
    };
    kept.append(&mut changed);
    let missing = NECESSARY.into_iter().find(|kind| !has(&kept, *kind));
    if let Some(kind) = missing {
        let why = format!("there is no {kind} policy that could be active");
        refused.push((WHOLE_SET.to_owned(), Refused::new(Step::Active, why)));
        return Assembly { members: None, candidates: Vec::new(), refused };
    }
    // A name that is another kind of policy from now on has nothing to be compared with.
    beside.retain(|policy| kept.get(policy.name()).is_some_and(|k| kind_of(k) == kind_of(policy)));
    beside.retain(|policy| {
        let with = kept.iter().map(|(name, old)| if name == policy.name() { policy } else { old });
        let outcome = plan_book(with);
        if let Err((_, error)) = &outcome {
            refused.push((policy.name().to_owned(), Refused::new(Step::Active, error)));
        }
        outcome.is_ok()
    });
    let members = Some((kept.into_values().collect(), plans));
    Assembly { members, candidates: beside, refused }
}

const NOTHING_BESIDE: &str =
    "no version of it is active that it could run beside: take `stage` away";

type Members = BTreeMap<String, AnyPolicy>;

/// Without plans there is nothing to grant, and without prices nothing to charge.
const NECESSARY: [Kind; 2] = [Kind::Tier, Kind::Pricing];

/// Keeps policies whose files are gone where nothing of their kind would be left.
fn keep_complete(
    gone: Members,
    kept: &mut Members,
    changed: &Members,
    refused: &mut Vec<(String, Refused)>,
) {
    for kind in NECESSARY {
        if has(kept, kind) || has(changed, kind) {
            continue;
        }
        for (name, policy) in gone.iter().filter(|(_, policy)| kind_of(policy) == kind) {
            let why =
                format!("its manifest is gone, but no other {kind} policy is there: it stays");
            refused.push((name.clone(), Refused::new(Step::Active, why)));
            kept.insert(name.clone(), policy.clone());
        }
    }
}

fn has(members: &Members, kind: Kind) -> bool {
    members.values().any(|policy| kind_of(policy) == kind)
}

fn kind_of(policy: &AnyPolicy) -> Kind {
    policy.card().manifest.kind
}
