//! The words and the arithmetic of Tollgate.
//!
//! Everything here is a value: no IO, no clock, no async. Raw input becomes one of these types
//! once, at the edge, and inner code never checks it again.

mod alert;
mod amount;
mod calendar;
mod call;
mod decision;
mod name;
mod notification;
mod plan;
mod pricing;
mod projection;
mod schema;
mod subject;
mod subscription;
mod timestamp;
mod trend;
mod usage;
mod window;

pub use alert::{Alert, Reading};
pub use amount::{Amount, AmountError, Usd};
pub use calendar::{Calendar, PeriodError, PeriodId, Span};
pub use call::{Call, Metadata};
pub use decision::{
    Decision, Denial, EffectiveLimit, LevelState, Opinion, QuotaState, Refusal, Snapshot, decide,
    reason,
};
pub use name::{
    EndpointName, EventKey, FeatureId, ModelId, NameError, PlanId, ProviderId, QuantityName,
    QuotaName,
};
pub use notification::{
    AddressError, Channel, ChannelKind, Digest, EmailAddress, Every, Preferences, QuietHours,
    TimeOfDay, TimeOfDayError, Webhook, WebhookSecret, WebhookUrl,
};
pub use plan::{Meter, Mode, Plan, PlanBook, PlanBookError, Quota};
pub use pricing::{
    Charge, Estimate, ExpectedCost, Extraction, Listing, PriceTier, Quote, Side, Terms,
};
pub use projection::{DayUse, Method, Past, Projection};
pub use subject::{RootId, SubjectId, SubjectPath};
pub use subscription::{BillingCycle, Status, Subscription};
pub use timestamp::{Timestamp, TimestampError};
pub use trend::Trend;
pub use usage::{Usage, UsageError};
pub use window::{SlidingSeconds, Window, WindowError};
