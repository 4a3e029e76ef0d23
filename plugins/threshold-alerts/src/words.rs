//! How a warning reads.

use tollgate_plugin::advice::Advice;
use tollgate_plugin::alert::{Alert, Reading, Recommendation};

const LARGER: &str = "Consider a larger plan";

pub(crate) fn alert(position: u32, threshold: u32, reading: &Reading) -> Alert {
    let quota = &reading.quota;
    let reached = threshold >= 100;
    let kind = match (reading.meter.as_str(), reached) {
        ("cost", false) => "cost_warning",
        ("cost", true) => "cost_limit_reached",
        (_, false) => "usage_warning",
        (_, true) => "limit_reached",
    };
    let severity = match threshold {
        100.. => "error",
        90.. => "warning",
        _ => "info",
    };
    let title = match threshold {
        100 => format!("{quota}: limit reached"),
        _ => format!("{quota}: {threshold}% of the limit used"),
    };
    Alert {
        reading: position,
        threshold,
        kind: kind.into(),
        severity: severity.into(),
        title,
        message: format!("{} used {}.", reading.subject, standing(reading)),
    }
}

/// One recommendation for each subject and plan, however many of its quotas are near their end.
pub(crate) fn upgrades<'r>(near: impl Iterator<Item = &'r Reading>) -> Vec<Recommendation> {
    let mut plans: Vec<(&str, &str, Vec<String>)> = Vec::new();
    for reading in near {
        let (subject, plan) = (reading.subject.as_str(), reading.plan.as_str());
        match plans.iter_mut().find(|(s, p, _)| (*s, *p) == (subject, plan)) {
            Some((.., standings)) => standings.push(standing(reading)),
            None => plans.push((subject, plan, vec![standing(reading)])),
        }
    }
    let advice = plans.into_iter().map(|(subject, plan, standings)| Recommendation {
        kind: "upgrade_plan".into(),
        title: LARGER.into(),
        message: format!("{subject} on the plan {plan} used {}.", standings.join("; ")),
    });
    advice.collect()
}

/// The same for one subject whose plan is not on sale.
pub(crate) fn larger_plan(near: &[&Reading]) -> Advice {
    let mut advice = upgrades(near.iter().copied()).into_iter().map(Advice::from);
    advice.next().unwrap_or_else(|| Advice::new("upgrade_plan", LARGER, ""))
}

/// How these stand, in one sentence.
pub(crate) fn standings<'r>(readings: impl Iterator<Item = &'r Reading>) -> String {
    readings.map(standing).collect::<Vec<_>>().join("; ")
}

/// What a meter counts, in words.
pub(crate) fn unit(meter: &str) -> String {
    match meter {
        "cost" => "USD".into(),
        meter => meter.replace('_', " "),
    }
}

/// For instance `4000 of 5000 calls this month (gemini_calls)`, or `9 of 10 calls in 60 seconds
/// (bursts)`.
fn standing(reading: &Reading) -> String {
    let Reading { quota, meter, window, limit, after, .. } = reading;
    let unit = unit(meter);
    let when = match (window.as_str(), window.strip_prefix("sliding:")) {
        ("day", _) => "today".into(),
        ("lifetime", _) => "in total".into(),
        (_, Some("1")) => "in 1 second".into(),
        (_, Some(seconds)) => format!("in {seconds} seconds"),
        (window, None) => format!("this {window}"),
    };
    format!("{after} of {limit} {unit} {when} ({quota})")
}
