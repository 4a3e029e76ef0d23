//! Where candidates are made, and what is kept so that nothing is made twice.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Weak};

use rayon::iter::{IntoParallelIterator, ParallelIterator};

use crate::assembly::Candidates;
use crate::candidate::AnyPolicy;
use crate::digest::Digest;
use crate::manifest::{Manifest, Rollout};
use crate::options::Options;
use crate::overseer::Overseer;
use crate::plugin::Plugin;
use crate::refusal::{Refused, Step};
use crate::runtime::Runtime;
use crate::source::{Files, Source};

/// What it takes to make a policy of files.
pub(crate) struct Works {
    pub options: Options,
    pub runtime: Runtime,
    pub overseer: Arc<Overseer>,
}

#[derive(Default)]
pub(crate) struct Workshop {
    /// What became of the bytes that were last seen under a name.
    seen: BTreeMap<String, Seen>,
    /// Compiled plugins that somebody still uses: several manifests may name one `.wasm`, and a
    /// changed price needs no compiler.
    plugins: HashMap<Digest, Weak<Plugin>>,
}

/// The digests of the manifest and of the plugin, and how the version comes into force.
type Version = (Digest, Digest, Rollout);

struct Seen {
    version: Version,
    outcome: Result<AnyPolicy, Refused>,
}

impl Workshop {
    /// What each source comes to. The same bytes are the same policy: instances, counters and all.
    pub fn candidates(
        &mut self,
        sources: Vec<Source>,
        active: &[AnyPolicy],
        works: &Works,
    ) -> Candidates {
        let mut candidates = Candidates::new();
        let mut unknown = Vec::new();
        for Source { name, files, .. } in sources {
            let outcome = match files {
                Ok(files) => match self.known(&name, version(&files), active) {
                    Some(outcome) => outcome,
                    None => {
                        unknown.push((name, files));
                        continue;
                    }
                },
                Err(refused) => Err(refused),
            };
            candidates.insert(name, outcome);
        }
        // Where nothing is active nobody is served, and a start has all processors to itself.
        let made = match active.is_empty() {
            true => self.make_at_once(unknown, works),
            false => {
                unknown.into_iter().map(|(name, files)| self.make(name, files, works)).collect()
            }
        };
        for (name, seen) in made {
            candidates.insert(name.clone(), seen.outcome.clone());
            self.seen.insert(name, seen);
        }
        self.seen.retain(|name, _| candidates.contains_key(name));
        self.plugins.retain(|_, plugin| plugin.strong_count() > 0);
        candidates
    }

    /// What one source comes to.
    pub fn candidate(
        &mut self,
        Source { name, files, .. }: Source,
        active: &[AnyPolicy],
        works: &Works,
    ) -> Result<AnyPolicy, Refused> {
        let files = files?;
        if let Some(outcome) = self.known(&name, version(&files), active) {
            return outcome;
        }
        let (name, seen) = self.make(name, files, works);
        let outcome = seen.outcome.clone();
        self.seen.insert(name, seen);
        outcome
    }

    /// What became of a version that is active, or was seen last.
    fn known(
        &mut self,
        name: &str,
        version: Version,
        active: &[AnyPolicy],
    ) -> Option<Result<AnyPolicy, Refused>> {
        if let Some(seen) = active_with(active, name, version) {
            self.seen.insert(name.to_owned(), seen);
        }
        let seen = self.seen.get(name).filter(|seen| seen.is(version));
        seen.map(|seen| seen.outcome.clone())
    }

    fn make(&mut self, name: String, files: Files, works: &Works) -> (String, Seen) {
        let version = version(&files);
        (name, Seen { version, outcome: self.build(files, works) })
    }

    /// Makes all of them on all processors. A plugin that several manifests name is loaded once.
    fn make_at_once(
        &mut self,
        unknown: Vec<(String, Files)>,
        works: &Works,
    ) -> Vec<(String, Seen)> {
        let plugins: BTreeMap<_, _> =
            unknown.iter().map(|(_, files)| (files.plugin_digest, files.plugin.clone())).collect();
        let load =
            |(digest, bytes): (Digest, Arc<[u8]>)| (digest, self.load(&bytes, digest, works));
        let loaded: HashMap<_, _> = plugins.into_par_iter().map(load).collect();
        for (digest, plugin) in &loaded {
            self.plugins.extend(plugin.iter().map(|plugin| (*digest, Arc::downgrade(plugin))));
        }
        let make = |(name, files): (String, Files)| {
            let plugin = loaded[&files.plugin_digest].clone();
            let version = version(&files);
            (name, Seen { version, outcome: build(files.manifest, || plugin, works) })
        };
        unknown.into_par_iter().map(make).collect()
    }

    /// What files come to, whatever is active or was seen.
    pub fn build(&mut self, files: Files, works: &Works) -> Result<AnyPolicy, Refused> {
        let Files { manifest, plugin, plugin_digest } = files;
        let load = || {
            let plugin = self.load(&plugin, plugin_digest, works)?;
            self.plugins.insert(plugin_digest, Arc::downgrade(&plugin));
            Ok(plugin)
        };
        build(manifest, load, works)
    }

    fn load(&self, plugin: &[u8], digest: Digest, works: &Works) -> Result<Arc<Plugin>, Refused> {
        match self.plugins.get(&digest).and_then(Weak::upgrade) {
            Some(plugin) => Ok(plugin),
            None => Plugin::load(&works.runtime, plugin, digest).map(Arc::new),
        }
    }
}

impl Seen {
    fn is(&self, version: Version) -> bool {
        let passing = matches!(&self.outcome, Err(refused) if refused.passing);
        self.version == version && !passing
    }
}

fn version(files: &Files) -> Version {
    (files.manifest.digest, files.plugin_digest, files.manifest.rollout)
}

/// Nothing is loaded for a manifest that this host cannot serve.
fn build(
    manifest: Manifest,
    load: impl FnOnce() -> Result<Arc<Plugin>, Refused>,
    works: &Works,
) -> Result<AnyPolicy, Refused> {
    verify(&manifest, &works.options)?;
    let plugin = load()?;
    plugin.check_kind(manifest.kind)?;
    AnyPolicy::build(Arc::new(manifest), plugin, works)
}

fn active_with(active: &[AnyPolicy], name: &str, version: Version) -> Option<Seen> {
    let same = active.iter().find(|policy| {
        let card = policy.card();
        let Manifest { digest, rollout, .. } = &*card.manifest;
        card.manifest.name == name && (*digest, card.plugin.digest, *rollout) == version
    })?;
    Some(Seen { version, outcome: Ok(same.clone()) })
}

/// Checks what a manifest asks for against what this host has.
fn verify(manifest: &Manifest, options: &Options) -> Result<(), Refused> {
    if manifest.limits.memory_mib > options.memory_mib_max {
        let (asked, most) = (manifest.limits.memory_mib, options.memory_mib_max);
        let why = format!("limits.memory_mib is {asked}, and this host allows at most {most}");
        return Err(Refused::new(Step::Verified, why));
    }
    Ok(())
}
