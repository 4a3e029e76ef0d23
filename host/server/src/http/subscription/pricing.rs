//! `GET /api/subscription/pricing`

use axum::http::Uri;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use tollgate_domain::{Listing, ProviderId, Timestamp, Usd};

use super::envelope::{Exception, answer};
use crate::http::App;
use crate::http::json::query;
use crate::http::money::Exact;

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
