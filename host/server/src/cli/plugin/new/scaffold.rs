//! The files of a new plugin, from `plugins/templates/`.

use anyhow::Context;
use include_dir::{Dir, include_dir};
use tollgate_engine::Kind;

use super::Language;

/// `common/<kind>/` for all languages; `<language>/common/` and `<language>/<kind>/` for one.
static TEMPLATES: Dir = include_dir!("$CARGO_MANIFEST_DIR/../../plugins/templates");

/// What the templates leave open.
pub struct Names<'a> {
    pub name: &'a str,
    pub kind: Kind,
    pub language: Language,
    /// Where the SDK is.
    pub sdk: &'a str,
}

/// Paths inside the folder, with the content of the files.
pub fn files(names: &Names) -> anyhow::Result<Vec<(String, String)>> {
    let (kind, language) = (names.kind, names.language.folder());
    let mut files = Vec::new();
    for folder in
        [format!("common/{kind}"), format!("{language}/common"), format!("{language}/{kind}")]
    {
        let folder = TEMPLATES.get_dir(&folder).with_context(|| format!("no template {folder}"))?;
        collect(folder, folder, names, &mut files)?;
    }
    Ok(files)
}

fn collect(
    folder: &Dir<'static>,
    top: &Dir<'static>,
    names: &Names,
    files: &mut Vec<(String, String)>,
) -> anyhow::Result<()> {
    for file in folder.files() {
        let path = file.path().strip_prefix(top.path())?.to_string_lossy().into_owned();
        let text = file.contents_utf8().with_context(|| format!("the template {path}"))?;
        files.push((names.of_file(&path), names.fill_in(text)));
    }
    folder.dirs().try_for_each(|folder| collect(folder, top, names, files))
}

impl Names<'_> {
    /// Templates have other names where their own would mean something in this repository.
    fn of_file(&self, template: &str) -> String {
        match template {
            "policy.toml" => format!("{}.toml", self.name),
            "gitignore" => ".gitignore".to_owned(),
            "Cargo.toml.template" => "Cargo.toml".to_owned(),
            path => path.to_owned(),
        }
    }

    fn fill_in(&self, template: &str) -> String {
        let limits = match self.language.memory_mib() {
            None => String::new(),
            Some(mib) => {
                format!("\n[limits]\n# The plugin brings its language along.\nmemory_mib = {mib}\n")
            }
        };
        template
            .replace("{{name}}", self.name)
            .replace("{{crate}}", &self.name.replace('-', "_"))
            .replace("{{kind}}", self.kind.as_str())
            .replace("{{limits}}", &limits)
            .replace("{{sdk}}", self.sdk)
    }
}

impl Language {
    fn folder(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::C => "c",
            Self::JavaScript => "javascript",
            Self::Python => "python",
        }
    }

    /// Where the default limit of a manifest is too small.
    fn memory_mib(self) -> Option<u32> {
        match self {
            Self::Rust | Self::C => None,
            Self::JavaScript => Some(64),
            Self::Python => Some(128),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_open_in_any_language_and_kind() {
        for language in [Language::Rust, Language::C, Language::JavaScript, Language::Python] {
            for kind in [Kind::Tier, Kind::Pricing, Kind::Adjustment, Kind::Alert] {
                let names = Names { name: "my-rule", kind, language, sdk: "sdk" };
                let files = files(&names).unwrap();
                for (path, text) in &files {
                    assert!(!text.contains("{{") || !text.contains("}}"), "{path}");
                }
                let has = |name: &str| files.iter().any(|(path, _)| path == name);
                assert!(has("my-rule.toml") && has("cases.toml") && has("build.sh"));
            }
        }
    }
}
