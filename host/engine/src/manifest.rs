//! `policies/<name>.toml`: what runs, with which configuration, within which limits.

mod applies_to;
mod config_json;
mod include;
mod reader;
mod rollout;

use std::path::{Component, Path, PathBuf};

use toml_edit::Document;

use crate::Kind;
use crate::digest::Digest;
use crate::document;
use crate::limits::Limits;
use crate::source::MadeOf;
pub(crate) use applies_to::AppliesTo;
use include::Included;
pub(crate) use include::Pattern;
use reader::{Field, Reader};
pub(crate) use rollout::Rollout;

/// What is wrong with a manifest, as an editor shows it: `standard-tiers.toml:12: …`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {problem}")]
pub(crate) struct ManifestError {
    pub file: String,
    pub line: usize,
    pub problem: String,
}

/// What happens to a call when a tier policy fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnFailure {
    /// It is refused.
    Deny,
    /// It goes without this policy's opinion; the arithmetic of quotas is the host's anyway.
    Allow,
}

/// A manifest that has been read and makes sense by itself.
#[derive(Debug)]
pub(crate) struct Manifest {
    pub name: String,
    pub digest: Digest,
    pub kind: Kind,
    /// Relative to the folder, and inside it.
    pub plugin: PathBuf,
    pub on_failure: OnFailure,
    /// Among pricing policies the higher comes first.
    pub priority: i64,
    pub limits: Limits,
    pub rollout: Rollout,
    pub applies_to: AppliesTo,
    /// The `[config]` table as JSON, each number in the digits that the operator wrote, with the
    /// documents laid over it.
    pub config: String,
    /// What it was read from, and the documents.
    pub made_of: MadeOf,
    /// Which files of the folder belong to the configuration.
    pub include: Vec<Pattern>,
    included: Vec<Included>,
    source: Document<String>,
}

impl Manifest {
    /// Reads the manifest of the policy `name`.
    pub fn parse(name: &str, text: String) -> Result<Self, ManifestError> {
        let file = format!("{name}.toml");
        let digest = Digest::of(text.as_bytes());
        let source = Document::parse(text.clone()).map_err(|error| ManifestError {
            file: file.clone(),
            line: reader::line(&text, error.span()),
            problem: error.message().trim().to_owned(),
        })?;
        let reader = Reader { file: &file, text: &text };
        let mut top = reader.top(source.as_table());

        let (kind, rollout) = rollout::staged(top.required("kind")?.word()?, &mut top)?;
        let plugin = plugin_path(&top.required("plugin")?)?;
        let on_failure = match kind {
            Kind::Tier => top.optional("on_failure", on_failure)?.unwrap_or(OnFailure::Deny),
            // Pricing goes on unpriced and flagged, alerts are dropped and counted.
            Kind::Pricing | Kind::Adjustment | Kind::Alert => OnFailure::Allow,
        };
        let priority = match kind {
            Kind::Pricing | Kind::Adjustment => {
                top.optional("priority", Field::integer)?.unwrap_or(0)
            }
            Kind::Tier | Kind::Alert => 0,
        };
        let limits = top.optional("limits", limits)?.unwrap_or_default();
        let applies_to =
            top.optional("applies_to", |field| AppliesTo::read(field, kind))?.unwrap_or_default();
        let include = top.optional("include", include::patterns)?.unwrap_or_default();
        let config = top.optional("config", config_json::to_json)?.unwrap_or_else(|| "{}".into());
        top.finish()?;
        Ok(Self {
            name: name.to_owned(),
            digest,
            kind,
            plugin,
            on_failure,
            priority,
            limits,
            rollout,
            applies_to,
            config,
            made_of: MadeOf::default(),
            include,
            included: Vec::new(),
            source,
        })
    }

    /// Lays documents over a manifest that has none yet. What it is called by changes with them.
    pub fn with_documents(self, documents: Vec<document::Document>) -> Result<Self, String> {
        if documents.is_empty() {
            return Ok(self);
        }
        let config = document::lay(&self.config, &documents)?;
        let text = serde_json::to_vec(&documents).map_err(|error| error.to_string())?;
        let digest = Digest::of(&[self.digest.as_bytes(), &text].concat());
        let made_of = MadeOf { documents, ..self.made_of };
        Ok(Self { digest, config, made_of, ..self })
    }

    /// Says where in the file the plugin found a problem with its configuration. `pointer` is a
    /// JSON Pointer into `[config]`; where it leads nowhere, the nearest value around it is named.
    pub fn config_problem(&self, pointer: &str, message: &str) -> ManifestError {
        if let Some(problem) = self.problem_in_included(pointer, message) {
            return problem;
        }
        let span =
            self.source.get("config").and_then(|config| config_json::span_at(config, pointer));
        let place = if pointer.is_empty() { "/" } else { pointer };
        ManifestError {
            file: format!("{}.toml", self.name),
            line: reader::line(self.source.raw(), span),
            problem: format!("{place}: {message}"),
        }
    }
}

/// A path that stays inside the folder, however it is written.
fn plugin_path(field: &Field) -> Result<PathBuf, ManifestError> {
    let path = Path::new(field.text()?);
    let inside = path.components().all(|part| matches!(part, Component::Normal(_)));
    if !inside || path.as_os_str().is_empty() {
        return Err(field.error("must be a file in this folder"));
    }
    Ok(path.to_owned())
}

fn on_failure(field: &Field) -> Result<OnFailure, ManifestError> {
    match field.text()? {
        "deny" => Ok(OnFailure::Deny),
        "allow" => Ok(OnFailure::Allow),
        _ => Err(field.error("must be \"deny\" or \"allow\"")),
    }
}

fn limits(field: &Field) -> Result<Limits, ManifestError> {
    let mut limits = Limits::default();
    let mut section = field.section()?;
    for (key, limit) in [
        ("fuel_configure", &mut limits.fuel_configure),
        ("fuel_per_call", &mut limits.fuel_per_call),
        ("memory_mib", &mut limits.memory_mib),
        ("deadline_ms", &mut limits.deadline_ms),
        ("component_mib", &mut limits.component_mib),
        ("log_bytes_per_call", &mut limits.log_bytes_per_call),
        ("result_kib", &mut limits.result_kib),
    ] {
        if let Some(value) = section.optional(key, Field::positive)? {
            *limit = value;
        }
    }
    section.finish()?;
    Ok(limits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Manifest, String> {
        Manifest::parse("mine", text.to_owned()).map_err(|error| error.to_string())
    }

    const HEAD: &str = "kind = \"tier\"\nplugin = \"a.wasm\"\n";

    #[test]
    fn what_is_not_said_has_the_documented_default() {
        let manifest = parse(HEAD).unwrap();
        assert_eq!(manifest.on_failure, OnFailure::Deny);
        assert_eq!(manifest.limits, Limits::default());
        assert_eq!(manifest.config, "{}");
    }

    #[test]
    fn an_error_names_file_and_line() {
        let with = |rest: &str| parse(&format!("{HEAD}{rest}")).unwrap_err();
        for (rest, error) in [
            ("quotaz = 1", "mine.toml:3: unknown key `quotaz`"),
            ("priority = 1", "mine.toml:3: unknown key `priority`"),
            ("\n[limits]\nfuel = 1", "mine.toml:5: unknown key `limits.fuel`"),
            (
                "[limits]\nmemory_mib = 0",
                "mine.toml:4: `limits.memory_mib` must be a whole number from 1",
            ),
            (
                "[limits]\nresult_kib = 1.5",
                "mine.toml:4: `limits.result_kib` must be a whole number from 1",
            ),
            ("limits = 3", "mine.toml:3: `limits` must be a table"),
            ("on_failure = \"maybe\"", "mine.toml:3: `on_failure` must be \"deny\" or \"allow\""),
            (
                "[applies_to]\nproviders = [1]",
                "mine.toml:4: `applies_to.providers` must be a list of strings",
            ),
            ("stage = \"beta\"", "mine.toml:3: `stage` must be \"shadow\" or \"canary\""),
            ("stage = \"adjust\"", "mine.toml:3: `stage` must be \"shadow\" or \"canary\""),
            ("stage = 1", "mine.toml:3: `stage` must be a string or a list of strings"),
            (
                "stage = [\"shadow\", \"canary\"]",
                "mine.toml:3: `stage` says the same thing in two ways",
            ),
            ("stage = \"canary\"", "mine.toml:1: `percent` is missing"),
            ("stage = \"canary\"\npercent = 101", "mine.toml:4: `percent` must be at most 100"),
            ("stage = \"shadow\"\npercent = 1", "mine.toml:4: unknown key `percent`"),
            ("[config]\nx = nan", "mine.toml:4: `nan` is not a decimal number"),
        ] {
            assert_eq!(with(rest), error);
        }
        assert_eq!(parse("plugin = \"a\"").unwrap_err(), "mine.toml:1: `kind` is missing");
        assert_eq!(
            parse("kind = \"tax\"\nplugin = \"a\"").unwrap_err(),
            "mine.toml:1: `kind` must be tier, pricing or alert"
        );
        let broken = parse("kind = \"tier\"\nplugin = ").unwrap_err();
        assert!(broken.starts_with("mine.toml:2: "), "{broken}");
    }

    #[test]
    fn a_change_of_prices_may_be_tried_beside_the_one_before() {
        let staged = |stage: &str| {
            parse(&format!("kind = \"pricing\"\nplugin = \"a.wasm\"\n{stage}"))
                .map(|manifest| (manifest.kind, manifest.rollout))
        };
        assert_eq!(staged(""), Ok((Kind::Pricing, Rollout::Active)));
        assert_eq!(staged("stage = \"base\""), Ok((Kind::Pricing, Rollout::Active)));
        assert_eq!(staged("stage = \"adjust\""), Ok((Kind::Adjustment, Rollout::Active)));
        assert_eq!(staged("stage = \"shadow\""), Ok((Kind::Pricing, Rollout::Shadow)));
        assert_eq!(
            staged("stage = [\"adjust\", \"canary\"]\npercent = 5"),
            Ok((Kind::Adjustment, Rollout::Canary { percent: 5 }))
        );
        assert_eq!(
            staged("stage = \"beta\""),
            Err("mine.toml:3: `stage` must be \"base\", \"adjust\", \"shadow\" or \"canary\""
                .into())
        );
    }

    #[test]
    fn a_plugin_outside_the_folder_is_refused() {
        for path in ["../a.wasm", "/a.wasm", "x/../../a.wasm", "", "."] {
            let error = parse(&format!("kind = \"tier\"\nplugin = \"{path}\"")).unwrap_err();
            assert_eq!(error, "mine.toml:2: `plugin` must be a file in this folder");
        }
    }

    #[test]
    fn a_problem_that_the_plugin_found_is_shown_where_it_stands() {
        let text = format!(
            "{HEAD}[config]\na = 1\n[[config.plans]]\nid = \"x\"\n[[config.plans]]\n\
             id = \"y\"\nquotas = [\n  {{ window = \"fortnight\" }},\n]\n"
        );
        let manifest = parse(&text).unwrap();
        for (pointer, line) in [
            ("/plans/1/quotas/0/window", 10),
            ("/plans/1/quotas/7", 9),
            ("/plans/0/id", 6),
            ("/a", 4),
            ("/missing", 3),
            ("", 3),
        ] {
            let error = manifest.config_problem(pointer, "is wrong");
            assert_eq!((error.file.as_str(), error.line), ("mine.toml", line), "{pointer}");
        }
        let error = manifest.config_problem("/plans/1/quotas/0/window", "is not a window");
        let shown = "mine.toml:10: /plans/1/quotas/0/window: is not a window";
        assert_eq!(error.to_string(), shown);
    }
}
