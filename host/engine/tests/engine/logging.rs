//! What policies write arrives in the log, and says who wrote it on whose behalf.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use tollgate_engine::{Options, Policies};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::support::{Folder, NOW, guest, info, judge};

/// The fields of all events of policies.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0 += &format!("{}={value:?} ", field.name());
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "tollgate::policy"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[test]
fn a_line_names_the_policy_its_revision_and_the_request_and_a_flood_ends_at_its_budget() {
    let folder = Folder::small();
    folder.write("grants.wasm", guest::hostile());
    let options = Options { log_context: || Some("req-7".into()), ..Options::new(folder.path()) };
    let policies = Policies::open(options, Arc::new(|| NOW)).unwrap();
    let log = Log::default();
    tracing::subscriber::with_default(log.clone(), || judge(&policies, "writes"));
    let lines = log.0.lock().unwrap().clone();
    let revision = info(&policies, "grants").revision;
    let line = format!("message=word policy=\"grants\" revision=\"{revision}\" request=\"req-7\" ");
    assert_eq!(lines[0], line);
    // 4 KiB a call, and each line has 4 bytes.
    assert_eq!(lines.len(), 1024);
}
