//! The way of a policy from a manifest and a plugin to something that may become active.

use std::sync::Arc;

use crate::Kind;
use crate::fault::Fault;
use crate::instance::{Blueprint, Instance, StartError};
use crate::kinds::{Adjustments, Alerts, PolicyKind, Pricing, Tiers};
use crate::manifest::Manifest;
use crate::plugin::Plugin;
use crate::policy::{Card, Policy};
use crate::refusal::{Refused, Step};
use crate::workshop::Works;

/// A policy of any kind.
#[derive(Clone)]
pub(crate) enum AnyPolicy {
    Tier(Arc<Policy<Tiers>>),
    Pricing(Arc<Policy<Pricing>>),
    Alert(Arc<Policy<Alerts>>),
    Adjustment(Arc<Policy<Adjustments>>),
}

impl AnyPolicy {
    /// Configures the plugin as the manifest says and probes it.
    pub fn build(
        manifest: Arc<Manifest>,
        plugin: Arc<Plugin>,
        works: &Works,
    ) -> Result<Self, Refused> {
        Ok(match manifest.kind {
            Kind::Tier => Self::Tier(build(manifest, plugin, works)?),
            Kind::Pricing => Self::Pricing(build(manifest, plugin, works)?),
            Kind::Alert => Self::Alert(build(manifest, plugin, works)?),
            Kind::Adjustment => Self::Adjustment(build(manifest, plugin, works)?),
        })
    }

    pub fn card(&self) -> &Card {
        match self {
            Self::Tier(policy) => &policy.card,
            Self::Pricing(policy) => &policy.card,
            Self::Alert(policy) => &policy.card,
            Self::Adjustment(policy) => &policy.card,
        }
    }

    pub fn name(&self) -> &str {
        &self.card().manifest.name
    }

    /// Makes an instance to be at hand.
    pub fn refill(&self) {
        match self {
            Self::Tier(policy) => policy.refill(),
            Self::Pricing(policy) => policy.refill(),
            Self::Alert(policy) => policy.refill(),
            Self::Adjustment(policy) => policy.refill(),
        }
    }

    /// Whether the two are the same object: the same bytes, instances and counters.
    pub fn is(&self, other: &Self) -> bool {
        std::ptr::eq(self.card(), other.card())
    }
}

fn build<K: PolicyKind>(
    manifest: Arc<Manifest>,
    plugin: Arc<Plugin>,
    works: &Works,
) -> Result<Arc<Policy<K>>, Refused> {
    let (options, overseer) = (&works.options, works.overseer.clone());
    let blueprint = Blueprint::new(plugin.clone(), manifest.clone(), options.log_context)
        .map_err(|error| Refused::new(Step::Linked, format_args!("{error:#}")))?;
    let (first, second) = (try_out(&blueprint)?, try_out(&blueprint)?);
    if first.terms != second.terms || first.answers != second.answers {
        return Err(impure());
    }
    let warm = vec![first.instance, second.instance];
    let terms = first.terms;
    Ok(Arc::new(Policy::new(manifest, plugin, blueprint, terms, warm, options, overseer)))
}

/// What an instance said.
struct Trial<K: PolicyKind> {
    instance: Instance<K>,
    terms: K::Terms,
    answers: K::Answers,
}

/// Asks a fresh instance what it offers, and puts the test calls to it twice.
fn try_out<K: PolicyKind>(blueprint: &Blueprint<K>) -> Result<Trial<K>, Refused> {
    let mut instance = blueprint.start()?;
    let terms = K::terms(&mut instance).map_err(StartError::when("asked what it offers"))?;
    let mut ask =
        || K::probe(&mut instance, &terms).map_err(StartError::when("tried on test calls"));
    let (fresh, warm) = (ask()?, ask()?);
    if fresh != warm {
        return Err(impure());
    }
    Ok(Trial { instance, terms, answers: fresh })
}

fn impure() -> Refused {
    let why = "gave different answers to the same question: a policy must be a function of its \
               input and its configuration";
    Refused::new(Step::Probed, why)
}

impl From<StartError> for Refused {
    fn from(error: StartError) -> Self {
        let passing = matches!(error, StartError::Fault { fault: Fault::Unavailable(_), .. });
        let refused = Self::new(Step::Probed, &error);
        let problems = match error {
            StartError::Config { problems, .. } => problems,
            StartError::Fault { .. } | StartError::UnknownNeed(_) => Vec::new(),
        };
        Self { passing, problems, ..refused }
    }
}
