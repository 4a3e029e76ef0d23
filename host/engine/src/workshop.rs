//! Where candidates are made, and what is kept so that nothing is made twice.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Weak};

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
        for source in sources {
            let name = source.name.clone();
            candidates.insert(name, self.candidate(source, active, works));
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
        let version = (files.manifest.digest, files.plugin_digest, files.manifest.rollout);
        let known = active_with(active, &name, version)
            .or_else(|| self.seen.remove(&name).filter(|seen| seen.is(version)));
        let seen = known.unwrap_or_else(|| Seen { version, outcome: self.build(files, works) });
        let outcome = seen.outcome.clone();
        self.seen.insert(name, seen);
        outcome
    }

    /// What files come to, whatever is active or was seen.
    pub fn build(&mut self, files: Files, works: &Works) -> Result<AnyPolicy, Refused> {
        let Files { manifest, plugin, plugin_digest } = files;
        verify(&manifest, &works.options)?;
        let compiled = self.plugins.get(&plugin_digest).and_then(Weak::upgrade);
        let plugin = match compiled {
            Some(plugin) => plugin,
            None => Arc::new(Plugin::load(&works.runtime, &plugin, plugin_digest)?),
        };
        plugin.check_kind(manifest.kind)?;
        self.plugins.insert(plugin_digest, Arc::downgrade(&plugin));
        AnyPolicy::build(Arc::new(manifest), plugin, works)
    }
}

impl Seen {
    fn is(&self, version: Version) -> bool {
        let passing = matches!(&self.outcome, Err(refused) if refused.passing);
        self.version == version && !passing
    }
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
