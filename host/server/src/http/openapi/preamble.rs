//! What the description says before it comes to the routes.

use utoipa::OpenApi;

use super::tag;
use crate::http::problem::ProblemView;
use crate::http::subscription::Failure;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Tollgate",
        description = "Meters, limits and prices the use of APIs.\n\n\
            Two families live side by side. In `/v1`, for apps and operators, money is a decimal in \
            a text, exact, and errors are `application/problem+json` (RFC 9457). In \
            `/api/subscription`, for dashboards, money is a number that carries the exact digits, \
            answers lie in an envelope, `{\"success\":true,\"data\":…}`, and so do errors.\n\n\
            Times are RFC 3339 in UTC. Ids are opaque. Fields and parameters that nobody knows are \
            refused by their name; what a provider sent, under `response`, is exempt. A body may \
            have 1 MiB; of NDJSON, a line.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
        contact(),
    ),
    tags(
        (name = tag::CALLS, description = "For apps, around each call: ask, hold, settle, record"),
        (name = tag::PRICES, description = "What calls cost, and what they would cost"),
        (name = tag::NOTIFICATIONS, description = "Who is told of alerts, how, and what became of it"),
        (name = tag::POLICIES, description = "What decides, since when, and how well"),
        (name = tag::OPERATORS, description = "What was refused, all that was recorded, and how the service is"),
        (name = tag::DASHBOARDS, description = "Plans, subscriptions, statistics, alerts and bills, in the seed's form"),
    ),
    components(schemas(ProblemView, Failure)),
)]
struct Preamble;

/// A description of no routes.
pub fn preamble() -> utoipa::openapi::OpenApi {
    Preamble::openapi()
}
