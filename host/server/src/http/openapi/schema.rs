//! Schemas of what is written or read by hand.

use std::ops::RangeInclusive;

use serde_json::Value;
use utoipa::openapi::schema::{
    AdditionalProperties, ArrayBuilder, Object, ObjectBuilder, OneOfBuilder, Type,
};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// Says of a type under which name, and as what, the description has it, and which others that
/// refers to.
macro_rules! described {
    ([$($of:tt)*] $type:ty, $name:expr, $schema:expr $(; $($other:ty),+)?) => {
        impl<$($of)*> utoipa::PartialSchema for $type {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                $schema.into()
            }
        }

        impl<$($of)*> utoipa::ToSchema for $type {
            fn name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }

            $(fn schemas(schemas: &mut $crate::http::openapi::schema::Schemas) {
                $(
                    let schema = <$other as utoipa::PartialSchema>::schema();
                    schemas.push((<$other as utoipa::ToSchema>::name().into_owned(), schema));
                    <$other as utoipa::ToSchema>::schemas(schemas);
                )+
            })?
        }
    };
}

pub(crate) use described;

/// Schemas by name.
pub type Schemas = Vec<(String, RefOr<Schema>)>;

/// One of a few words.
pub fn words(words: impl IntoIterator<Item = &'static str>) -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).build()
}

/// A whole number among the parameters of a query.
pub fn whole(range: RangeInclusive<u64>, default: Option<u64>) -> Object {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(*range.start()))
        .maximum(Some(*range.end()))
        .default(default.map(Value::from))
        .build()
}

/// Where a page begins.
pub fn offset() -> Object {
    whole(0..=u64::MAX, Some(0))
}

/// An object whose members have any names of a kind.
pub fn map<K: PartialSchema>(
    description: &str,
    value: impl Into<RefOr<Schema>>,
    entries_max: Option<usize>,
) -> Object {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some(description))
        .property_names(Some(plain_schema::<K>()))
        .additional_properties(Some(AdditionalProperties::RefOr(value.into())))
        .max_properties(entries_max)
        .build()
}

/// A number of any size, with all of its digits.
pub fn number(description: &str, example: &str) -> Object {
    let example = serde_json::from_str::<Value>(example).ok();
    ObjectBuilder::new()
        .schema_type(Type::Number)
        .description(Some(description))
        .examples(example)
        .build()
}

/// A list of what is described elsewhere.
pub fn list_of<T: ToSchema>() -> ArrayBuilder {
    ArrayBuilder::new().items(Ref::from_schema_name(T::name()))
}

/// Either of two.
pub fn either(
    description: &str,
    one: impl Into<RefOr<Schema>>,
    other: impl Into<RefOr<Schema>>,
) -> Schema {
    OneOfBuilder::new().description(Some(description)).item(one).item(other).into()
}

fn plain_schema<T: PartialSchema>() -> Schema {
    match T::schema() {
        RefOr::T(schema) => schema,
        RefOr::Ref(_) => Schema::default(),
    }
}
