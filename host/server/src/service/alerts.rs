//! Who was warned of what, and who has read it.

use tollgate_domain::SubjectId;
use tollgate_ledger::{AlertId, Alerts};

use super::{Error, Service};

impl Service {
    /// The alerts of a level, the newest first, without the first `offset` of them, and no more than
    /// so many.
    pub async fn alerts(
        &self,
        subject: SubjectId,
        unread_only: bool,
        offset: usize,
        limit: usize,
    ) -> Result<Alerts, Error> {
        self.read(move |ledger| ledger.alerts(&subject, unread_only, offset, limit)).await
    }

    /// Notes that somebody has read an alert. Once is enough.
    pub async fn read_alert(&self, id: AlertId) -> Result<(), Error> {
        let set = self.policy_set()?;
        Ok(self.ledger.read_alert(id, set.plans(), self.now()).await?)
    }
}
