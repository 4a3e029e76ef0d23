//! Plans and prices that are changed at runtime: documents laid over what the files say.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use tollgate_domain::{ModelId, Plan, PlanId, PriceTier, ProviderId, Terms, Usd};
use tollgate_engine::{Document, LayError, PolicySet};

use super::{Error, Service};

/// What a model costs from a day on.
pub struct NewPrice {
    pub provider: ProviderId,
    /// `None` for calls that name no model.
    pub model: Option<ModelId>,
    /// Of one of each quantity.
    pub rates: Vec<(String, Usd)>,
    pub description: String,
    /// Such as `2026-08-01`; holds from its midnight on, UTC.
    pub effective_date: String,
    /// When and for whom else it holds.
    pub terms: Terms,
}

impl Service {
    /// Creates a plan, or changes one: `terms` are as in a manifest, save the id.
    pub async fn put_plan(
        &self,
        id: PlanId,
        terms: Map<String, Value>,
    ) -> Result<Arc<Plan>, Error> {
        let set = self.policy_set()?;
        let policy = set.planner(&id).ok_or(Error::NoPlanner)?.to_owned();
        let mut entry = plan_key(&id);
        entry.extend(terms);
        entry.insert("id".into(), id.as_str().into());
        let document = plan_document(policy, &id, Some(Value::Object(entry)));
        self.with_policies(move |policies| Ok(policies.lay(document)?)).await?;
        let set = self.policy_set()?;
        set.plans().get(&id).cloned().ok_or(Error::UnknownPlan(id))
    }

    /// Takes a plan away, whether a file has it or a document; nobody may have it.
    pub async fn delete_plan(&self, id: PlanId) -> Result<(), Error> {
        let set = self.policy_set()?;
        if set.plans().get(&id).is_none() {
            return Err(Error::NoSuchPlan(id));
        }
        let is_default = set.plans().default_plan().is_some_and(|plan| plan.id == id);
        let policy = set.planner(&id).ok_or(Error::NoPlanner)?.to_owned();
        let ledger = self.ledger.clone();
        self.with_policies(move |policies| {
            if is_default || ledger.is_subscribed(&id)? {
                return Err(Error::PlanInUse(id));
            }
            let document = plan_document(policy, &id, None);
            // What no file has is gone with its document; what one has is taken away by another.
            let _ = policies.lift(&document);
            let has = |set: Arc<PolicySet>| set.plans().get(&id).is_some();
            if policies.current().is_some_and(has) {
                policies.lay(document)?;
            }
            Ok(())
        })
        .await
    }

    /// Sets a price, in place of the one from the same day on under the same conditions.
    pub async fn put_price(&self, price: NewPrice) -> Result<(), Error> {
        let NewPrice { provider, model, rates, description, effective_date, terms } = price;
        let set = self.policy_set()?;
        let (policy, list) = set.pricer(&provider).ok_or(Error::NoPricer)?;
        let policy = policy.to_owned();
        let key = json!({
            "provider": provider, "model": model.as_ref().map_or("", |model| model.as_str()),
            "effective_date": effective_date,
            "hours": terms.hours.map_or_else(String::new, span_of_day),
            "service_tier": one_or_more(terms.service_tiers),
            "region": one_or_more(terms.regions),
            "metadata": one_of_each(terms.metadata),
        });
        let Value::Object(key) = key else { return Err(Error::NoPricer) };
        let mut entry = key.clone();
        // Conditions that there are none of.
        entry.retain(|name, value| name == "model" || *value != "");
        entry.insert("each".into(), each(rates.iter().map(|(name, usd)| (name.as_str(), *usd))));
        let tier = |tier: &PriceTier| {
            let rates = tier.rates.iter().map(|(name, usd)| (name.as_str(), *usd));
            json!({"above": tier.above, "each": each(rates)})
        };
        entry.insert("tiers".into(), terms.tiers.iter().map(tier).collect());
        for (name, tokens) in [
            ("context_window", terms.context_window),
            ("max_output_tokens", terms.max_output_tokens),
        ] {
            entry.extend(tokens.map(|tokens| (name.to_owned(), tokens.into())));
        }
        entry.insert("description".into(), description.into());
        let entry = Some(Value::Object(entry));
        let document = Document { policy, list: list.into(), key, entry };
        self.with_policies(move |policies| Ok(policies.lay(document)?)).await
    }
}

fn each<'r>(rates: impl Iterator<Item = (&'r str, Usd)>) -> Value {
    let texts = rates.map(|(name, usd)| (name.to_owned(), usd.to_string().into()));
    Value::Object(texts.collect())
}

/// As a file would say it: `16:30-00:30`.
fn span_of_day((from, to): (u32, u32)) -> String {
    let time = |second: u32| {
        let minutes = format!("{:02}:{:02}", second / 3_600, second / 60 % 60);
        match second % 60 {
            0 => minutes,
            seconds => format!("{minutes}:{seconds:02}"),
        }
    };
    format!("{}-{}", time(from), time(to))
}

/// As a file would say it: nothing, a word, or a list.
fn one_or_more(mut words: Vec<String>) -> Value {
    match words.len() {
        0 => "".into(),
        1 => words.remove(0).into(),
        _ => words.into(),
    }
}

fn one_of_each(metadata: Vec<(String, Vec<String>)>) -> Value {
    match metadata.is_empty() {
        true => "".into(),
        false => metadata.into_iter().map(|(key, words)| (key, one_or_more(words))).collect(),
    }
}

fn plan_key(id: &PlanId) -> Map<String, Value> {
    Map::from_iter([("id".to_owned(), id.as_str().into())])
}

fn plan_document(policy: String, id: &PlanId, entry: Option<Value>) -> Document {
    Document { policy, list: "plans".into(), key: plan_key(id), entry }
}

impl From<LayError> for Error {
    fn from(error: LayError) -> Self {
        Self::Lay(error)
    }
}
