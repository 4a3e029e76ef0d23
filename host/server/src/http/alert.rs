//! How an alert is written, in both families.

use serde::Serialize;
use tollgate_domain::{PeriodId, ProviderId, QuotaName, SubjectId, Timestamp};
use tollgate_ledger::Raised;

#[derive(Serialize)]
pub struct AlertView<'a> {
    r#type: &'a str,
    threshold_percentage: u32,
    quota: &'a QuotaName,
    subject: &'a SubjectId,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'a ProviderId>,
    title: &'a str,
    message: &'a str,
    severity: &'a str,
    is_sent: bool,
    is_read: bool,
    billing_period: PeriodId,
    created_at: Timestamp,
}

impl<'a> AlertView<'a> {
    pub fn new(raised: &'a Raised, period: &PeriodId) -> Self {
        let alert = &raised.alert;
        Self {
            r#type: &alert.kind,
            threshold_percentage: alert.threshold,
            quota: &alert.quota,
            subject: &alert.subject,
            provider: alert.provider.as_ref(),
            title: &alert.title,
            message: &alert.message,
            severity: &alert.severity,
            is_sent: false,
            is_read: false,
            billing_period: period.clone(),
            created_at: raised.raised_at,
        }
    }
}
