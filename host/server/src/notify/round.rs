//! What is due: looked up, and put together by place.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

use tollgate_domain::{Channel, ChannelKind, Preferences, SubjectId, Timestamp};
use tollgate_ledger::{Delivery, DeliveryId, LedgerError, Listed, Progress};

use super::message::{Item, Message};
use super::{Notifier, PLACES_MAX};

/// So many deliveries at most are taken for one place at a time, and go as one digest.
const OF_PLACE_MAX: usize = 100;

/// So many for all places of a kind.
const OF_KIND_MAX: usize = 512;

/// What goes to one place.
pub struct Batch {
    pub channel: Channel,
    pub preferences: Arc<Preferences>,
    pub messages: Vec<Message>,
    /// What is to be noted without any attempt.
    pub noted: Vec<(DeliveryId, Progress)>,
}

type Place = (Option<SubjectId>, Channel);

/// What is due at places that nothing else goes to at the moment, which it does from now on.
/// Blocks.
pub fn look(notifier: &Notifier) -> Result<Vec<Batch>, LedgerError> {
    let mut batches = Vec::new();
    for kind in ChannelKind::ALL {
        batches.extend(look_for(notifier, kind)?);
    }
    Ok(batches)
}

fn look_for(notifier: &Notifier, kind: ChannelKind) -> Result<Vec<Batch>, LedgerError> {
    let busy: Vec<_> =
        notifier.busy.lock().iter().filter(|channel| channel.kind() == kind).cloned().collect();
    let free = PLACES_MAX.saturating_sub(busy.len());
    let now = notifier.clock.now();
    let since = Cell::new(None::<Timestamp>);
    let places = RefCell::new(HashMap::<Place, usize>::new());
    let is_wanted = |_: DeliveryId, delivery: &Delivery| {
        let due_at = delivery.due_at;
        since.set(Some(since.get().map_or(due_at, |since| since.min(due_at))));
        let mut places = places.borrow_mut();
        let place = (delivery.owner.clone(), delivery.channel.clone());
        // The same address may stand in the preferences of several levels.
        let is_busy = busy.contains(&place.1)
            || places.keys().any(|other| other.1 == place.1 && other.0 != place.0);
        if is_busy || (places.len() >= free && !places.contains_key(&place)) {
            return false;
        }
        let taken = places.entry(place).or_default();
        *taken += 1;
        *taken <= OF_PLACE_MAX
    };
    let due = notifier.ledger.deliveries_due(kind, now, OF_KIND_MAX, is_wanted)?;
    notifier.counts.note_due_since(kind, since.get());

    let mut by_place: Vec<(Place, Vec<Listed>)> = Vec::new();
    for listed in due {
        let place = (listed.1.owner.clone(), listed.1.channel.clone());
        match by_place.iter_mut().find(|(other, _)| *other == place) {
            Some((_, items)) => items.push(listed),
            None => by_place.push((place, vec![listed])),
        }
    }
    let mut batches = Vec::new();
    for ((owner, channel), items) in by_place {
        batches.push(batch(notifier, owner.as_ref(), channel, items, now)?);
    }
    notifier.busy.lock().extend(batches.iter().map(|batch| batch.channel.clone()));
    Ok(batches)
}

fn batch(
    notifier: &Notifier,
    owner: Option<&SubjectId>,
    channel: Channel,
    due: Vec<Listed>,
    now: Timestamp,
) -> Result<Batch, LedgerError> {
    let preferences = notifier.ledger.preferences(owner)?.unwrap_or_default();
    let (mut noted, mut messages, mut digest) = (vec![], vec![], vec![]);
    for (id, delivery) in due {
        if !preferences.has(&channel) {
            let error = "the address was taken out of the preferences";
            noted.push((id, Progress::failed(error, None)));
            continue;
        }
        let alerted = notifier.ledger.alert(id.alert)?;
        let severity = &alerted.raised.alert.severity;
        let not_before = preferences.not_before(severity, now);
        if not_before > now {
            noted.push((id, Progress::Postponed(not_before)));
            continue;
        }
        let is_of_digest = preferences.digest_of(severity).is_some();
        let item = Item { id, attempts: delivery.attempts, alerted };
        match is_of_digest {
            true => digest.push(item),
            false => messages.push(Message::new(&channel, vec![item])),
        }
    }
    if !digest.is_empty() {
        messages.push(Message::new(&channel, digest));
    }
    Ok(Batch { channel, preferences, messages, noted })
}
