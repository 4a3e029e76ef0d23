//! How long prices take with many models: `cargo bench --profile release --workspace --bench prices`.
//!
//! Prints the median and the 99th percentile of single calls, with catalogues of different sizes:
//! the time must not grow with them. And what it takes to load the largest. Measures on one thread;
//! run it on an idle machine.

#![allow(clippy::expect_used, clippy::panic, reason = "a failed benchmark is a panic")]

use std::fmt::Write;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tollgate_domain::{Call, Metadata, Timestamp, Usage};
use tollgate_engine::{Average, Options, Payer, Policies};

/// The program's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// 2026-08-01T12:00:00Z.
const AT: Timestamp = Timestamp::from_micros(1_785_585_600_000_000);
const ROUNDS: usize = 100_000;
const PROVIDERS: usize = 26;
/// Catalogues that others keep have a regex for one model in a hundred.
const MODELS_PER_REGEX: usize = 4 * PROVIDERS;

fn main() {
    for models in [13, 1_300, 3_900] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
        for file in std::fs::read_dir(shipped).expect("the shipped policies").flatten() {
            if file.path().is_file() {
                std::fs::copy(file.path(), folder.path().join(file.file_name())).expect("a copy");
            }
        }
        std::fs::create_dir(folder.path().join("prices")).expect("a folder");
        let policies =
            Policies::open(Options::new(folder.path()), Arc::new(|| AT)).expect("it opens");
        let catalogue = folder.path().join("prices/many.toml");
        std::fs::write(catalogue, catalogue_of(models)).expect("a catalogue");
        let started = Instant::now();
        assert!(policies.reload(), "{:?}", policies.status().rejected);
        println!("{models} models: loaded and tried out in {:?}", started.elapsed());
        let set = policies.current().expect("a set");
        let last = (models - 1) / MODELS_PER_REGEX * MODELS_PER_REGEX;
        for (what, model) in [
            ("a name", format!("model-{}-large", last)),
            ("a pattern", format!("model-{}-preview-7", last)),
            ("a regex", format!("model-{}-2026-07-15", last)),
        ] {
            let call = call(&model);
            let quote = set.price(&call, AT, &Payer::default()).expect("a usage").expect("a price");
            assert_eq!(quote.charges.len(), 3, "{quote:?}");
            measure(&format!("  price by {what}"), || {
                drop(black_box(set.price(&call, AT, &Payer::default())))
            });
        }
        let call = call(&format!("model-{}-large", last));
        measure("  estimate", || {
            drop(black_box(set.estimate(&call, AT, &Payer::default(), &Average::default())))
        });
    }
}

/// Each model with two names and a pattern, as in catalogues that others keep.
fn catalogue_of(models: usize) -> String {
    let mut toml = String::new();
    for i in 0..models {
        let (provider, per) = (i % PROVIDERS, i % 17);
        let regex = match i % MODELS_PER_REGEX {
            0 => format!(", {{ regex = '^model-{i}-\\d{{4}}-\\d{{2}}-\\d{{2}}$' }}"),
            _ => String::new(),
        };
        write!(
            toml,
            "[[prices]]\nprovider = \"provider-{provider}\"\nmodel = \"model-{i}\"\n\
             match = [\"model-{i}\", \"model-{i}-large\", \"model-{i}-preview*\"{regex}]\n\
             per_million = {{ input_tokens = \"0.{per}1\", cache_read_tokens = \"0.01\", \
             output_tokens = \"1.{per}5\" }}\n[[prices.tiers]]\nabove = 200000\n\
             per_million = {{ input_tokens = \"2\", output_tokens = \"7\" }}\n"
        )
        .expect("a text");
    }
    toml
}

fn call(model: &str) -> Call {
    let usage = [("input_tokens", 1_500), ("cache_read_tokens", 700), ("output_tokens", 400)];
    Call {
        subject: "acme/ann".parse().expect("a path"),
        provider: "provider-0".parse().expect("an id"),
        model: Some(model.parse().expect("a name")),
        endpoint: None,
        usage: Usage::new(usage.map(|(name, n)| (name.parse().expect("a name"), n)))
            .expect("parts within totals"),
        max_tokens: None,
        features: Vec::new(),
        service_tier: None,
        region: None,
        metadata: Metadata::new(),
    }
}

fn measure(what: &str, mut once: impl FnMut()) {
    for _ in 0..ROUNDS / 10 {
        once();
    }
    let mut times: Vec<Duration> = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let started = Instant::now();
        once();
        times.push(started.elapsed());
    }
    times.sort_unstable();
    let at = |percent: usize| times[ROUNDS * percent / 100].as_nanos();
    println!("{what:32} median {:>6} ns, 99 % {:>6} ns", at(50), at(99));
}
