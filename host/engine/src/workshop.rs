//! Where candidates are made, and what is kept so that nothing is made twice.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Weak};

use crate::assembly::Candidates;
use crate::candidate::AnyPolicy;
use crate::digest::Digest;
use crate::folder::{Files, Source};
use crate::manifest::Manifest;
use crate::options::Options;
use crate::plugin::Plugin;
use crate::refusal::{Refused, Step};
use crate::runtime::Runtime;

#[derive(Default)]
pub(crate) struct Workshop {
    /// What became of the bytes that were last seen under a name.
    seen: BTreeMap<String, Seen>,
    /// Compiled plugins that somebody still uses: several manifests may name one `.wasm`, and a
    /// changed price needs no compiler.
    plugins: HashMap<Digest, Weak<Plugin>>,
}

struct Seen {
    /// Of the manifest and of the plugin.
    digests: (Digest, Digest),
    outcome: Result<AnyPolicy, Refused>,
}

impl Workshop {
    /// What each source comes to. The same bytes are the same policy: instances, counters and all.
    pub fn candidates(
        &mut self,
        sources: Vec<Source>,
        active: &[AnyPolicy],
        runtime: &Runtime,
        options: &Options,
    ) -> Candidates {
        let mut seen = std::mem::take(&mut self.seen);
        let mut candidates = Candidates::new();
        for Source { name, files } in sources {
            let outcome = match files {
                Err(refused) => Err(refused),
                Ok(files) => {
                    let digests = (files.manifest.digest, files.plugin_digest);
                    let known = active_with(active, &name, digests)
                        .or_else(|| seen.remove(&name).filter(|seen| seen.is(digests)));
                    let seen = known.unwrap_or_else(|| Seen {
                        digests,
                        outcome: self.build(files, runtime, options),
                    });
                    let outcome = seen.outcome.clone();
                    self.seen.insert(name.clone(), seen);
                    outcome
                }
            };
            candidates.insert(name, outcome);
        }
        self.plugins.retain(|_, plugin| plugin.strong_count() > 0);
        candidates
    }

    pub fn build(
        &mut self,
        files: Files,
        runtime: &Runtime,
        options: &Options,
    ) -> Result<AnyPolicy, Refused> {
        let Files { manifest, plugin, plugin_digest } = files;
        verify(&manifest, options)?;
        let compiled = self.plugins.get(&plugin_digest).and_then(Weak::upgrade);
        let plugin = match compiled {
            Some(plugin) => plugin,
            None => Arc::new(Plugin::load(runtime, &plugin, plugin_digest)?),
        };
        plugin.check_kind(manifest.kind)?;
        self.plugins.insert(plugin_digest, Arc::downgrade(&plugin));
        AnyPolicy::build(Arc::new(manifest), plugin, options)
    }
}

impl Seen {
    fn is(&self, digests: (Digest, Digest)) -> bool {
        let passing = matches!(&self.outcome, Err(refused) if refused.passing);
        self.digests == digests && !passing
    }
}

fn active_with(active: &[AnyPolicy], name: &str, digests: (Digest, Digest)) -> Option<Seen> {
    let same = active.iter().find(|policy| {
        let card = policy.card();
        card.manifest.name == name && (card.manifest.digest, card.plugin.digest) == digests
    })?;
    Some(Seen { digests, outcome: Ok(same.clone()) })
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
