//! Who was warned of what, and who has read it.

use tollgate_domain::SubjectId;
use tollgate_ledger::{AlertId, Alerts};

use super::{Error, Service};

impl Service {
    /// The alerts of a level, the newest first, no more than so many.
    pub fn alerts(
        &self,
        subject: &SubjectId,
        unread_only: bool,
        limit: usize,
    ) -> Result<Alerts, Error> {
        Ok(self.ledger.alerts(subject, unread_only, limit)?)
    }

    /// Notes that somebody has read an alert. Once is enough.
    pub async fn read_alert(&self, id: AlertId) -> Result<(), Error> {
        let set = self.policy_set()?;
        Ok(self.ledger.read_alert(id, set.plans(), self.now()).await?)
    }
}
