//! Plans, calls and reports in a few words.

use std::time::Duration;

use chrono_tz::Tz;
use tollgate_domain::{
    Alert, Amount, Call, ExpectedCost, Meter, Mode, Plan, PlanBook, Quota, Reading, SubjectPath,
    Timestamp, Usage, Usd, Window,
};
use tollgate_ledger::store::Store;
use tollgate_ledger::{
    Amendment, Ask, Corrected, EventId, Fingerprint, Ledger, LedgerError, Once, Period,
    PeriodUsage, Recorded, Report, ReservationId, Reserved, SubscriptionChange, Turn, Use,
};

pub const MINUTES: Duration = Duration::from_secs(60);

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub fn noon() -> Timestamp {
    at("2025-01-15T12:00:00Z")
}

pub fn quota(name: &str, meter: &str, window: Window, limit: &str) -> Quota {
    Quota {
        name: name.parse().unwrap(),
        meter: meter.parse::<Meter>().unwrap(),
        providers: vec![],
        models: vec![],
        window,
        limit: Some(limit.parse().unwrap()),
        mode: Mode::Hard,
        grace_percent: 0,
    }
}

pub fn plan(id: &str, quotas: Vec<Quota>) -> Plan {
    Plan {
        id: id.parse().unwrap(),
        name: id.to_owned(),
        tier: id.to_owned(),
        description: String::new(),
        price_monthly: Usd::ZERO,
        price_yearly: Usd::ZERO,
        features: vec![],
        providers: None,
        quotas,
    }
}

/// A book of these plans; the first is the default.
pub fn book(plans: Vec<Plan>) -> PlanBook {
    let mut book = PlanBook::default();
    for (i, plan) in plans.into_iter().enumerate() {
        book.insert(plan, i == 0).unwrap();
    }
    book
}

pub fn subject(path: &str) -> SubjectPath {
    path.parse().unwrap()
}

pub fn usage(tokens: u64) -> Usage {
    Usage::new([("input_tokens".parse().unwrap(), tokens)]).unwrap()
}

/// A thousandth of a dollar for a token.
pub fn price(tokens: u64) -> Usd {
    let thousandths = rust_decimal::Decimal::from_i128_with_scale(i128::from(tokens), 3);
    Usd(Amount::try_from(thousandths).unwrap())
}

pub fn call(path: &str, tokens: u64) -> Call {
    Call {
        subject: subject(path),
        provider: "gemini".parse().unwrap(),
        model: Some("gemini-2.5-flash".parse().unwrap()),
        endpoint: None,
        usage: usage(tokens),
        max_tokens: None,
        features: vec![],
        service_tier: None,
        region: None,
        metadata: Default::default(),
    }
}

pub fn report(path: &str, key: Option<&str>, tokens: u64, occurred_at: Timestamp) -> Report {
    Report {
        key: key.map(|key| key.parse().unwrap()),
        fingerprint: Fingerprint::of(format!("{path} {tokens}").as_bytes()),
        subject: subject(path),
        provider: "gemini".parse().unwrap(),
        model: Some("gemini-2.5-flash".parse().unwrap()),
        endpoint: None,
        method: None,
        service_tier: None,
        region: None,
        usage: usage(tokens),
        cost: Some(price(tokens)),
        cost_given: false,
        charges: vec![],
        response_time_ms: None,
        status_code: None,
        error: None,
        request_id: None,
        metadata: Default::default(),
        occurred_at,
        revision: "r1".into(),
    }
}

/// A request of this body under a key.
pub fn once(key: &str, body: &str) -> Once {
    Once { key: Fingerprint::of(key.as_bytes()), body: Fingerprint::of(body.as_bytes()) }
}

pub async fn reserve<S: Store>(
    ledger: &Ledger<S>,
    plans: &PlanBook,
    path: &str,
    tokens: u64,
    time_to_live: Duration,
    now: Timestamp,
) -> Reserved {
    let turn = Turn::default();
    reserve_in(&turn, ledger, plans, path, tokens, time_to_live, now).await
}

/// The same, in the turn of a request under a key.
pub async fn reserve_in<S: Store>(
    turn: &Turn,
    ledger: &Ledger<S>,
    plans: &PlanBook,
    path: &str,
    tokens: u64,
    time_to_live: Duration,
    now: Timestamp,
) -> Reserved {
    let call = call(path, tokens);
    let cost = ExpectedCost::Known(price(tokens));
    let ask = Ask { call: &call, asked: None, cost, plans, revision: "r1" };
    ledger.reserve(&ask, time_to_live, turn, now, |_| Default::default()).await.unwrap()
}

pub async fn record<S: Store>(
    ledger: &Ledger<S>,
    plans: &PlanBook,
    report: &Report,
    now: Timestamp,
) -> Result<Recorded, LedgerError> {
    ledger.record(&report.clone().into(), &Turn::default(), plans, now, |_| vec![]).await
}

/// Says that an event used so many tokens.
pub async fn correct<S: Store>(
    ledger: &Ledger<S>,
    plans: &PlanBook,
    event: EventId,
    key: &str,
    tokens: u64,
    now: Timestamp,
) -> Result<Corrected, LedgerError> {
    let amendment = Amendment {
        key: key.parse().unwrap(),
        fingerprint: Fingerprint::of(format!("{event} {tokens}").as_bytes()),
        corrects: event,
        before: ledger.counted(event)?.used,
        after: Use { usage: usage(tokens), cost: Some(price(tokens)) },
        charges: vec![],
        cost_given: false,
        reason: None,
        revision: "r1".into(),
    };
    ledger.correct(&amendment, &Turn::default(), plans, now, |_| vec![]).await
}

pub async fn settle<S: Store>(
    ledger: &Ledger<S>,
    plans: &PlanBook,
    hold: ReservationId,
    report: &Report,
    now: Timestamp,
) -> Result<Recorded, LedgerError> {
    ledger.settle(hold, &report.clone().into(), &Turn::default(), plans, now, |_| vec![]).await
}

pub async fn subscribe<S: Store>(
    ledger: &Ledger<S>,
    plans: &PlanBook,
    path: &str,
    plan: &str,
    now: Timestamp,
) {
    subscribe_in(Tz::UTC, ledger, plans, path, plan, now, |_| vec![]).await;
}

/// The same in a time zone, with alerts.
pub async fn subscribe_in<S: Store>(
    timezone: Tz,
    ledger: &Ledger<S>,
    plans: &PlanBook,
    path: &str,
    plan: &str,
    now: Timestamp,
    alerts: impl FnMut(&[Reading]) -> Vec<Alert> + Send,
) {
    let change = SubscriptionChange {
        plan: plan.parse().unwrap(),
        billing_cycle: None,
        timezone: Some(timezone),
        anchor_day: None,
        status: None,
    };
    ledger.subscribe(&subject(path), &change, plans, now, alerts).await.unwrap();
}

pub async fn used<S: Store>(
    ledger: &Ledger<S>,
    plans: &PlanBook,
    path: &str,
    period: Period,
    now: Timestamp,
) -> PeriodUsage {
    ledger.usage(&subject(path), &period, plans, now).await.unwrap()
}

/// A ledger's last deed: all of it, as bytes.
pub fn backup_of<S: Store>(ledger: Ledger<S>) -> Vec<u8> {
    let mut backup = ledger.backup().unwrap();
    std::iter::from_fn(|| backup.page().unwrap()).flatten().collect()
}

/// The tokens in a usage.
pub fn tokens(usage: &PeriodUsage) -> u64 {
    usage.table.cells().iter().map(|cell| cell.totals.tokens()).sum()
}
