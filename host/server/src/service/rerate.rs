//! Prices what was recorded again, under other prices.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZero;
use std::sync::Arc;
use std::thread;

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::task::spawn_blocking;
use tollgate_domain::{Charge, EventKey, ModelId, PlanId, ProviderId, Span, SubjectPath, Usd};
use tollgate_engine::{Payer, PolicySet};
use tollgate_ledger::store::Fact;
use tollgate_ledger::{Amendment, Event, EventId, Fingerprint, LedgerError, Overflow, Turn, Use};

use super::correct::{Repriced, reprice};
use super::{Error, Service};
use crate::app::{Events, Ledger};

/// Enough events at a time that all processors have some, and few enough to be held in memory.
const BATCH_EVENTS: usize = 4_096;

/// Corrections that are under way at once share writes to the disk.
const CORRECTIONS_MAX: usize = 64;

pub struct RerateAsk {
    /// When the events occurred.
    pub span: Span,
    /// A manifest to price by, with its name; unless given, the policies in force.
    pub manifest: Option<(String, String)>,
    /// Whether corrections are written.
    pub apply: bool,
}

/// What re-rating came to.
#[derive(Clone, Debug, Default)]
pub struct Rerated {
    pub sum: Sum,
    /// By provider, model and the plan that the subject has now.
    pub groups: BTreeMap<Group, Sum>,
    /// Corrections that were written.
    pub corrected: u64,
    /// The policies that priced.
    pub revision: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group {
    pub provider: ProviderId,
    pub model: Option<ModelId>,
    pub plan: Option<PlanId>,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Sum {
    pub events: u64,
    /// Events that cost something else now.
    pub changed: u64,
    /// Events that had no price and have one now.
    pub newly_priced: u64,
    /// Events that the new prices do not price: they stay as they are.
    pub unpriced: u64,
    /// Events whose caller gave the cost: they stay as they are.
    pub given: u64,
    pub old: Usd,
    pub new: Usd,
}

/// An event, and what it would cost.
struct Rated {
    id: EventId,
    event: Arc<Event>,
    before: Use,
    outcome: Outcome,
}

enum Outcome {
    Priced { cost: Usd, charges: Vec<Charge> },
    Unpriced,
    Given,
}

impl Service {
    /// Prices the events of a span again, in parallel. Says after each batch how many that were.
    pub async fn rerate(
        &self,
        ask: RerateAsk,
        mut progress: impl FnMut(u64),
    ) -> Result<Rerated, Error> {
        let set = match ask.manifest {
            None => self.policy_set()?,
            Some((name, text)) => {
                let policies = self.policies.clone();
                let tried = spawn_blocking(move || policies.with_manifest(&name, &text)).await;
                let tried = tried.map_err(|error| Error::RefusedPolicy(error.to_string()))?;
                Arc::new(tried.map_err(Error::RefusedPolicy)?)
            }
        };
        let mut rerated = Rerated { revision: set.revision().to_owned(), ..Rerated::default() };
        let mut events = self.ledger.events(ask.span);
        let mut payers: HashMap<SubjectPath, (Payer, Option<PlanId>)> = HashMap::new();
        loop {
            let read = spawn_blocking(move || Ok::<_, LedgerError>((batch(&mut events)?, events)));
            let (batch, rest) = read.await.map_err(broken)??;
            events = rest;
            if batch.is_empty() {
                return Ok(rerated);
            }
            for (_, event) in &batch {
                let subject = &event.report.subject;
                if !payers.contains_key(subject) {
                    let plan = self.ledger.subscription(subject, set.plans(), self.now()).await?;
                    let payer = self.payer(&set, subject).await?;
                    payers.insert(subject.clone(), (payer, plan.map(|it| it.plan)));
                }
            }
            let of_batch = batch.iter().map(|(_, event)| &event.report.subject);
            let of_batch: HashMap<_, _> = of_batch
                .filter_map(|subject| Some((subject.clone(), payers.get(subject)?.0.clone())))
                .collect();
            let (ledger, priced_by) = (self.ledger.clone(), set.clone());
            let rated = spawn_blocking(move || price_all(&ledger, &priced_by, batch, &of_batch));
            let rated = rated.await.map_err(broken)??;
            for one in &rated {
                let plan = payers.get(&one.event.report.subject).and_then(|(_, plan)| plan.clone());
                rerated.add(one, plan)?;
            }
            if ask.apply {
                rerated.corrected += self.apply(&set, &rated, &payers).await?;
            }
            progress(rerated.sum.events);
        }
    }

    /// Writes a correction for each event that costs something else; says how many.
    async fn apply(
        &self,
        set: &PolicySet,
        rated: &[Rated],
        payers: &HashMap<SubjectPath, (Payer, Option<PlanId>)>,
    ) -> Result<u64, Error> {
        let mut changed = Vec::new();
        for one in rated.iter().filter(|one| one.is_changed()) {
            let payer = payers.get(&one.event.report.subject).map(|(payer, _)| payer.clone());
            changed.push((one.id, payer.unwrap_or_default()));
        }
        let corrections =
            stream::iter(changed).map(|(id, payer)| self.correct_cost(set, id, payer));
        corrections
            .buffer_unordered(CORRECTIONS_MAX)
            .try_fold(0, |sum, written| async move { Ok(sum + u64::from(written)) })
            .await
    }

    async fn correct_cost(
        &self,
        set: &PolicySet,
        id: EventId,
        payer: Payer,
    ) -> Result<bool, Error> {
        let now = self.now();
        loop {
            let counted = self.ledger.counted(id)?;
            let outcome = outcome(set, &counted.event, &counted.used, &payer);
            let Outcome::Priced { cost, charges } = outcome else { return Ok(false) };
            if counted.used.cost == Some(cost) {
                return Ok(false);
            }
            // Each time is a correction of its own, also back to an earlier price.
            let key = format!("rerate-{}-{}", now.micros(), id);
            let key: EventKey = key.parse().map_err(|_| LedgerError::UnknownEvent)?;
            let amendment = Amendment {
                fingerprint: Fingerprint::of(format!("{key} {cost}").as_bytes()),
                key,
                corrects: id,
                after: Use { usage: counted.used.usage.clone(), cost: Some(cost) },
                before: counted.used,
                charges,
                cost_given: false,
                reason: Some("re-rated".into()),
                revision: set.revision().to_owned(),
            };
            let mut alerter = set.alerter();
            let due = |readings: &[_]| alerter.due(readings);
            match self.ledger.correct(&amendment, &Turn::default(), set.plans(), now, due).await {
                // Somebody else corrected it in between, which leaves something else to price.
                Err(LedgerError::CorrectedMeanwhile) => {}
                corrected => return Ok(corrected.map(|_| true)?),
            }
        }
    }
}

fn broken(error: tokio::task::JoinError) -> Error {
    Error::RefusedPolicy(format!("the work broke down: {error}"))
}

/// The next events; none after the last.
fn batch(events: &mut Events) -> Result<Vec<(EventId, Arc<Event>)>, LedgerError> {
    let mut batch = Vec::new();
    while batch.len() < BATCH_EVENTS {
        let Some(page) = events.page()? else { break };
        batch.extend(page.into_iter().filter_map(|(id, fact)| match fact {
            Fact::Event(event) => Some((id, event)),
            Fact::Correction(_) => None,
        }));
    }
    Ok(batch)
}

fn price_all(
    ledger: &Ledger,
    set: &PolicySet,
    batch: Vec<(EventId, Arc<Event>)>,
    payers: &HashMap<SubjectPath, Payer>,
) -> Result<Vec<Rated>, LedgerError> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let share = batch.len().div_ceil(threads).max(1);
    let nobody = Payer::default();
    let one = |(id, event): &(EventId, Arc<Event>)| {
        let counted = ledger.counted(*id)?;
        let payer = payers.get(&event.report.subject).unwrap_or(&nobody);
        let outcome = outcome(set, event, &counted.used, payer);
        Ok(Rated { id: *id, event: event.clone(), before: counted.used, outcome })
    };
    thread::scope(|scope| {
        let shares = batch.chunks(share).map(|share| {
            scope.spawn(move || share.iter().map(one).collect::<Result<Vec<_>, LedgerError>>())
        });
        let shares: Vec<_> = shares.collect();
        let mut rated = Vec::with_capacity(batch.len());
        for share in shares {
            match share.join() {
                Ok(share) => rated.extend(share?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(rated)
    })
}

/// What an event costs now. What a policy rejects it does not price.
fn outcome(set: &PolicySet, event: &Event, used: &Use, payer: &Payer) -> Outcome {
    if event.report.cost_given {
        return Outcome::Given;
    }
    match reprice(set, event, used, &used.usage, None, payer) {
        Ok(Repriced { given: true, .. }) => Outcome::Given,
        Ok(Repriced { cost: Some(cost), charges, .. }) => Outcome::Priced { cost, charges },
        Ok(Repriced { cost: None, .. }) | Err(_) => Outcome::Unpriced,
    }
}

impl Rated {
    fn is_changed(&self) -> bool {
        matches!(&self.outcome, Outcome::Priced { cost, .. } if self.before.cost != Some(*cost))
    }

    fn cost(&self) -> Usd {
        match &self.outcome {
            Outcome::Priced { cost, .. } => *cost,
            Outcome::Unpriced | Outcome::Given => self.before.cost.unwrap_or_default(),
        }
    }
}

impl Rerated {
    fn add(&mut self, rated: &Rated, plan: Option<PlanId>) -> Result<(), Error> {
        let report = &rated.event.report;
        let (provider, model) = (report.provider.clone(), report.model.clone());
        let group = self.groups.entry(Group { provider, model, plan }).or_default();
        group.add(rated)?;
        self.sum.add(rated)
    }
}

impl Sum {
    fn add(&mut self, rated: &Rated) -> Result<(), Error> {
        let overflow = || Error::from(LedgerError::from(Overflow));
        self.events += 1;
        self.changed += u64::from(rated.is_changed());
        self.newly_priced += u64::from(rated.is_changed() && rated.before.cost.is_none());
        self.unpriced += u64::from(matches!(rated.outcome, Outcome::Unpriced));
        self.given += u64::from(matches!(rated.outcome, Outcome::Given));
        let before = rated.before.cost.unwrap_or_default();
        self.old = self.old.checked_add(before).ok_or_else(overflow)?;
        self.new = self.new.checked_add(rated.cost()).ok_or_else(overflow)?;
        Ok(())
    }
}
