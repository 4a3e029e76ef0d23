//! `/v1/subjects/{subject}/notifications`, and `/v1/notifications/default` for everybody who has
//! none: where alerts go, which, and when.

use axum::Json;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use tollgate_domain::{
    Digest, EmailAddress, Every, Preferences, QuietHours, SubjectId, TimeOfDay, Webhook, WebhookUrl,
};
use utoipa::ToSchema;

use super::secrets::{Secrets, masked};
use crate::http::App;
use crate::http::fields::{Parsed, Whole};
use crate::http::json::{JsonBody, no_query, parse};
use crate::http::openapi::tag;
use crate::http::problem::{Problem, kinds};
use crate::notify::{Guard, is_mailbox};

const EMAILS_MAX: usize = 20;
const WEBHOOKS_MAX: usize = 10;

const HOUR_MINUTES: u16 = 60;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NotificationPreferencesToSet)]
struct Body {
    #[serde(default)]
    #[schema(value_type = Vec<EmailAddress>, max_items = 20)]
    emails: Vec<Parsed<EmailAddress>>,
    #[serde(default)]
    #[schema(max_items = 10)]
    webhooks: Vec<WebhookBody>,
    /// Whether the service's own log tells of them
    #[serde(default)]
    log: bool,
    #[serde(default)]
    /// Which alerts are told; all unless given
    severities: Vec<Severity>,
    quiet_hours: Option<QuietHoursBody>,
    digest: Option<DigestBody>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WebhookToSet)]
struct WebhookBody {
    #[schema(value_type = WebhookUrl)]
    url: Parsed<WebhookUrl>,
    secret: Secrets,
}

#[derive(Clone, Copy, Deserialize, Serialize, PartialEq, Eq, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = AlertSeverity)]
enum Severity {
    Info,
    Warning,
    Error,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = QuietHoursToSet)]
struct QuietHoursBody {
    #[schema(value_type = TimeOfDay)]
    from: Parsed<TimeOfDay>,
    #[schema(value_type = TimeOfDay)]
    to: Parsed<TimeOfDay>,
    /// An IANA time zone; UTC unless given
    timezone: Option<String>,
    #[serde(default)]
    except_errors: bool,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DigestToSet)]
struct DigestBody {
    every: Option<EveryBody>,
    every_minutes: Option<Whole<1, 1440>>,
    #[schema(value_type = Option<TimeOfDay>)]
    at: Option<Parsed<TimeOfDay>>,
    /// An IANA time zone; UTC unless given
    timezone: Option<String>,
    #[serde(default)]
    except_errors: bool,
}

#[derive(Clone, Copy, Deserialize, Serialize, PartialEq, Eq, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = DigestSpan)]
enum EveryBody {
    Hour,
    Day,
}

/// What was set, in the form in which it can be set again.
#[derive(Serialize, ToSchema)]
#[schema(as = NotificationPreferences)]
struct View<'a> {
    emails: Vec<&'a str>,
    webhooks: Vec<WebhookView<'a>>,
    log: bool,
    severities: &'a [String],
    #[schema(required)]
    quiet_hours: Option<QuietHoursView>,
    #[schema(required)]
    digest: Option<DigestView>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Webhook)]
struct WebhookView<'a> {
    url: &'a str,
    /// By their fingerprints, which stand for them when they are sent back
    secret: Vec<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = QuietHours)]
struct QuietHoursView {
    from: String,
    to: String,
    timezone: &'static str,
    except_errors: bool,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Digest)]
struct DigestView {
    #[serde(skip_serializing_if = "Option::is_none")]
    every: Option<EveryBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    every_minutes: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    timezone: &'static str,
    except_errors: bool,
}

type Subject = Result<Path<String>, PathRejection>;

/// See how a level is told of its alerts
#[utoipa::path(
    get,
    path = "/v1/subjects/{subject}/notifications",
    tag = tag::NOTIFICATIONS,
    operation_id = "getNotificationPreferences",
    params(("subject" = SubjectId, Path, description = "The level, as one percent-encoded segment")),
    responses((status = 200, description = "What was set; secrets by their fingerprints", body = View)),
    extensions(("x-problems" = json!([kinds::NO_PREFERENCES]))),
)]
pub async fn show(service: App, subject: Subject, uri: Uri) -> Result<Response, Problem> {
    let subject = self::subject(subject)?;
    shown(service, Some(subject), uri).await
}

/// See how all others are told
#[utoipa::path(
    get,
    path = "/v1/notifications/default",
    tag = tag::NOTIFICATIONS,
    operation_id = "getDefaultNotificationPreferences",
    responses((status = 200, description = "What was set; secrets by their fingerprints", body = View)),
    extensions(("x-problems" = json!([kinds::NO_PREFERENCES]))),
)]
pub async fn show_default(service: App, uri: Uri) -> Result<Response, Problem> {
    shown(service, None, uri).await
}

/// Set how a level is told of its alerts
///
/// All of it: what is left out is as if nobody had set it.
#[utoipa::path(
    put,
    path = "/v1/subjects/{subject}/notifications",
    tag = tag::NOTIFICATIONS,
    operation_id = "putNotificationPreferences",
    params(("subject" = SubjectId, Path, description = "The level, as one percent-encoded segment")),
    request_body = Body,
    responses((status = 200, description = "What is set now", body = View)),
)]
pub async fn put(
    service: App,
    subject: Subject,
    uri: Uri,
    body: Result<JsonBody, Problem>,
) -> Result<Response, Problem> {
    let subject = self::subject(subject)?;
    set(service, Some(subject), uri, body?).await
}

/// Set how all others are told
///
/// That is, whoever has no preferences on any level.
#[utoipa::path(
    put,
    path = "/v1/notifications/default",
    tag = tag::NOTIFICATIONS,
    operation_id = "putDefaultNotificationPreferences",
    request_body = Body,
    responses((status = 200, description = "What is set now", body = View)),
)]
pub async fn put_default(
    service: App,
    uri: Uri,
    body: Result<JsonBody, Problem>,
) -> Result<Response, Problem> {
    set(service, None, uri, body?).await
}

/// Forget a level's preferences
///
/// Those of the level above apply then, or the default.
#[utoipa::path(
    delete,
    path = "/v1/subjects/{subject}/notifications",
    tag = tag::NOTIFICATIONS,
    operation_id = "deleteNotificationPreferences",
    params(("subject" = SubjectId, Path, description = "The level, as one percent-encoded segment")),
    responses((status = 204, description = "There are none any more")),
)]
pub async fn delete(service: App, subject: Subject, uri: Uri) -> Result<StatusCode, Problem> {
    let subject = self::subject(subject)?;
    forget(service, Some(subject), uri).await
}

/// Forget the default preferences
#[utoipa::path(
    delete,
    path = "/v1/notifications/default",
    tag = tag::NOTIFICATIONS,
    operation_id = "deleteDefaultNotificationPreferences",
    responses((status = 204, description = "There are none any more")),
)]
pub async fn delete_default(service: App, uri: Uri) -> Result<StatusCode, Problem> {
    forget(service, None, uri).await
}

async fn shown(service: App, owner: Option<SubjectId>, uri: Uri) -> Result<Response, Problem> {
    no_query(&uri)?;
    if let Some(preferences) = service.preferences(owner.clone()).await? {
        return Ok(Json(View::new(&preferences)).into_response());
    }
    let whose = match owner {
        None => "there are no default preferences".to_owned(),
        Some(subject) => {
            let other = match service.preferences_above(subject.clone()).await? {
                Some(Some(level)) => format!("those of {level} apply"),
                Some(None) => "the default applies".to_owned(),
                None => "nobody is told of its alerts".to_owned(),
            };
            format!("{subject} has no preferences of its own: {other}")
        }
    };
    Err(Problem::of(&kinds::NO_PREFERENCES, whose))
}

async fn set(
    service: App,
    owner: Option<SubjectId>,
    uri: Uri,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem> {
    no_query(&uri)?;
    let body = parse::<Body>(&body)?;
    let before = service.preferences(owner.clone()).await?;
    let before = before.as_deref().map_or(&[][..], |before| &before.webhooks);
    let preferences = body.into_preferences(before, service.webhook_guard())?;
    let answer = Json(View::new(&preferences)).into_response();
    service.prefer(owner, Some(preferences)).await?;
    Ok(answer)
}

async fn forget(service: App, owner: Option<SubjectId>, uri: Uri) -> Result<StatusCode, Problem> {
    no_query(&uri)?;
    if service.preferences(owner.clone()).await?.is_some() {
        service.prefer(owner, None).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

fn subject(subject: Subject) -> Result<SubjectId, Problem> {
    let subject = subject.map_err(|_| Problem::invalid("/subject", "is not UTF-8"))?;
    subject.parse().map_err(|error| Problem::invalid("/subject", format!("{error}")))
}

impl Body {
    /// `before` are the webhooks so far, whose secrets may be kept.
    fn into_preferences(self, before: &[Webhook], guard: Guard) -> Result<Preferences, Problem> {
        let quiet_hours = self.quiet_hours.map(QuietHoursBody::into_quiet_hours).transpose()?;
        let digest = self.digest.map(DigestBody::into_digest).transpose()?;
        let mut emails = Vec::new();
        for (i, Parsed(email)) in self.emails.into_iter().enumerate() {
            let wrong = |why: &str| Err(Problem::invalid(format!("/emails/{i}"), why));
            if emails.contains(&email) {
                return wrong("is given twice");
            }
            if !is_mailbox(&email) {
                return wrong("is no address that mail can be sent to");
            }
            emails.push(email);
        }
        let mut webhooks: Vec<Webhook> = Vec::new();
        for (i, WebhookBody { url: Parsed(url), secret }) in self.webhooks.into_iter().enumerate() {
            let wrong = |why: &str| Problem::invalid(format!("/webhooks/{i}/url"), why);
            if webhooks.iter().any(|other| other.url == url) {
                return Err(wrong("is given twice"));
            }
            guard.check(url.as_str()).map_err(wrong)?;
            let known = before.iter().find(|webhook| webhook.url == url);
            let known = known.map_or(&[][..], |webhook| &webhook.secrets);
            let secrets = secret.0.into_iter().map(|given| given.resolved(known));
            let secrets = secrets.collect::<Option<Vec<_>>>().ok_or_else(|| {
                let why = "shows a secret that this URL does not have: send the secret itself";
                Problem::invalid(format!("/webhooks/{i}/secret"), why)
            })?;
            webhooks.push(Webhook { url, secrets });
        }
        for (pointer, count, max) in
            [("/emails", emails.len(), EMAILS_MAX), ("/webhooks", webhooks.len(), WEBHOOKS_MAX)]
        {
            if count > max {
                return Err(Problem::invalid(pointer, format!("must have at most {max}")));
            }
        }
        let mut severities: Vec<String> = Vec::new();
        for severity in self.severities {
            let severity = severity.as_str().to_owned();
            if !severities.contains(&severity) {
                severities.push(severity);
            }
        }
        Ok(Preferences { emails, webhooks, log: self.log, severities, quiet_hours, digest })
    }
}

impl QuietHoursBody {
    fn into_quiet_hours(self) -> Result<QuietHours, Problem> {
        let (Parsed(from), Parsed(to)) = (self.from, self.to);
        if from == to {
            return Err(Problem::invalid("/quiet_hours/to", "must be another time than `from`"));
        }
        let timezone = timezone("/quiet_hours/timezone", self.timezone)?;
        Ok(QuietHours { from, to, timezone, except_errors: self.except_errors })
    }
}

impl DigestBody {
    fn into_digest(self) -> Result<Digest, Problem> {
        let wrong = |pointer: &str, why: &str| Err(Problem::invalid(pointer, why));
        let every = match (self.every, self.every_minutes, self.at) {
            (None, None, _) => return wrong("/digest/every", "is missing"),
            (Some(_), Some(_), _) => {
                return wrong("/digest/every_minutes", "must not be given beside `every`");
            }
            (Some(EveryBody::Day), None, Some(Parsed(at))) => Every::Day(at),
            (Some(EveryBody::Day), None, None) => return wrong("/digest/at", "is missing"),
            (_, _, Some(_)) => return wrong("/digest/at", "belongs to `\"every\":\"day\"` alone"),
            (Some(EveryBody::Hour), None, None) => Every::Minutes(HOUR_MINUTES),
            (None, Some(Whole(minutes)), None) => {
                Every::Minutes(u16::try_from(minutes).unwrap_or(HOUR_MINUTES))
            }
        };
        let timezone = timezone("/digest/timezone", self.timezone)?;
        Ok(Digest { every, timezone, except_errors: self.except_errors })
    }
}

fn timezone(pointer: &str, name: Option<String>) -> Result<Tz, Problem> {
    let why = "is not a time zone such as \"Europe/Berlin\"";
    name.map_or(Ok(Tz::UTC), |name| name.parse().map_err(|_| Problem::invalid(pointer, why)))
}

impl Severity {
    fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl<'a> View<'a> {
    fn new(preferences: &'a Preferences) -> Self {
        let Preferences { emails, webhooks, log, severities, quiet_hours, digest } = preferences;
        let webhook = |webhook: &'a Webhook| WebhookView {
            url: webhook.url.as_str(),
            secret: webhook.secrets.iter().map(masked).collect(),
        };
        Self {
            emails: emails.iter().map(EmailAddress::as_str).collect(),
            webhooks: webhooks.iter().map(webhook).collect(),
            log: *log,
            severities,
            quiet_hours: quiet_hours.as_ref().map(|quiet| QuietHoursView {
                from: quiet.from.to_string(),
                to: quiet.to.to_string(),
                timezone: quiet.timezone.name(),
                except_errors: quiet.except_errors,
            }),
            digest: digest.as_ref().map(DigestView::new),
        }
    }
}

impl DigestView {
    fn new(digest: &Digest) -> Self {
        let (every, every_minutes, at) = match digest.every {
            Every::Day(at) => (Some(EveryBody::Day), None, Some(at.to_string())),
            Every::Minutes(HOUR_MINUTES) => (Some(EveryBody::Hour), None, None),
            Every::Minutes(minutes) => (None, Some(minutes), None),
        };
        let (timezone, except_errors) = (digest.timezone.name(), digest.except_errors);
        Self { every, every_minutes, at, timezone, except_errors }
    }
}
