//! What would be if.

use std::collections::BTreeMap;

use super::Policies;
use crate::folder;
use crate::set::{PolicySet, plan_book};
use crate::workshop::Workshop;

impl Policies {
    /// What the active set would be with another manifest under a name: tried like one in the
    /// folder, and not active. The error says why it could not be.
    pub fn with_manifest(&self, name: &str, text: &str) -> Result<PolicySet, String> {
        let active = self.current().ok_or("there is no set of policies to change")?;
        let documents = self.desk.lock().orders.documents.clone();
        let source = folder::with_manifest(self.folder(), &documents, name, text);
        let policy = Workshop::default().candidate(source, active.members(), &self.works);
        let policy = policy.map_err(|refused| refused.to_string())?;
        let others = active.members().iter().filter(|member| member.name() != name);
        let mut members: Vec<_> = others.cloned().collect();
        let at = members.partition_point(|member| member.name() < name);
        members.insert(at, policy);
        let plans = plan_book(&members).map_err(|(_, error)| error.to_string())?;
        Ok(PolicySet::new(members, plans, self.works.overseer.now(), &BTreeMap::new()))
    }
}
