//! A look through all accounts.

use std::collections::BTreeSet;

use tollgate_domain::SubjectId;

use super::SledStore;
use crate::account::Account;
use crate::store::{Store, StoreError};

impl SledStore {
    /// Whether any account is as `wanted` says: the recent ones first.
    pub(super) fn find_account(
        &self,
        wanted: &dyn Fn(&SubjectId, &Account) -> bool,
    ) -> Result<bool, StoreError> {
        let subjects: BTreeSet<SubjectId> = {
            let memory = self.memory.read();
            memory.overlays().flat_map(|overlay| overlay.accounts.keys().cloned()).collect()
        };
        let recent = subjects.into_iter().map(Ok);
        for subject in recent.chain(self.rows.accounts()) {
            let subject = subject?;
            let found = self.account(&subject)?;
            if found.is_some_and(|(_, account)| wanted(&subject, &account)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
