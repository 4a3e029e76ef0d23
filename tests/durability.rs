/// The process ends because it is asked to, or does not even begin.
mod end;
/// What there is no room for is not acknowledged.
mod full;
/// Holds live on, and end when they should.
mod holds;
/// Events after `kill -9` under load.
mod kill;
/// Data that cannot be used are named, and nothing is made of them.
mod unusable;

use serde_json::{Value, json};

fn event_body(event: &str) -> Value {
    json!({
        "event_id": event, "subject": "ann", "provider": "gemini", "model": "gemini-2.5-flash",
        "usage": { "input_tokens": 10, "output_tokens": 5 },
    })
}
