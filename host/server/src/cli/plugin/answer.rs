//! A policy's answer as it is printed, and as cases expect it.

use serde_json::{Map, Value, json};
use tollgate_domain::{Amount, Estimate, ExpectedCost, Extraction, Opinion, Quote, Usage};
use tollgate_engine::{Answer, Failed, Recommendation, Rejected};

/// In the words of the contract. What is absent is spelled out, since TOML has no null.
pub fn shown(answer: &Result<Answer, Failed>) -> Value {
    match answer {
        Ok(Answer::Opinion(opinion)) => shown_opinion(opinion),
        Ok(Answer::Quote(quote)) => unless_rejected(quote, shown_quote),
        Ok(Answer::Estimate(estimate)) => unless_rejected(estimate, shown_estimate),
        Ok(Answer::Extraction(extraction)) => unless_rejected(extraction, shown_extraction),
        Ok(Answer::Alerts(alerts)) => json!({ "alerts": alerts }),
        Ok(Answer::Recommendations(advice)) => {
            json!({ "recommendations": advice.iter().map(shown_advice).collect::<Vec<_>>() })
        }
        Ok(Answer::Candidates(candidates)) => json!({ "candidates": candidates }),
        Err(failed) => json!({ "failed": failed.kind, "message": failed.message }),
    }
}

fn unless_rejected<T>(
    answer: &Result<Option<T>, Rejected>,
    shown: impl FnOnce(Option<&T>) -> Value,
) -> Value {
    match answer {
        Ok(answer) => shown(answer.as_ref()),
        Err(rejected) => {
            json!({ "rejected": { "code": rejected.code, "message": rejected.message } })
        }
    }
}

fn shown_advice(advice: &Recommendation) -> Value {
    let Recommendation { kind, title, message, plan, by, saving } = advice;
    let mut shown = json!({ "kind": kind, "title": title, "message": message });
    for (name, value) in [("plan", json!(plan)), ("by", json!(by)), ("saving", json!(saving))] {
        if !value.is_null() {
            shown[name] = value;
        }
    }
    shown
}

/// The answer of a policy that is not asked.
pub fn not_asked() -> Value {
    json!({ "asked": false })
}

fn shown_opinion(opinion: &Opinion) -> Value {
    let mut shown = Map::new();
    shown.insert("allow".into(), opinion.refusal.is_none().into());
    if let Some(refusal) = &opinion.refusal {
        let refusal = json!({
            "reason": refusal.reason, "message": refusal.message, "level": refusal.level,
        });
        shown.insert("refusal".into(), refusal);
    }
    let limits = opinion.limits.iter().map(|limit| {
        json!({ "level": limit.level, "quota": limit.quota, "limit": shown_limit(limit.limit) })
    });
    shown.insert("limits".into(), limits.collect());
    Value::Object(shown)
}

fn shown_limit(limit: Option<Amount>) -> String {
    limit.map_or_else(|| "unlimited".to_owned(), |limit| limit.to_string())
}

fn shown_quote(quote: Option<&Quote>) -> Value {
    match quote {
        None => json!({ "priced": false }),
        Some(quote) => json!({
            "priced": true, "entry": quote.entry, "cost": quote.cost, "charges": quote.charges,
        }),
    }
}

fn shown_estimate(estimate: Option<&Estimate>) -> Value {
    let Some(Estimate { usage, cost }) = estimate else { return json!({ "priced": false }) };
    let cost = match cost {
        ExpectedCost::Known(cost) => cost.to_string(),
        ExpectedCost::Unknown | ExpectedCost::Unpriced => "unknown".to_owned(),
    };
    json!({ "priced": true, "cost": cost, "usage": shown_usage(usage) })
}

fn shown_extraction(extraction: Option<&Extraction>) -> Value {
    let Some(Extraction { model, usage }) = extraction else { return json!({ "found": false }) };
    json!({ "found": true, "model": model, "usage": shown_usage(usage) })
}

fn shown_usage(usage: &Usage) -> Map<String, Value> {
    usage.iter().map(|(quantity, amount)| (quantity.as_str().to_owned(), amount.into())).collect()
}
