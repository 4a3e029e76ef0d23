//! Whether a candidate goes together with the policies of a folder.

use std::path::Path;

use super::{Draft, NotTaken, Workbench};
use crate::assembly::{WHOLE_SET, assemble};
use crate::folder;
use crate::refusal::{Refused, Step};
use crate::workshop::Workshop;

impl Workbench {
    /// Puts a candidate among the policies of `folder`, in the place of the one of its name or, as
    /// its manifest says, beside that one, as if all others were active. Writes nothing there.
    pub fn join(&self, folder: &Path, draft: &Draft) -> Result<(), NotTaken> {
        let mut sources = folder::scan(folder, &[]).map_err(|error| {
            let why = format!("cannot read the folder of policies: {error}");
            Refused::new(Step::Verified, why)
        })?;
        let own = draft.source();
        let is_beside = own.files.as_ref().is_ok_and(|files| files.manifest.rollout.is_beside());
        sources.retain(|source| source.name != draft.name || is_beside);
        let mut workshop = Workshop::default();
        let mut candidates = workshop.candidates(sources, &[], &self.works);
        let active = assemble(candidates.clone(), &[]).members.map_or_else(Vec::new, |it| it.0);
        let own = workshop.candidate(own, &[], &self.works);
        candidates.insert(draft.name.clone(), own);
        let refused = assemble(candidates, &active).refused;
        let concerns = |name: &str| name == draft.name || name == WHOLE_SET;
        match refused.into_iter().find(|(refused, _)| concerns(refused)) {
            Some((_, why)) => Err(why.into()),
            None => Ok(()),
        }
    }
}
