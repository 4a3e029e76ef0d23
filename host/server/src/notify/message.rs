//! What is sent: one alert, or the alerts of a digest.

use std::fmt::Write;

use serde::Serialize;
use sha2::{Digest, Sha256};
use tollgate_domain::{Channel, PeriodId, ProviderId, QuotaName, SubjectId, Timestamp};
use tollgate_ledger::{Alerted, DeliveryId};

/// Never without an item.
pub struct Message {
    /// The same however often it is sent.
    pub id: String,
    pub items: Vec<Item>,
}

/// An alert, on its way to one place.
pub struct Item {
    pub id: DeliveryId,
    pub attempts: u32,
    pub alerted: Alerted,
}

/// What a webhook has in its body.
#[derive(Serialize)]
struct Payload<'a> {
    r#type: &'static str,
    /// When the last of its alerts was raised.
    timestamp: Timestamp,
    data: Data<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Data<'a> {
    Alert(AlertData<'a>),
    Digest { alerts: Vec<AlertData<'a>> },
}

#[derive(Serialize)]
struct AlertData<'a> {
    id: u64,
    r#type: &'a str,
    severity: &'a str,
    subject: &'a SubjectId,
    quota: &'a QuotaName,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'a ProviderId>,
    threshold_percentage: u32,
    limit: String,
    title: &'a str,
    message: &'a str,
    billing_period: &'a PeriodId,
    created_at: Timestamp,
}

impl Message {
    pub fn new(channel: &Channel, items: Vec<Item>) -> Self {
        let mut digest = Sha256::new();
        digest.update(channel.kind().as_str());
        digest.update(channel.address().unwrap_or_default());
        for item in &items {
            // A ledger that is restored may give the same number to another alert.
            let raised = &item.alerted.raised;
            digest.update([0]);
            digest.update(item.id.to_string());
            digest.update(raised.raised_at.micros().to_le_bytes());
            digest.update(raised.alert.subject.as_str());
        }
        let id = format!("msg_{}", hex::encode(&digest.finalize()[..16]));
        Self { id, items }
    }

    /// The body of a webhook.
    pub fn json(&self) -> Vec<u8> {
        let last = self.items.iter().map(|item| item.alerted.raised.raised_at).max();
        let timestamp = last.unwrap_or(Timestamp::EPOCH);
        let (r#type, data) = match &self.items[..] {
            [item] => ("alert.raised", Data::Alert(AlertData::new(&item.alerted))),
            items => {
                let alerts = items.iter().map(|item| AlertData::new(&item.alerted)).collect();
                ("alert.digest", Data::Digest { alerts })
            }
        };
        // Texts and numbers can always be written.
        serde_json::to_vec(&Payload { r#type, timestamp, data }).unwrap_or_default()
    }

    /// One line about it.
    pub fn subject(&self) -> String {
        let line = match &self.items[..] {
            [item] => {
                let alert = &item.alerted.raised.alert;
                format!("{} ({})", alert.title, alert.subject)
            }
            items => {
                let first = &items[0].alerted.raised.alert.subject;
                let same = items.iter().all(|item| item.alerted.raised.alert.subject == *first);
                let whose = if same { format!(" ({first})") } else { String::new() };
                format!("{} usage alerts{whose}", items.len())
            }
        };
        line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
    }

    pub fn text(&self) -> String {
        let parts = self.items.iter().map(|item| {
            let alert = &item.alerted.raised.alert;
            let mut text = format!("{}\n\n{}\n\n", alert.title, alert.message);
            for (name, value) in facts(&item.alerted) {
                // Writing to a text does not fail.
                let _ = writeln!(text, "{name}: {value}");
            }
            text
        });
        parts.collect::<Vec<_>>().join("\n----\n\n")
    }

    pub fn html(&self) -> String {
        let mut html =
            String::from("<!DOCTYPE html><html><body style=\"font-family:sans-serif;color:#222\">");
        for item in &self.items {
            let alert = &item.alerted.raised.alert;
            let _ = write!(
                html,
                "<h2 style=\"font-size:1.1em\">{}</h2><p>{}</p><table cellpadding=\"4\">",
                escaped(&alert.title),
                escaped(&alert.message)
            );
            for (name, value) in facts(&item.alerted) {
                let value = escaped(&value);
                let _ = write!(html, "<tr><td>{name}</td><td><b>{value}</b></td></tr>");
            }
            html.push_str("</table>");
        }
        html.push_str("</body></html>\n");
        html
    }

    /// Writes it to the service's log.
    pub fn log(&self) {
        for item in &self.items {
            let raised = &item.alerted.raised;
            let alert = &raised.alert;
            tracing::warn!(
                target: "tollgate::alerts",
                alert = %item.alerted.id,
                subject = %alert.subject,
                quota = %alert.quota,
                threshold = alert.threshold,
                severity = alert.severity,
                raised_at = %raised.raised_at,
                "{}: {}",
                alert.title,
                alert.message
            );
        }
    }
}

impl<'a> AlertData<'a> {
    fn new(alerted: &'a Alerted) -> Self {
        let alert = &alerted.raised.alert;
        Self {
            id: alerted.id.number(),
            r#type: &alert.kind,
            severity: &alert.severity,
            subject: &alert.subject,
            quota: &alert.quota,
            provider: alert.provider.as_ref(),
            threshold_percentage: alert.threshold,
            limit: alert.limit.to_string(),
            title: &alert.title,
            message: &alert.message,
            billing_period: &alerted.period,
            created_at: alerted.raised.raised_at,
        }
    }
}

/// What a person wants to know besides.
fn facts(alerted: &Alerted) -> [(&'static str, String); 5] {
    let raised = &alerted.raised;
    let alert = &raised.alert;
    [
        ("Subject", alert.subject.to_string()),
        ("Quota", format!("{} % of {} {}", alert.threshold, alert.limit, alert.quota)),
        ("Severity", alert.severity.clone()),
        ("Billing period", alerted.period.to_string()),
        ("Raised at", raised.raised_at.to_string()),
    ]
}

/// A text as HTML has it.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_has_texts_and_no_tags_of_theirs() {
        assert_eq!(escaped("<a href='x'>&\""), "&lt;a href=&#39;x&#39;&gt;&amp;&quot;");
    }
}
