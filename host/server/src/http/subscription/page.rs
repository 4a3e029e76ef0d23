//! Which part of a list is asked for: `limit` and `offset`. Without them it is all of it.

use serde::Deserialize;
use utoipa::openapi::schema::Object;

use crate::http::fields::number;
use crate::http::openapi::schema::{offset, whole};
use crate::http::problem::Problem;

const LIMIT_MAX: u64 = 1000;

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Asked {
    /// How many at most; all unless given
    #[param(schema_with = limits)]
    limit: Option<String>,
    /// How many to leave out at the beginning
    #[param(schema_with = offset)]
    offset: Option<String>,
}

/// What `limit` may be.
pub fn limits() -> Object {
    whole(1..=LIMIT_MAX, None)
}

/// A part of a list.
pub struct Page {
    limit: usize,
    offset: usize,
}

impl Asked {
    pub fn page(self) -> Result<Page, Problem> {
        Page::new(self.limit, self.offset)
    }
}

impl Page {
    /// As parameters say it.
    pub fn new(limit: Option<String>, offset: Option<String>) -> Result<Self, Problem> {
        let all = limit.is_none();
        let limit = number("/limit", limit, LIMIT_MAX, 1..=LIMIT_MAX)?;
        let offset = number("/offset", offset, 0, 0..=u64::MAX)?;
        let size = |number| usize::try_from(number).unwrap_or(usize::MAX);
        Ok(Self { limit: if all { usize::MAX } else { size(limit) }, offset: size(offset) })
    }

    pub fn of<'a, T>(&self, list: &'a [T]) -> &'a [T] {
        let list = &list[self.offset.min(list.len())..];
        &list[..self.limit.min(list.len())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_what_is_left_of_the_list_at_most() {
        let page = |limit: Option<&str>, offset: Option<&str>| {
            let page = Page::new(limit.map(Into::into), offset.map(Into::into)).ok()?;
            Some(page.of(&[1, 2, 3]).to_vec())
        };
        for (limit, offset, expected) in [
            (None, None, Some(vec![1, 2, 3])),
            (None, Some("1"), Some(vec![2, 3])),
            (Some("2"), None, Some(vec![1, 2])),
            (Some("2"), Some("2"), Some(vec![3])),
            (Some("1000"), Some("18446744073709551615"), Some(vec![])),
            (Some("0"), None, None),
            (Some("1001"), None, None),
            (None, Some("-1"), None),
        ] {
            assert_eq!(page(limit, offset), expected, "{limit:?} {offset:?}");
        }
    }
}
