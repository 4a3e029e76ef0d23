//! Plans and prices that are changed at runtime: documents laid over what the files say.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use tollgate_domain::{ModelId, Plan, PlanId, ProviderId, Usd};
use tollgate_engine::{Document, LayError, PolicySet};

use super::{Error, Service};

/// What a model costs from a day on.
pub struct NewPrice {
    pub provider: ProviderId,
    /// `None` for calls that name no model.
    pub model: Option<ModelId>,
    /// Of one of each quantity.
    pub rates: Vec<(&'static str, Usd)>,
    pub description: String,
    /// Such as `2026-08-01`; holds from its midnight on, UTC.
    pub effective_date: String,
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

    /// Sets a price, in place of the one from the same day on.
    pub async fn put_price(&self, price: NewPrice) -> Result<(), Error> {
        let NewPrice { provider, model, rates, description, effective_date } = price;
        let set = self.policy_set()?;
        let policy = set.pricer(&provider).ok_or(Error::NoPricer)?.to_owned();
        let key = json!({
            "provider": provider, "model": model.as_ref().map_or("", |model| model.as_str()),
            "effective_date": effective_date,
        });
        let Value::Object(key) = key else { return Err(Error::NoPricer) };
        let mut entry = key.clone();
        let each = rates.iter().map(|(name, usd)| ((*name).to_owned(), usd.to_string().into()));
        entry.insert("each".into(), Value::Object(each.collect()));
        entry.insert("description".into(), description.into());
        let entry = Some(Value::Object(entry));
        let document = Document { policy, list: "prices".into(), key, entry };
        self.with_policies(move |policies| Ok(policies.lay(document)?)).await
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
