//! A folder of policies, and calls to try them on.

pub mod guest;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tollgate_domain::{
    Calendar, Call, LevelState, Metadata, Opinion, PlanBook, QuotaState, Snapshot, Status,
    Timestamp, Usage,
};
use tollgate_engine::{MemoryArchive, Now, Options, Policies, PolicyInfo, PolicySet, Rejection};

/// 2026-08-01T12:00:00Z.
pub const NOW: Timestamp = Timestamp::from_micros(1_785_585_600_000_000);

/// The manifest of a policy that prices nothing.
pub const UNPRICED: &str = "kind = \"pricing\"\nplugin = \"unpriced.wasm\"\n";

/// A folder that is gone after the test.
pub struct Folder(TempDir);

impl Folder {
    pub fn empty() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// With a copy of everything that is shipped.
    pub fn shipped() -> Self {
        let folder = Self::empty();
        for name in ["standard-tiers", "token-pricing", "threshold-alerts"] {
            for extension in ["toml", "wasm"] {
                let file = format!("{name}.{extension}");
                folder.write(&file, shipped(&file));
            }
        }
        folder
    }

    /// With the least that is complete, compiled in no time: `grants`, a tier policy without plans
    /// that grants everything, and `unpriced`, a pricing policy without prices.
    pub fn small() -> Self {
        let folder = Self::empty();
        folder.write("grants.wasm", guest::tier_component("", "(i32.const 0)"));
        folder.write("grants.toml", "kind = \"tier\"\nplugin = \"grants.wasm\"\n");
        folder.write("unpriced.wasm", guest::pricing_component());
        folder.write("unpriced.toml", UNPRICED);
        folder
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn write(&self, file: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path().join(file), content).unwrap();
    }

    pub fn read(&self, file: &str) -> Option<String> {
        fs::read_to_string(self.path().join(file)).ok()
    }

    pub fn remove(&self, file: &str) {
        fs::remove_file(self.path().join(file)).unwrap();
    }

    /// Replaces a text that must be there.
    pub fn edit(&self, file: &str, from: &str, to: &str) {
        let text = self.read(file).unwrap();
        assert!(text.contains(from), "{file} has no {from}");
        self.write(file, text.replacen(from, to, 1));
    }

    /// Opens it as a service does that was there before.
    pub fn resume(&self, archive: &Arc<MemoryArchive>) -> Arc<Policies> {
        let options = Options::new(self.path());
        Policies::resume(options, Arc::new(|| NOW), archive.clone()).unwrap()
    }

    pub fn open(&self) -> Arc<Policies> {
        Policies::open(Options::new(self.path()), Arc::new(|| NOW)).unwrap()
    }
}

/// A file of the repository's own `policies/`.
pub fn shipped(file: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../policies").join(file);
    fs::read(path).unwrap_or_else(|error| panic!("run `make build` first: {file}: {error}"))
}

/// The active set, which there must be.
pub fn active(policies: &Policies) -> Arc<PolicySet> {
    policies.current().unwrap_or_else(|| panic!("no set: {:?}", policies.status().rejected))
}

pub fn info(policies: &Policies, name: &str) -> PolicyInfo {
    let all = policies.status().policies;
    all.into_iter().find(|policy| policy.name == name).expect("the policy is active")
}

/// The only rejection there is.
pub fn rejection(policies: &Policies) -> Rejection {
    let mut rejected = policies.status().rejected;
    assert_eq!(rejected.len(), 1, "{rejected:#?}");
    rejected.remove(0)
}

pub fn call(provider: &str, model: &str, usage: &[(&str, u64)]) -> Call {
    let usage = usage.iter().map(|(name, amount)| (name.parse().unwrap(), *amount));
    Call {
        subject: "acme/ann".parse().unwrap(),
        provider: provider.parse().unwrap(),
        model: model.parse().ok(),
        endpoint: None,
        usage: Usage::new(usage).unwrap(),
        max_tokens: None,
        features: vec![],
        service_tier: None,
        region: None,
        metadata: Metadata::new(),
    }
}

/// One level, on the plan `id` or on none.
pub fn snapshot(plans: &PlanBook, id: Option<&str>) -> Snapshot {
    let terms = id.and_then(|id| plans.get(&id.parse().unwrap())).cloned();
    let quotas = terms.iter().flat_map(|plan| &plan.quotas).map(|quota| QuotaState {
        name: quota.name.clone(),
        meter: quota.meter.clone(),
        mode: quota.mode,
        window: quota.window,
        limit: quota.limit,
        grace_percent: quota.grace_percent,
        used: 0.into(),
        reserved: 0.into(),
        requested: Some(1.into()),
        unpriced: false,
        resets_at: None,
    });
    let level = LevelState {
        subject: "acme".parse().unwrap(),
        calendar: Calendar::default(),
        plan: id.map(|id| id.parse().unwrap()),
        quotas: quotas.collect(),
        terms,
        status: Status::Active,
    };
    Snapshot { at: NOW, levels: vec![level] }
}

/// What the tier policies of the active set think of a call to this provider.
pub fn judge(policies: &Policies, provider: &str) -> Opinion {
    let set = active(policies);
    let snapshot = snapshot(set.plans(), None);
    let call = call(provider, "m", &[]);
    set.judge(&call).evaluate(&call, &snapshot, None)
}

/// The same for a call of this subject.
pub fn judge_for(policies: &Policies, subject: &str, provider: &str) -> Opinion {
    let call = Call { subject: subject.parse().unwrap(), ..call(provider, "m", &[]) };
    let set = active(policies).for_subject(&call.subject);
    let snapshot = snapshot(set.plans(), None);
    set.judge(&call).evaluate(&call, &snapshot, None)
}

/// Waits for something that is bound to happen, soon.
#[track_caller]
pub fn eventually(what: &str, mut happened: impl FnMut() -> bool) {
    let started = Instant::now();
    while !happened() {
        assert!(started.elapsed() < Duration::from_secs(20), "it never happened that {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A clock that stands still until it is set.
#[derive(Clone, Default)]
pub struct StillClock(Arc<AtomicI64>);

impl StillClock {
    pub fn pass(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1_000_000, Ordering::Relaxed);
    }

    pub fn now(&self) -> Now {
        let micros = self.0.clone();
        let now = move || Timestamp::from_micros(NOW.micros() + micros.load(Ordering::Relaxed));
        Arc::new(now)
    }
}
