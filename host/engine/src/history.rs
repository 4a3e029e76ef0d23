//! What was active when, in the archive: every revision with all its bytes, and every change from
//! one to the next. Nothing there is ever changed, so that whoever copies it up to some step has
//! all that the step needs.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tollgate_domain::Timestamp;
use utoipa::ToSchema;

use crate::archive::{Archive, ArchiveError};
use crate::candidate::AnyPolicy;
use crate::digest::Digest;
use crate::document::Document;
use crate::manifest::Rollout;
use crate::orders::Orders;
use crate::source::{self, Origin, Part, PartId, Source};

const BLOBS: &str = "policies/bytes/";
const DOCUMENTS: &str = "policies/document/";
const REVISIONS: &str = "policies/revision/";
/// Hexadecimal.
const REVISION_DIGITS: usize = 32;

const STEPS: &str = "policies/step/";

/// The archive, and how far its history goes.
pub(crate) struct History {
    archive: Arc<dyn Archive>,
    next: Mutex<Option<u64>>,
}

/// What a revision consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub members: Vec<Member>,
}

/// A policy of a revision, and all that it is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Member {
    pub name: String,
    pub kind: String,
    pub plugin_digest: Digest,
    pub config_digest: Digest,
    pub parts: Vec<PartId>,
    /// Kept each by itself: most of them are those of the revision before.
    #[serde(skip)]
    pub documents: Vec<Document>,
}

/// As it is kept: each member with the digests of its documents.
#[derive(Serialize, Deserialize)]
struct Stored {
    members: Vec<(Member, Vec<Digest>)>,
}

/// A change from one revision to the next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HistoryStep {
    pub revision: String,
    pub at: Timestamp,
    pub cause: Cause,
    pub reason: String,
    pub orders: Orders,
    /// Since when each of the policies is active in this very version.
    pub since: BTreeMap<String, Timestamp>,
}

/// Why the revision changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = RevisionCause)]
pub enum Cause {
    /// The folder did.
    Folder,
    Rollback,
    /// One was laid over a policy, or taken away.
    Document,
    /// A policy faulted too often after it was activated, or turned out not to be pure.
    Faults,
}

impl Record {
    /// What tells it from every other. Names cannot contain a zero byte and digests have one
    /// length, so that no two have the same text.
    pub fn revision(&self) -> String {
        let mut text = Vec::new();
        for Member { name, config_digest, plugin_digest, .. } in &self.members {
            text.extend_from_slice(name.as_bytes());
            text.push(0);
            text.extend_from_slice(config_digest.as_bytes());
            text.extend_from_slice(plugin_digest.as_bytes());
        }
        let mut revision = Digest::of(&text).to_string();
        revision.truncate(REVISION_DIGITS);
        revision
    }
}

impl Member {
    pub fn of(policy: &AnyPolicy) -> Self {
        let card = policy.card();
        let made_of = &card.manifest.made_of;
        Self {
            name: card.manifest.name.clone(),
            kind: card.manifest.kind.to_string(),
            plugin_digest: card.plugin.digest,
            config_digest: card.manifest.digest,
            parts: made_of.parts.clone(),
            documents: made_of.documents.clone(),
        }
    }

    pub fn fingerprint(&self) -> Digest {
        source::fingerprint(&self.parts)
    }
}

impl History {
    pub fn in_archive(archive: Arc<dyn Archive>) -> Self {
        Self { archive, next: Mutex::new(None) }
    }

    /// Keeps a revision. `parts` are bytes that may not be kept yet. When this returns, all of it
    /// is on disk.
    pub fn keep(
        &self,
        record: &Record,
        parts: &BTreeMap<Digest, Part>,
    ) -> Result<(), ArchiveError> {
        let ids = record.members.iter().flat_map(|member| &member.parts);
        for part in ids.filter_map(|id| parts.get(&id.digest)) {
            self.archive.keep(&format!("{BLOBS}{}", part.id.digest), &part.bytes)?;
        }
        let mut members = Vec::new();
        for member in &record.members {
            let documents = member.documents.iter().map(|document| self.keep_document(document));
            members.push((member.clone(), documents.collect::<Result<_, _>>()?));
        }
        self.put(&format!("{REVISIONS}{}", record.revision()), &Stored { members })
    }

    fn keep_document(&self, document: &Document) -> Result<Digest, ArchiveError> {
        let json = serde_json::to_vec(document).map_err(|error| ArchiveError(error.to_string()))?;
        let digest = Digest::of(&json);
        self.archive.keep(&format!("{DOCUMENTS}{digest}"), &json)?;
        Ok(digest)
    }

    /// Makes a step to a revision that is kept.
    pub fn go_to(&self, step: &HistoryStep) -> Result<(), ArchiveError> {
        let mut next = self.next.lock();
        let number = match *next {
            Some(number) => number,
            None => self.last_number()?.map_or(0, |last| last + 1),
        };
        self.put(&format!("{STEPS}{number:020}"), step)?;
        *next = Some(number + 1);
        Ok(())
    }

    /// The steps with their numbers, the last one first.
    pub fn steps(
        &self,
    ) -> Result<impl Iterator<Item = Result<(u64, HistoryStep), ArchiveError>>, ArchiveError> {
        self.steps_before(None)
    }

    /// Those before one.
    pub fn steps_before(
        &self,
        before: Option<u64>,
    ) -> Result<impl Iterator<Item = Result<(u64, HistoryStep), ArchiveError>>, ArchiveError> {
        let names = self.archive.names(STEPS)?.into_iter().rev();
        let older = names.filter(move |name| before.is_none_or(|before| number_of(name) < before));
        Ok(older.filter_map(|name| {
            let step = self.get(&name).transpose()?;
            Some(step.map(|step| (number_of(&name), step)))
        }))
    }

    pub fn last(&self) -> Result<Option<HistoryStep>, ArchiveError> {
        Ok(self.steps()?.next().transpose()?.map(|(_, step)| step))
    }

    /// The number of the last step; `None` where there is none.
    pub fn last_number(&self) -> Result<Option<u64>, ArchiveError> {
        Ok(self.archive.names(STEPS)?.last().map(|name| number_of(name)))
    }

    pub fn record(&self, revision: &str) -> Result<Option<Record>, ArchiveError> {
        let found = self.get::<Stored>(&format!("{REVISIONS}{revision}"))?;
        let Some(Stored { members: stored }) = found else { return Ok(None) };
        let mut members = Vec::new();
        for (member, digests) in stored {
            let documents = digests.iter().map(|digest| {
                let missing = || ArchiveError(format!("the archive does not have {digest}"));
                self.get(&format!("{DOCUMENTS}{digest}"))?.ok_or_else(missing)
            });
            let documents = documents.collect::<Result<_, _>>()?;
            members.push(Member { documents, ..member });
        }
        Ok(Some(Record { members }))
    }

    /// What a policy of a past revision was made of, as if it lay in the folder. An error where the
    /// archive does not have all of it.
    pub fn whole_source(&self, member: &Member) -> Result<Source, ArchiveError> {
        let read = |part: &PartId| Ok((part.digest, self.bytes(part)?.into()));
        let read = member.parts.iter().map(read).collect::<Result<_, _>>()?;
        Ok(self.source_of(member, read))
    }

    /// The same, where what is missing is why there is none.
    pub fn source(&self, member: &Member) -> Source {
        self.source_of(member, BTreeMap::new())
    }

    fn source_of(&self, member: &Member, read: BTreeMap<Digest, Arc<[u8]>>) -> Source {
        let kept = Kept { parts: &member.parts, history: self, read };
        let mut source = source::read(&member.name, &member.documents, &kept);
        if let Ok(files) = &mut source.files {
            // What decides in a revision decides, whatever trial it was on when it did.
            files.manifest.rollout = Rollout::Active;
        }
        source
    }

    fn bytes(&self, PartId { path, digest }: &PartId) -> Result<Vec<u8>, ArchiveError> {
        let bytes = self.archive.find(&format!("{BLOBS}{digest}"))?;
        let bytes = bytes.ok_or_else(|| ArchiveError(missing(path)))?;
        match Digest::of(&bytes) == *digest {
            true => Ok(bytes),
            false => Err(ArchiveError(format!("{path} is damaged in the archive"))),
        }
    }

    fn put<T: Serialize>(&self, name: &str, value: &T) -> Result<(), ArchiveError> {
        let json = serde_json::to_vec(value).map_err(|error| ArchiveError(error.to_string()))?;
        self.archive.keep(name, &json)
    }

    fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, ArchiveError> {
        let unreadable = |error| ArchiveError(format!("{name} is unreadable: {error}"));
        let found = self.archive.find(name)?;
        found.map(|json| serde_json::from_slice(&json).map_err(unreadable)).transpose()
    }
}

/// The files of a member, in the archive.
struct Kept<'a> {
    parts: &'a [PartId],
    history: &'a History,
    /// What was read of it before.
    read: BTreeMap<Digest, Arc<[u8]>>,
}

impl Origin for Kept<'_> {
    fn fetch(&self, path: &Path, _: u64) -> Result<Arc<[u8]>, String> {
        let of_path = |id: &&PartId| Path::new(&id.path) == path;
        let id = self.parts.iter().find(of_path).ok_or_else(|| missing(path.display()))?;
        if let Some(bytes) = self.read.get(&id.digest) {
            return Ok(bytes.clone());
        }
        Ok(self.history.bytes(id).map_err(|error| error.to_string())?.into())
    }

    fn names(&self, folder: &Path) -> Result<Vec<String>, String> {
        let paths = self.parts.iter().map(|id| Path::new(&id.path));
        let inside = paths.filter(|path| path.parent() == Some(folder));
        Ok(inside.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect())
    }
}

fn missing(path: impl std::fmt::Display) -> String {
    format!("the archive does not have {path}")
}

fn number_of(name: &str) -> u64 {
    name.strip_prefix(STEPS).and_then(|number| number.parse().ok()).unwrap_or(0)
}
