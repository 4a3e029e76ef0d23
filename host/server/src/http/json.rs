//! Bodies. Requests are read whole and parsed strictly, and what is wrong is named by a pointer.

use axum::body::{Body, BodyDataStream, Bytes, HttpBody};
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use bytes::BytesMut;
use futures_util::StreamExt;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_json::error::Category;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use serde_path_to_error::{Path, Segment};

use super::problem::Problem;

const BODY_BYTES_MAX: usize = 1 << 20;

/// Of a body that is longer, no more is read.
const PASSED_OVER_BYTES_MAX: usize = 16 << 20;

/// Most answers are shorter, and are written without making room again.
const ANSWER_BYTES: usize = 1024;

/// An answer in JSON.
pub struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        let mut text = Vec::with_capacity(ANSWER_BYTES);
        if let Err(error) = serde_json::to_writer(&mut text, &self.0) {
            tracing::error!(%error, "an answer cannot be written");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
        let mut response = Response::new(Body::from(text));
        let content_type = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
        response
    }
}

/// A JSON body, as it was sent.
pub struct JsonBody(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for JsonBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let content_type = content_type(request.headers());
        if !content_type.is_none_or(is_json) {
            let detail = "the body must be application/json";
            return Err(Problem::plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
        }
        whole(request.into_body()).await.map(Self)
    }
}

/// Reads a body to its end. One that comes in one piece, as most do, is not copied.
async fn whole(body: Body) -> Result<Bytes, Problem> {
    if body.size_hint().lower() > PASSED_OVER_BYTES_MAX as u64 {
        return Err(too_long());
    }
    let mut chunks = body.into_data_stream();
    let (mut first, mut rest) = (Bytes::new(), BytesMut::new());
    while let Some(chunk) = chunks.next().await {
        let lost = |_| Problem::plain(StatusCode::BAD_REQUEST, "the body did not arrive");
        let chunk = chunk.map_err(lost)?;
        if first.len() + rest.len() + chunk.len() > BODY_BYTES_MAX {
            pass_over(chunks).await;
            return Err(too_long());
        }
        match first.is_empty() {
            true => first = chunk,
            false => rest.extend_from_slice(&chunk),
        }
    }
    Ok(if rest.is_empty() { first } else { [first, rest.freeze()].concat().into() })
}

/// Reads what nobody wants: a client that is still writing when the connection is closed does not
/// hear the answer.
async fn pass_over(mut chunks: BodyDataStream) {
    let mut passed_over = 0;
    while passed_over < PASSED_OVER_BYTES_MAX
        && let Some(Ok(chunk)) = chunks.next().await
    {
        passed_over += chunk.len();
    }
}

fn too_long() -> Problem {
    let detail = format!("the body must not be longer than {BODY_BYTES_MAX} bytes");
    Problem::plain(StatusCode::PAYLOAD_TOO_LARGE, detail)
}

/// The media type, without parameters; `None` where the caller states none.
pub fn content_type(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().unwrap_or("?");
    Some(value.split(';').next().unwrap_or(value).trim())
}

fn is_json(media_type: &str) -> bool {
    if media_type == "application/json" {
        return true;
    }
    let media_type = media_type.to_ascii_lowercase();
    media_type == "application/json"
        || (media_type.starts_with("application/") && media_type.ends_with("+json"))
}

/// Parses an object. Paths are tracked only once something is wrong: it costs an allocation a
/// field.
pub fn parse<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, Problem> {
    // Otherwise a list of the fields' values would do, since formats without names have those.
    if json.trim_ascii_start().first() != Some(&b'{') {
        serde_json::from_slice::<IgnoredAny>(json).map_err(not_json)?;
        return Err(Problem::invalid("", "must be a JSON object"));
    }
    serde_json::from_slice(json).or_else(|error| {
        if error.classify() != Category::Data {
            return Err(not_json(error));
        }
        let mut deserializer = serde_json::Deserializer::from_slice(json);
        serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
            let (line, column) = (error.inner().line(), error.inner().column());
            let place = format!(" at line {line} column {column}");
            let text = error.inner().to_string();
            invalid(error.path(), text.strip_suffix(&place).unwrap_or(&text))
        })
    })
}

/// Takes a list apart, if it is one.
pub fn elements(json: &[u8]) -> Option<Result<Vec<&RawValue>, Problem>> {
    let is_list = json.trim_ascii_start().first() == Some(&b'[');
    is_list.then(|| serde_json::from_slice(json).map_err(not_json))
}

/// Parses the parameters of a query.
pub fn query<T: DeserializeOwned>(uri: &Uri) -> Result<T, Problem> {
    let pairs = Query::<Vec<(String, String)>>::try_from_uri(uri);
    let Query(pairs) = pairs.map_err(|error| Problem::invalid("", error.body_text()))?;
    let mut object = Map::new();
    for (name, value) in pairs {
        if object.contains_key(&name) {
            let mut pointer = String::new();
            push(&mut pointer, &name);
            return Err(Problem::invalid(pointer, "is given twice"));
        }
        object.insert(name, Value::String(value));
    }
    serde_path_to_error::deserialize(Value::Object(object))
        .map_err(|error| invalid(error.path(), &error.inner().to_string()))
}

/// Refuses parameters where none are known.
pub fn no_query(uri: &Uri) -> Result<(), Problem> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Nothing {}
    query::<Nothing>(uri).map(|Nothing {}| ())
}

/// A request without parameters, where none are known.
pub struct NoQuery;

impl<S: Send + Sync> FromRequestParts<S> for NoQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match parts.uri.query() {
            None => Ok(Self),
            Some(_) => no_query(&parts.uri).map(|()| Self),
        }
    }
}

pub fn not_json(error: serde_json::Error) -> Problem {
    Problem::invalid("", format!("is not JSON: {error}"))
}

fn invalid(path: &Path, message: &str) -> Problem {
    let mut pointer = String::new();
    for segment in path.iter() {
        match segment {
            Segment::Seq { index } => push(&mut pointer, &index.to_string()),
            Segment::Map { key } | Segment::Enum { variant: key } => push(&mut pointer, key),
            Segment::Unknown => {}
        }
    }
    let message = name_the_field(&mut pointer, message);
    Problem::invalid(pointer, message)
}

/// What is missing, or there again, has no path of its own: serde names it in words. The pointer is
/// led to it, and what is left to say is returned.
pub fn name_the_field<'a>(pointer: &mut String, message: &'a str) -> &'a str {
    let summaries = [("missing field `", "is missing"), ("duplicate field `", "is given twice")];
    let named = summaries.into_iter().find_map(|(words, summary)| {
        let (field, _) = message.strip_prefix(words)?.split_once('`')?;
        Some((field, summary))
    });
    let Some((field, summary)) = named else { return message };
    push(pointer, field);
    summary
}

/// Adds a segment, escaped as RFC 6901 asks.
fn push(pointer: &mut String, segment: &str) {
    pointer.push('/');
    pointer.push_str(&segment.replace('~', "~0").replace('/', "~1"));
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        #[serde(rename = "name")]
        _name: String,
        #[serde(rename = "parts", default)]
        _parts: Vec<BTreeMap<String, u8>>,
    }

    fn pointer(json: &str) -> (Value, Value) {
        let problem = parse::<Body>(json.as_bytes()).unwrap_err();
        let (_, errors) = &problem.members[0];
        (errors[0]["pointer"].clone(), errors[0]["detail"].clone())
    }

    #[test]
    fn what_is_wrong_is_pointed_at() {
        for (json, at) in [
            (r#"{"name":5}"#, "/name"),
            (r#"{}"#, "/name"),
            (r#"{"name":"","nmae":1}"#, "/nmae"),
            (r#"{"name":"","name":""}"#, "/name"),
            (r#"{"name":"","parts":[{},{"a/b~c":-1}]}"#, "/parts/1/a~1b~0c"),
            (r#"{"name":"#, ""),
            ("7", ""),
            (r#"["Ann"]"#, ""),
        ] {
            assert_eq!(pointer(json).0, at, "{json}");
        }
    }

    #[test]
    fn the_message_is_for_people() {
        assert_eq!(pointer("{}").1, "is missing");
        assert_eq!(pointer("7").1, "must be a JSON object");
        assert!(pointer("{\"name\":}").1.as_str().unwrap().ends_with("at line 1 column 9"));
        let unknown = pointer(r#"{"name":"","nmae":1}"#).1;
        assert_eq!(unknown, "unknown field `nmae`, expected `name` or `parts`");
    }

    #[test]
    fn a_query_is_held_to_the_same() {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Filter {
            provider: Option<String>,
        }
        let parse = |text: &'static str| query::<Filter>(&Uri::from_static(text));
        assert_eq!(parse("/x?provider=a%20b").unwrap().provider.as_deref(), Some("a b"));
        assert_eq!(parse("/x").unwrap().provider, None);
        assert!(parse("/x?provder=a").unwrap_err().detail.starts_with("/provder: unknown field"));
        assert_eq!(
            parse("/x?provider=a&provider=b").unwrap_err().detail,
            "/provider: is given twice"
        );
    }

    #[test]
    fn json_goes_by_several_names() {
        assert!(is_json("application/json") && is_json("application/cloudevents+json"));
        assert!(!is_json("text/plain") && !is_json("application/x-ndjson"));
    }
}
