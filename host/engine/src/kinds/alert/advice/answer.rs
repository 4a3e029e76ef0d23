//! What a policy advised, read.

use super::super::Recommendation;
use super::super::outlook::{Candidate, ModelName, Outlook};
use crate::bad_output::{BadOutput, word};
use crate::bindings::advice;
use crate::decimal::to_usd;

/// One of the candidates for so many models.
pub(super) fn candidate(
    candidate: advice::Candidate,
    models: usize,
) -> Result<Candidate, BadOutput> {
    let position = usize::try_from(candidate.instead_of).ok().filter(|at| *at < models);
    let instead_of = position.ok_or_else(|| {
        let problem = format_args!("{} is none of {models}", candidate.instead_of);
        BadOutput::new("instead-of", problem)
    })?;
    Ok(Candidate { instead_of, by: model(candidate.by)? })
}

/// A recommendation; it must name what was offered.
pub(super) fn recommendation(
    advice: advice::Recommendation,
    outlook: &Outlook,
) -> Result<Recommendation, BadOutput> {
    let advice::Recommendation { kind, title, message, plan, by, saving } = advice;
    if kind.is_empty() {
        return Err(BadOutput::new("kind", "is empty"));
    }
    let offered = |name: String| {
        let mut offers = outlook.offers.iter().map(|offer| &offer.plan);
        let found = offers.find(|plan| plan.as_str() == name).cloned();
        found.ok_or_else(|| BadOutput::new("plan", format_args!("`{name}` is not offered")))
    };
    Ok(Recommendation {
        kind,
        title,
        message,
        plan: plan.map(offered).transpose()?,
        by: by.map(model).transpose()?,
        saving: saving.map(|saving| to_usd("saving", saving)).transpose()?,
    })
}

fn model(name: advice::ModelResult) -> Result<ModelName, BadOutput> {
    Ok(ModelName {
        provider: word("provider", &name.provider)?,
        model: name.model.map(|model| word("model", &model)).transpose()?,
    })
}
