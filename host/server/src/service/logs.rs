//! What a level used, call by call.

use tollgate_domain::SubjectId;
use tollgate_ledger::{LogFilter, LogPage};

use super::{Error, Service};

impl Service {
    /// A page of a level's log, the newest first.
    pub async fn logs(
        &self,
        subject: SubjectId,
        which: LogFilter,
        offset: u64,
        limit: usize,
    ) -> Result<LogPage, Error> {
        self.read(move |ledger| ledger.log(&subject, &which, offset, limit)).await
    }
}
