//! Prices, without recording anything.

use tollgate_domain::{Call, Listing, ProviderId, Quote, Timestamp, Usage};
use tollgate_engine::Kind;

use super::rate::{Used, found};
use super::{Error, Service};

/// A question after a price.
pub struct PriceQuestion {
    /// Its usage is what `used` says.
    pub call: Call,
    pub used: Used,
    /// If not now.
    pub at: Option<Timestamp>,
}

/// What was used, and its price.
pub struct Priced {
    pub usage: Usage,
    pub quote: Quote,
    /// The price lists in force: names and digests.
    pub catalog: String,
}

impl Service {
    pub async fn quote(&self, question: PriceQuestion) -> Result<Priced, Error> {
        let set = self.policy_set()?;
        let PriceQuestion { mut call, used, at } = question;
        let (usage, model) = found(&set, &call.provider, &used, None)?;
        call.usage = usage;
        call.model = call.model.or(model);
        let payer = self.payer(&set, &call.subject).await?;
        let quote = set.price(&call, at.unwrap_or_else(|| self.now()), &payer)?;
        match quote {
            Some(quote) => Ok(Priced { usage: call.usage, quote, catalog: self.catalog() }),
            None => Err(Error::Unpriced(match call.model {
                Some(model) => format!("{}/{model}", call.provider),
                None => call.provider.to_string(),
            })),
        }
    }

    /// The price list, of one provider or of all.
    pub fn price_list(&self, provider: Option<&ProviderId>) -> Result<Vec<Listing>, Error> {
        let mut listings = self.policy_set()?.catalog();
        listings.retain(|listing| provider.is_none_or(|provider| listing.provider == *provider));
        Ok(listings)
    }

    fn catalog(&self) -> String {
        let status = self.policy_status();
        let pricing = status.policies.iter().filter(|policy| policy.kind == Kind::Pricing);
        let names = pricing.map(|policy| format!("{}@{}", policy.name, policy.config_digest));
        names.collect::<Vec<_>>().join(" ")
    }
}
