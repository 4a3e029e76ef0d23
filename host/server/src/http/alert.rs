//! How an alert is written, in both families.

use serde::Serialize;
use tollgate_domain::{PeriodId, ProviderId, QuotaName, SubjectId, Timestamp};
use tollgate_ledger::Alerted;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
#[schema(as = Alert)]
pub struct AlertView<'a> {
    id: u64,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    sent_at: Option<Timestamp>,
    is_read: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    read_at: Option<Timestamp>,
    billing_period: &'a PeriodId,
    created_at: Timestamp,
}

impl<'a> AlertView<'a> {
    pub fn new(alerted: &'a Alerted) -> Self {
        let Alerted { id, raised, period, read_at, sent_at } = alerted;
        let alert = &raised.alert;
        Self {
            id: id.number(),
            r#type: &alert.kind,
            threshold_percentage: alert.threshold,
            quota: &alert.quota,
            subject: &alert.subject,
            provider: alert.provider.as_ref(),
            title: &alert.title,
            message: &alert.message,
            severity: &alert.severity,
            is_sent: sent_at.is_some(),
            sent_at: *sent_at,
            is_read: read_at.is_some(),
            read_at: *read_at,
            billing_period: period,
            created_at: raised.raised_at,
        }
    }
}
