//! `/api/subscription/pricing`

use std::collections::BTreeMap;

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::Uri;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use tollgate_domain::{Listing, ModelId, ProviderId, QuantityName, Timestamp, Usd};
use utoipa::ToSchema;

use super::envelope::{Exception, answer};
use super::page::{Page, limits};
use super::price_details::{Details, DetailsChange, Hours, NAMED, TierChange, Words};
use crate::http::App;
use crate::http::fields::{Money, Text, Whole};
use crate::http::json::{JsonBody, no_query, parse, query};
use crate::http::money::{Dollars, Exact};
use crate::http::openapi::schema::offset;
use crate::http::openapi::tag;
use crate::http::problem::{Problem, kinds};
use crate::service::NewPrice;

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Only what this provider charges
    provider: Option<ProviderId>,
    /// How many at most; all unless given
    #[param(schema_with = limits)]
    limit: Option<String>,
    /// How many to leave out at the beginning
    #[param(schema_with = offset)]
    offset: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct Pricing<'a> {
    pricing: Vec<Row<'a>>,
    /// All that were asked for, whether or not they are listed here.
    total: usize,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Price)]
struct Row<'a> {
    provider: &'a ProviderId,
    model_name: &'a str,
    cost_per_input_token: Dollars,
    cost_per_output_token: Dollars,
    cost_per_request: Dollars,
    cost_per_search: Dollars,
    cost_per_image: Dollars,
    cost_per_page: Dollars,
    description: &'a str,
    #[schema(required)]
    effective_date: Option<Timestamp>,
    #[serde(flatten)]
    details: Details<'a>,
}

/// List the prices
#[utoipa::path(
    get,
    path = "/pricing",
    tag = tag::DASHBOARDS,
    operation_id = "listPrices",
    params(Filter),
    responses((status = 200, description = "The prices", body = Pricing)),
)]
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
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PriceChange)]
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
    #[serde(default)]
    other_rates: BTreeMap<QuantityName, Money>,
    #[serde(default)]
    tiers: Vec<TierChange>,
    hours: Option<Hours>,
    service_tier: Option<Words>,
    region: Option<Words>,
    #[serde(default)]
    metadata: BTreeMap<String, Words>,
    context_window: Option<Whole<0, { u32::MAX as u64 }>>,
    max_output_tokens: Option<Whole<0, { u32::MAX as u64 }>>,
}

/// The path's word for calls that name no model.
const NO_MODEL: &str = "-";

const OTHERWISE: &str = "is not what the path says";

/// Set a price
///
/// From a day on, today (UTC) unless given. Takes the place of the price from the same day on under
/// the same conditions. What is left out is free, and at least one price is needed. `-` stands for
/// calls that name no model.
#[utoipa::path(
    put,
    path = "/pricing/{provider}/{model}",
    tag = tag::DASHBOARDS,
    operation_id = "putPrice",
    params(("provider" = ProviderId, Path), ("model" = ModelId, Path)),
    request_body = Change,
    responses((status = 200, description = "The price as it is now", body = Option<Row>)),
    extensions(("x-problems" = json!([kinds::NO_SUCH_POLICY, kinds::REFUSED]))),
)]
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
        let is_this = is_like(&price);
        service.put_price(price).await?;
        let list = service.price_list(provider.parse().ok().as_ref())?;
        let position = list.iter().rposition(is_this);
        Ok((list, position))
    };
    let changed: Result<_, Problem> = changed.await;
    let row = changed.as_ref().map(|(list, position)| position.map(|at| row(&list[at])));
    answer(&service, Exception::Pricing, None, row)
}

/// Tells the line that a change makes.
fn is_like(price: &NewPrice) -> impl Fn(&Listing) -> bool + use<> {
    let model = price.model.as_ref().map_or_else(String::new, ToString::to_string);
    let (date, terms) = (price.effective_date.clone(), price.terms.clone());
    move |line| {
        let since = line.effective.map(|since| since.to_string()).unwrap_or_default();
        line.model == model && since.starts_with(&date) && line.terms == terms
    }
}

impl Change {
    fn into_price(self, provider: &str, model: &str, now: &str) -> Result<NewPrice, Problem> {
        let details = DetailsChange {
            tiers: self.tiers,
            hours: self.hours,
            service_tier: self.service_tier,
            region: self.region,
            metadata: self.metadata,
            context_window: self.context_window,
            max_output_tokens: self.max_output_tokens,
        };
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
        let named = [
            self.cost_per_input_token,
            self.cost_per_output_token,
            self.cost_per_request,
            self.cost_per_search,
            self.cost_per_image,
            self.cost_per_page,
        ];
        let named = NAMED.into_iter().zip(named).filter_map(|(name, rate)| Some((name, rate?.0)));
        let mut rates: Vec<_> = named.map(|(name, usd)| (name.to_owned(), usd)).collect();
        rates.extend(self.other_rates.into_iter().map(|(name, usd)| (name.to_string(), usd.0)));
        if rates.is_empty() {
            let what = "a price is needed: `cost_per_input_token` or another, 0 for what is free";
            return Err(Problem::invalid("", what));
        }
        // A row that was read has zeros for all that is not priced: they say nothing, unless they
        // are all there is.
        if rates.iter().any(|(_, usd)| *usd != Usd::ZERO) {
            rates.retain(|(name, usd)| *usd != Usd::ZERO || !NAMED.contains(&name.as_str()));
        }
        let date = self.effective_date.unwrap_or_else(|| now.to_owned());
        let date = date.split('T').next().unwrap_or_default().to_owned();
        Ok(NewPrice {
            provider,
            model,
            rates,
            description: self.description.map_or_else(String::new, |text| text.0),
            effective_date: date,
            terms: details.into_terms()?,
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
        details: Details::new(listing),
    }
}
