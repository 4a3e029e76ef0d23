//! Readings on which an alert policy is tried before it is active.

use tollgate_domain::{Amount, Meter, Reading, Window};

/// Calls and dollars, in every relation to a limit of 200.
pub(super) fn readings() -> Vec<Reading> {
    let meters = ["calls", "tokens", "cost"].map(|meter| meter.parse::<Meter>());
    let standings = [(0, 0), (0, 159), (159, 160), (160, 180), (180, 199), (199, 200), (200, 400)];
    let mut readings = Vec::new();
    for meter in meters.into_iter().flatten() {
        for (before, after) in standings {
            readings.extend(reading(&meter, before, after, Vec::new()));
            readings.extend(reading(&meter, before, after, vec![80, 90, 100]));
        }
    }
    readings
}

fn reading(meter: &Meter, before: u64, after: u64, raised: Vec<u32>) -> Option<Reading> {
    Some(Reading {
        subject: "probe/leaf".parse().ok()?,
        plan: "free".parse().ok()?,
        quota: "probe".parse().ok()?,
        meter: meter.clone(),
        provider: "gemini".parse().ok(),
        window: Window::Month,
        limit: Amount::from(200),
        before: before.into(),
        after: after.into(),
        raised,
    })
}
