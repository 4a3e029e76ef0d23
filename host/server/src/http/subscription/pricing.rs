//! `/api/subscription/pricing`

use axum::extract::Path;
use axum::http::Uri;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use tollgate_domain::{Listing, ProviderId, Timestamp, Usd};

use super::envelope::{Exception, answer};
use crate::http::App;
use crate::http::fields::{Money, Text};
use crate::http::json::{JsonBody, parse, query};
use crate::http::money::Exact;
use crate::http::problem::Problem;
use crate::service::NewPrice;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    provider: Option<ProviderId>,
}

#[derive(Serialize)]
struct Pricing<'a> {
    pricing: Vec<Row<'a>>,
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
    let listings =
        query::<Filter>(&uri).and_then(|filter| Ok(service.price_list(filter.provider.as_ref())?));
    let pricing = listings.as_ref().map(|listings| Pricing {
        pricing: listings.iter().map(row).collect(),
        total: listings.len(),
    });
    answer(&service, Exception::Pricing, None, pricing)
}

/// The fields of a [`Row`]; whatever is left out is free.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    #[serde(rename = "provider")]
    _provider: Option<ProviderId>,
    #[serde(rename = "model_name")]
    _model_name: Option<String>,
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

/// Sets a price; without a date it holds from today on, UTC.
pub async fn change(
    service: App,
    Path((provider, model)): Path<(String, String)>,
    body: Result<JsonBody, Problem>,
) -> Response {
    let changed = async {
        let change = parse::<Change>(&body?.0)?;
        let today = service.now().to_string();
        Ok(service.put_price(change.into_price(&provider, &model, &today)?).await?)
    };
    let changed = changed.await;
    let list = changed.and_then(|()| Ok(service.price_list(provider.parse().ok().as_ref())?));
    let row = list
        .as_ref()
        .map(|list| list.iter().rfind(|line| line.model == model || model == NO_MODEL).map(row));
    answer(&service, Exception::Pricing, None, row)
}

impl Change {
    fn into_price(self, provider: &str, model: &str, now: &str) -> Result<NewPrice, Problem> {
        let wrong = |what: &str, error: String| Problem::invalid(format!("/{what}"), error);
        let provider = provider.parse().map_err(|error| wrong("provider", format!("{error}")))?;
        let model = match model {
            NO_MODEL => None,
            name => Some(name.parse().map_err(|error| wrong("model", format!("{error}")))?),
        };
        let rates = [
            ("input_tokens", self.cost_per_input_token),
            ("output_tokens", self.cost_per_output_token),
            ("calls", self.cost_per_request),
            ("searches", self.cost_per_search),
            ("images", self.cost_per_image),
            ("pages", self.cost_per_page),
        ];
        // A row that was read has zeros for all that is not priced: they say nothing.
        let rates = rates.into_iter().filter_map(|(quantity, rate)| {
            Some((quantity, rate?.0)).filter(|(_, usd)| *usd != Usd::ZERO)
        });
        let date = self.effective_date.unwrap_or_else(|| now.to_owned());
        let date = date.split('T').next().unwrap_or_default().to_owned();
        Ok(NewPrice {
            provider,
            model,
            rates: rates.collect(),
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
