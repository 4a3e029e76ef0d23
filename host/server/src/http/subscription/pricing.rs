//! `/api/subscription/pricing`

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::Uri;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use tollgate_domain::{Listing, ModelId, ProviderId, Timestamp, Usd};

use super::envelope::{Exception, answer};
use super::page::Page;
use crate::http::App;
use crate::http::fields::{Money, Text};
use crate::http::json::{JsonBody, no_query, parse, query};
use crate::http::money::Exact;
use crate::http::problem::Problem;
use crate::service::NewPrice;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    provider: Option<ProviderId>,
    limit: Option<String>,
    offset: Option<String>,
}

#[derive(Serialize)]
struct Pricing<'a> {
    pricing: Vec<Row<'a>>,
    /// All that were asked for, whether or not they are listed here.
    total: usize,
}

#[derive(Serialize)]
struct Row<'a> {
    provider: &'a ProviderId,
    model_name: &'a str,
    cost_per_input_token: Exact<Usd>,
    cost_per_output_token: Exact<Usd>,
    cost_per_request: Exact<Usd>,
    cost_per_search: Exact<Usd>,
    cost_per_image: Exact<Usd>,
    cost_per_page: Exact<Usd>,
    description: &'a str,
    effective_date: Option<Timestamp>,
}

pub async fn list(service: App, uri: Uri) -> Response {
    let listings = query::<Filter>(&uri).and_then(|Filter { provider, limit, offset }| {
        let page = Page::new(limit, offset)?;
        Ok((service.price_list(provider.as_ref())?, page))
    });
    let pricing = listings.as_ref().map(|(listings, page)| Pricing {
        pricing: page.of(listings).iter().map(row).collect(),
        total: listings.len(),
    });
    answer(&service, Exception::Pricing, None, pricing)
}

/// The fields of a [`Row`]; whatever is left out is free. What the path says already may be said
/// again, not otherwise.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    provider: Option<ProviderId>,
    model_name: Option<String>,
    cost_per_input_token: Option<Money>,
    cost_per_output_token: Option<Money>,
    cost_per_request: Option<Money>,
    cost_per_search: Option<Money>,
    cost_per_image: Option<Money>,
    cost_per_page: Option<Money>,
    #[serde(default)]
    description: Option<Text<1024>>,
    effective_date: Option<String>,
}

/// The path's word for calls that name no model.
const NO_MODEL: &str = "-";

const OTHERWISE: &str = "is not what the path says";

/// Sets a price; without a date it holds from today on, UTC.
pub async fn change(
    service: App,
    path: Result<Path<(String, String)>, PathRejection>,
    uri: Uri,
    body: Result<JsonBody, Problem>,
) -> Response {
    let changed = async {
        let Path((provider, model)) = path.map_err(|_| Problem::invalid("", "is not UTF-8"))?;
        no_query(&uri)?;
        let change = parse::<Change>(&body?.0)?;
        let today = service.now().to_string();
        let price = change.into_price(&provider, &model, &today)?;
        let (provider, from) = (price.provider.clone(), price.effective_date.clone());
        service.put_price(price).await?;
        let list = service.price_list(Some(&provider))?;
        let model = if model == NO_MODEL { "" } else { &model };
        let is_from = |at: Timestamp| at.to_string().starts_with(&from);
        let put = |line: &Listing| line.model == model && line.effective.is_some_and(is_from);
        Ok(list.into_iter().find(put))
    };
    let changed: Result<_, Problem> = changed.await;
    let row = changed.as_ref().map(|line| line.as_ref().map(row));
    answer(&service, Exception::Pricing, None, row)
}

impl Change {
    fn into_price(self, provider: &str, model: &str, now: &str) -> Result<NewPrice, Problem> {
        let wrong = |what: &str, error: String| Problem::invalid(format!("/{what}"), error);
        let provider = provider.parse().map_err(|error| wrong("provider", format!("{error}")))?;
        let model = match model {
            NO_MODEL => None,
            name => Some(name.parse().map_err(|error| wrong("model_name", format!("{error}")))?),
        };
        if self.provider.is_some_and(|other| other != provider) {
            return Err(wrong("provider", OTHERWISE.into()));
        }
        let named =
            |model: &Option<ModelId>| model.as_ref().map_or("", |id| id.as_str()).to_owned();
        if self.model_name.is_some_and(|other| other != named(&model)) {
            return Err(wrong("model_name", OTHERWISE.into()));
        }
        let rates = [
            ("input_tokens", self.cost_per_input_token),
            ("output_tokens", self.cost_per_output_token),
            ("calls", self.cost_per_request),
            ("searches", self.cost_per_search),
            ("images", self.cost_per_image),
            ("pages", self.cost_per_page),
        ];
        let mut rates: Vec<_> =
            rates.into_iter().filter_map(|(quantity, rate)| Some((quantity, rate?.0))).collect();
        if rates.is_empty() {
            let what = "a price is needed: `cost_per_input_token` or another, 0 for what is free";
            return Err(Problem::invalid("", what));
        }
        // A row that was read has zeros for all that is not priced: beside a price they say nothing.
        if rates.iter().any(|(_, usd)| *usd != Usd::ZERO) {
            rates.retain(|(_, usd)| *usd != Usd::ZERO);
        }
        let date = self.effective_date.unwrap_or_else(|| now.to_owned());
        let date = date.split('T').next().unwrap_or_default().to_owned();
        Ok(NewPrice {
            provider,
            model,
            rates,
            description: self.description.map_or_else(String::new, |text| text.0),
            effective_date: date,
        })
    }
}

/// What has no rate is free.
fn row(listing: &Listing) -> Row<'_> {
    let rate = |quantity: &str| {
        let mut rates = listing.rates.iter();
        let rate = rates.find(|(name, _)| name.as_str() == quantity);
        Exact(rate.map_or(Usd::ZERO, |(_, usd)| *usd))
    };
    Row {
        provider: &listing.provider,
        model_name: &listing.model,
        cost_per_input_token: rate("input_tokens"),
        cost_per_output_token: rate("output_tokens"),
        cost_per_request: rate("calls"),
        cost_per_search: rate("searches"),
        cost_per_image: rate("images"),
        cost_per_page: rate("pages"),
        description: &listing.description,
        effective_date: listing.effective,
    }
}
