//! Whether a candidate goes together with the policies of a folder.

use std::path::Path;

use super::{NotTaken, Workbench, files};
use crate::assembly::{WHOLE_SET, assemble};
use crate::folder::{self, Source};
use crate::refusal::{Refused, Step};
use crate::workshop::Workshop;

impl Workbench {
    /// Puts a candidate among the policies of `folder`, in the place of the one of its name, as if
    /// all others were active. Writes nothing there.
    pub fn join(
        &self,
        folder: &Path,
        name: &str,
        manifest: &str,
        plugin: &[u8],
    ) -> Result<(), NotTaken> {
        let sources = folder::scan(folder).map_err(|error| {
            let why = format!("cannot read the folder of policies: {error}");
            Refused::new(Step::Verified, why)
        })?;
        let others: Vec<_> = sources.into_iter().filter(|source| source.name != name).collect();
        let own = Source { name: name.to_owned(), files: files(name, manifest, plugin.to_vec()) };

        let mut workshop = Workshop::default();
        let mut candidates = workshop.candidates(others, &[], &self.runtime, &self.options);
        let active = assemble(candidates.clone(), &[]).members.map_or_else(Vec::new, |it| it.0);
        candidates.extend(workshop.candidates(vec![own], &[], &self.runtime, &self.options));
        let refused = assemble(candidates, &active).refused;
        let concerns = |refused_name: &str| refused_name == name || refused_name == WHOLE_SET;
        match refused.into_iter().find(|(refused, _)| concerns(refused)) {
            Some((_, why)) => Err(why.into()),
            None => Ok(()),
        }
    }
}
