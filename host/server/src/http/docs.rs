//! `/docs`: a page to read the description of the interface. All that it is made of is in the
//! program, and its policy of contents allows nothing from elsewhere.

use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::openapi::tag;
use super::problem::{Problem, kinds};

/// Scripts and styles of this service only; what is asked of it, too.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                              connect-src 'self'; img-src data:; base-uri 'none'; \
                              form-action 'none'; frame-ancestors 'none'";

/// The parts of the page, by name.
const FILES: [(&str, &str, &str); 5] = [
    ("style.css", CSS, include_str!("docs/style.css")),
    ("page.js", SCRIPT, include_str!("docs/page.js")),
    ("dom.js", SCRIPT, include_str!("docs/dom.js")),
    ("schema.js", SCRIPT, include_str!("docs/schema.js")),
    ("try.js", SCRIPT, include_str!("docs/try.js")),
];

const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Read the description as a page
///
/// It needs nothing from any other host.
#[utoipa::path(
    get,
    path = "/docs",
    tag = tag::OPERATORS,
    operation_id = "docs",
    responses((status = 200, description = "The page", body = String, content_type = "text/html")),
)]
pub async fn page() -> Response {
    content("text/html; charset=utf-8", include_str!("docs/page.html"))
}

/// What the page is made of
#[utoipa::path(
    get,
    path = "/docs/{file}",
    tag = tag::OPERATORS,
    operation_id = "docsFile",
    params(("file" = String, Path, description = "A script, or the style", example = "page.js")),
    responses((status = 200, description = "The file", content(
        (String = "text/css"),
        (String = "text/javascript"),
    ))),
    extensions(("x-problems" = json!([kinds::NOTHING_HERE]))),
)]
pub async fn file(Path(name): Path<String>) -> Result<Response, Problem> {
    let file = FILES.iter().find(|(own, ..)| *own == name);
    let (_, media_type, text) = file.ok_or_else(super::nothing_here)?;
    Ok(content(media_type, text))
}

fn content(media_type: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, media_type),
        (header::CONTENT_SECURITY_POLICY, CONTENT_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, text).into_response()
}
