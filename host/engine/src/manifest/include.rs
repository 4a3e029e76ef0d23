//! Files that a manifest includes: they belong to its configuration and to its digest.

use std::path::{Path, PathBuf};

use toml_edit::Document;

use super::config_json;
use super::reader::{self, Field, Reader};
use super::{Manifest, ManifestError};
use crate::digest::Digest;

/// `prices/*.toml`: files inside the folder of policies, by a name that may have one `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    folder: PathBuf,
    before: String,
    /// What follows the `*`, if there is one.
    after: Option<String>,
}

/// A file whose content is part of the configuration.
#[derive(Debug)]
pub(super) struct Included {
    file: String,
    source: Document<String>,
}

pub(super) fn patterns(field: &Field) -> Result<Vec<Pattern>, ManifestError> {
    let pattern = |text: &String| {
        Pattern::parse(text).ok_or_else(|| {
            field.error("must be a list of .toml files in folders of this folder: prices/*.toml")
        })
    };
    field.texts()?.iter().map(pattern).collect()
}

impl Pattern {
    /// The manifests of the folder itself cannot be included.
    fn parse(text: &str) -> Option<Self> {
        let (folder, name) = text.rsplit_once('/')?;
        let is_name =
            |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains('*');
        let (before, after) = match name.split_once('*') {
            Some((before, after)) => (before, Some(after.to_owned())),
            None => (name, None),
        };
        let is_one = after.as_ref().is_none_or(|after| !after.contains('*'));
        let is_inside = folder.split('/').all(is_name) && !before.starts_with('.');
        (is_inside && is_one && name.ends_with(".toml")).then(|| Self {
            folder: folder.into(),
            before: before.to_owned(),
            after,
        })
    }

    /// The folder that its files lie in, as a path from the folder of policies.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The files of that name among those of its folder, as paths from the folder of policies.
    pub fn among(&self, names: Vec<String>) -> impl Iterator<Item = PathBuf> {
        names.into_iter().filter(|name| self.is(name)).map(|name| self.folder.join(name))
    }

    fn is(&self, name: &str) -> bool {
        match &self.after {
            // Editors and orchestrators keep their own things in hidden files.
            _ if name.starts_with('.') => false,
            None => name == self.before,
            Some(after) => {
                name.strip_prefix(&self.before).is_some_and(|rest| rest.ends_with(after.as_str()))
            }
        }
    }
}

impl Manifest {
    /// Adds the content of files, each with its name, to the configuration: a list under
    /// `included`.
    pub fn take_in(&mut self, files: Vec<(String, String)>) -> Result<(), ManifestError> {
        if self.include.is_empty() {
            return Ok(());
        }
        let (mut json, mut digests) = (Vec::new(), self.digest.as_bytes().to_vec());
        for (file, text) in files {
            digests.extend_from_slice(Digest::of(file.as_bytes()).as_bytes());
            digests.extend_from_slice(Digest::of(text.as_bytes()).as_bytes());
            let source = Document::parse(text.clone()).map_err(|error| ManifestError {
                file: file.clone(),
                line: reader::line(&text, error.span()),
                problem: error.message().trim().to_owned(),
            })?;
            let reader = Reader { file: &file, text: &text };
            json.push(config_json::table_to_json(&reader, source.as_table())?);
            self.included.push(Included { file, source });
        }
        self.digest = Digest::of(&digests);
        let comma = if self.config == "{}" { "" } else { "," };
        let own = &self.config[..self.config.len() - 1];
        self.config = format!("{own}{comma}\"included\":[{}]}}", json.join(","));
        Ok(())
    }

    /// A problem at `/included/0/…`, where it stands in the file.
    pub(super) fn problem_in_included(
        &self,
        pointer: &str,
        message: &str,
    ) -> Option<ManifestError> {
        let (position, inside) = pointer.strip_prefix("/included/").map(|rest| {
            rest.split_once('/').map_or((rest, String::new()), |(n, rest)| (n, format!("/{rest}")))
        })?;
        let included = self.included.get(position.parse::<usize>().ok()?)?;
        let span = config_json::span_at(included.source.as_item(), &inside);
        let place = if inside.is_empty() { "/" } else { &inside };
        Some(ManifestError {
            file: included.file.clone(),
            line: reader::line(included.source.raw(), span),
            problem: format!("{place}: {message}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(include: &str, config: &str) -> Manifest {
        let head = "kind = \"pricing\"\nplugin = \"a.wasm\"\n";
        Manifest::parse("mine", format!("{head}include = {include}\n{config}")).unwrap()
    }

    fn file(name: &str, text: &str) -> (String, String) {
        (name.to_owned(), text.to_owned())
    }

    #[test]
    fn included_files_are_part_of_the_configuration_and_of_the_digest() {
        let mut bare = manifest("['prices/*.toml']", "");
        let alone = bare.digest;
        bare.take_in(vec![file("prices/a.toml", "x = 0.10"), file("prices/b.toml", "")]).unwrap();
        assert_eq!(bare.config, r#"{"included":[{"x":0.10},{}]}"#);
        assert_ne!(bare.digest, alone);
        let mut other = manifest("['prices/*.toml']", "[config]\ny = { z = 1 }");
        other.take_in(vec![file("prices/a.toml", "x = 0.1")]).unwrap();
        assert_eq!(other.config, r#"{"y":{"z":1},"included":[{"x":0.1}]}"#);
    }

    #[test]
    fn a_problem_in_an_included_file_names_that_file_and_line() {
        let mut manifest = manifest("['prices/*.toml']", "[config]\ny = 1");
        let text = "[[prices]]\nprovider = 'x'\n[[prices]]\neach = { calls = '-1' }\n";
        manifest.take_in(vec![file("prices/a.toml", ""), file("prices/b.toml", text)]).unwrap();
        let problem = manifest.config_problem("/included/1/prices/1/each/calls", "is negative");
        let shown = "prices/b.toml:4: /prices/1/each/calls: is negative";
        assert_eq!(problem.to_string(), shown);
        let problem = manifest.config_problem("/y", "is wrong");
        assert_eq!(problem.to_string(), "mine.toml:5: /y: is wrong");
        let broken = manifest.take_in(vec![file("prices/c.toml", "a = 1\nb = ")]).unwrap_err();
        assert!(broken.to_string().starts_with("prices/c.toml:2: "), "{broken}");
    }

    #[test]
    fn what_lies_outside_or_is_a_manifest_cannot_be_included() {
        for text in
            ["../x/*.toml", "/x/*.toml", "*.toml", "a/*/b.toml", "a/b", "a/*.*", "a/.b.toml"]
        {
            assert_eq!(Pattern::parse(text), None, "{text}");
        }
        let pattern = Pattern::parse("prices/a*.toml").unwrap();
        assert!(pattern.is("abc.toml") && pattern.is("a.toml"));
        assert!(!pattern.is("b.toml") && !pattern.is(".a.toml") && !pattern.is("a.toml~"));
    }
}
