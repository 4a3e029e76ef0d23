//! What a decision costs because a policy is WebAssembly: the shipped plans' rule, warm, as a call
//! meets it (its verdict may be known) and each time asked anew, beside the same rule in native
//! Rust. `cargo bench --workspace --bench overhead`.
//!
//! All take turns in one run, so that a busy machine is as busy for one as for the others.

#![allow(clippy::expect_used, clippy::panic, reason = "a failed benchmark is a panic")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tollgate_domain::{
    Amount, Calendar, Call, LevelState, Metadata, Opinion, Plan, PlanId, QuotaState, Refusal,
    Snapshot, Status, Timestamp, Usage, reason,
};
use tollgate_engine::{Answer, Draft, Options, Policies, Question, Workbench};

/// The program's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 200_000;

/// 2026-08-01T12:00:00Z.
const AT: Timestamp = Timestamp::from_micros(1_785_585_600_000_000);

fn main() {
    let read = |file: &str| std::fs::read(shipped().join(file)).expect("run `make build` first");
    let manifest = String::from_utf8(read("standard-tiers.toml")).expect("a manifest");
    let workbench = Workbench::new(None).expect("an engine");
    let draft = Draft {
        name: "standard-tiers".to_owned(),
        manifest,
        plugin: read("standard-tiers.wasm").into(),
        folder: shipped(),
    };
    let trial = workbench.take(&draft).unwrap_or_else(|why| panic!("{why}"));
    let policies = Policies::open(Options::new(shipped()), Arc::new(|| AT)).expect("it opens");
    let set = policies.current().expect("the shipped policies load");
    let plans: BTreeMap<_, _> = trial.plans().map(|plan| (plan.id.clone(), plan.clone())).collect();

    for (what, provider) in [("granted", "gemini"), ("refused", "openai")] {
        let (call, snapshot) = (call(provider), snapshot(&plans));
        let question = Question::Evaluate {
            call: call.clone(),
            snapshot: snapshot.clone(),
            estimated_cost: None,
        };
        let (mut met, mut wasm, mut native) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let measured = trial.ask(&question).expect("the policy is asked");
            wasm.push(measured.time);
            let started = Instant::now();
            let verdict = black_box(set.judge(&call).evaluate(&call, &snapshot, None));
            met.push(started.elapsed());
            let started = Instant::now();
            let opinion = black_box(evaluate(&plans, black_box(&call), black_box(&snapshot)));
            native.push(started.elapsed());
            assert_eq!(verdict, opinion, "the rules differ");
            assert_eq!(measured.answer, Ok(Answer::Opinion(opinion)), "the rules differ");
        }
        let native = median(native);
        for (how, times) in [("as a call meets it", met), ("asked anew", wasm)] {
            let time = median(times);
            println!(
                "{what}, {how}: {} ns, {} ns native, {} ns more",
                time.as_nanos(),
                native.as_nanos(),
                time.saturating_sub(native).as_nanos()
            );
        }
    }
}

/// The rule of `plugins/standard-tiers`.
fn evaluate(plans: &BTreeMap<PlanId, Plan>, call: &Call, snapshot: &Snapshot) -> Opinion {
    for (level, state) in snapshot.levels.iter().enumerate() {
        let plan = state.plan.as_ref().and_then(|id| plans.get(id));
        if let Some(message) = plan.and_then(|plan| missing(plan, call)) {
            let refusal = Refusal { reason: reason::NOT_IN_PLAN.to_owned(), message, level };
            return Opinion { refusal: Some(refusal), limits: Vec::new() };
        }
    }
    Opinion::default()
}

fn missing(plan: &Plan, call: &Call) -> Option<String> {
    let Plan { name, providers, features, .. } = plan;
    let provider = &call.provider;
    if providers.as_ref().is_some_and(|sold| !sold.contains(provider)) {
        return Some(format!("The plan {name} does not include the provider {provider}."));
    }
    let feature = call.features.iter().find(|wanted| !features.contains(wanted))?;
    Some(format!("The plan {name} does not include the feature {feature}."))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies")
}

fn call(provider: &str) -> Call {
    Call {
        subject: "acme/ann".parse().expect("a path"),
        provider: provider.parse().expect("an id"),
        model: Some("gemini-2.5-flash".parse().expect("a name")),
        endpoint: None,
        usage: Usage::new([]).expect("no parts"),
        max_tokens: None,
        features: Vec::new(),
        service_tier: None,
        region: None,
        metadata: Metadata::new(),
    }
}

/// The free plan on the wider level, with its quotas; nothing on the narrower one.
fn snapshot(plans: &BTreeMap<PlanId, Plan>) -> Snapshot {
    let free = plans.get(&"free".parse().expect("an id")).expect("the plan");
    let quotas = free.quotas.iter().map(|quota| QuotaState {
        name: quota.name.clone(),
        meter: quota.meter.clone(),
        mode: quota.mode,
        window: quota.window,
        limit: quota.limit,
        grace_percent: quota.grace_percent,
        used: Amount::from(17),
        reserved: Amount::ZERO,
        requested: Some(1.into()),
        unpriced: false,
        resets_at: None,
    });
    let level = |subject: &str, plan, quotas| LevelState {
        subject: subject.parse().expect("a path"),
        calendar: Calendar::default(),
        plan,
        terms: None,
        status: Status::Active,
        quotas,
    };
    let root = level("acme", Some(free.id.clone()), quotas.collect());
    Snapshot { at: AT, levels: vec![root, level("acme/ann", None, Vec::new())] }
}
