//! What texts look like in JSON, for the description of the HTTP interface that is generated from
//! the types. It lies here so that it stands beside the checks that it tells of.

use utoipa::openapi::schema::{KnownFormat, Object, ObjectBuilder, SchemaFormat, Type};

/// A text of at least one character. JSON Schema counts characters, and not bytes as the checks do:
/// what has other than ASCII may be refused although its schema takes it.
pub(crate) fn text(description: &str, pattern: &str, example: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(description))
        .pattern(Some(pattern))
        .examples([example])
}

/// Any text without control characters.
pub(crate) fn plain(description: &str, bytes_max: usize, example: &str) -> Object {
    let pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]+$";
    text(description, pattern, example).min_length(Some(1)).max_length(Some(bytes_max)).build()
}

/// A lower-case identifier.
pub(crate) fn id(description: &str, bytes_max: usize, example: &str) -> Object {
    let pattern = "^[a-z0-9._-]+$";
    text(description, pattern, example).min_length(Some(1)).max_length(Some(bytes_max)).build()
}

/// An instant.
pub(crate) fn time(description: &str) -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
        .description(Some(description))
        .examples(["2025-01-15T10:30:00Z"])
        .build()
}

/// Says of a type under which name, and as what, the description has it.
macro_rules! described {
    ($type:ident as $name:expr; $schema:expr) => {
        impl utoipa::PartialSchema for $type {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                $schema.into()
            }
        }

        impl utoipa::ToSchema for $type {
            fn name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }
        }
    };
}

pub(crate) use described;
