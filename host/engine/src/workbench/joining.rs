//! Whether a candidate goes together with the policies of a folder.

use std::path::Path;

use super::{Draft, NotTaken, Workbench};
use crate::assembly::{WHOLE_SET, assemble};
use crate::folder;
use crate::refusal::{Refused, Step};
use crate::workshop::Workshop;

impl Workbench {
    /// Puts a candidate among the policies of `folder`, in the place of the one of its name, as if
    /// all that are there were active. Writes nothing there.
    pub fn join(&self, folder: &Path, draft: &Draft) -> Result<(), NotTaken> {
        let sources = folder::scan(folder, &[]).map_err(|error| {
            let why = format!("cannot read the folder of policies: {error}");
            Refused::new(Step::Verified, why)
        })?;
        let mut workshop = Workshop::default();
        let mut candidates = workshop.candidates(sources, &[], &self.works);
        let active = assemble(candidates.clone(), &[]).members.map_or_else(Vec::new, |it| it.0);
        let own = workshop.candidate(draft.source(), &[], &self.works);
        candidates.insert(draft.name.clone(), own);
        let refused = assemble(candidates, &active).refused;
        let concerns = |name: &str| name == draft.name || name == WHOLE_SET;
        match refused.into_iter().find(|(refused, _)| concerns(refused)) {
            Some((_, why)) => Err(why.into()),
            None => Ok(()),
        }
    }
}
