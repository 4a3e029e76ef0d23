//! `tollgate openapi`: the description of the HTTP interface.

use std::io::Write;

use crate::http;

pub fn run() -> anyhow::Result<()> {
    Ok(std::io::stdout().write_all(http::description().as_bytes())?)
}
