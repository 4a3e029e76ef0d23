//! Reservations: where the unit lies that changed each last, and which are held.
//!
//! The blocks have all of a reservation: its beginning in one unit, and its end in another. So no
//! row repeats it, and places are all that is written behind the commits. Which are held is told
//! by an index of its own, so that a root is loaded without a look at what has ended. The index
//! may list too many, after a crash or where an end is in another run, and never too few; places
//! decide.

use std::sync::Arc;

use tollgate_domain::{RootId, Timestamp};

use super::place::Place;
use super::runs::{Element, Kind, RunKey};
use super::{Key, Rows};
use crate::reservation::{Outcome, Reservation, ReservationId};
use crate::store::StoreError;
use crate::store::sled::block::Opened;
use crate::store::sled::overlay::Changed;

/// The place of every reservation, until it is forgotten by its creation in milliseconds.
pub const PLACES: Kind = Kind {
    rows: b'R',
    filters: b'r',
    asked_bytes: size_of::<RunKey>(),
    is_last: |value| Place::of_value(value).is_last,
    last_is_forgotten: false,
    until: |element| ReservationId::of_root_first(element.key).created_at_millis(),
};

/// Which reservations are held, until they expire or are known to have ended; found by their
/// root's hash.
pub const HELD: Kind = Kind {
    rows: b'O',
    filters: b'o',
    asked_bytes: 4,
    is_last: |value| value & 1 == 1,
    last_is_forgotten: true,
    until: |element| element.value >> 1,
};

impl Rows {
    /// Adds what became of reservations, in the order of their roots' hashes and then of their
    /// creation.
    pub(super) fn add_reservations<'a>(
        &self,
        changed: impl ExactSizeIterator<Item = &'a Changed> + Clone,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        // The index after what it leads to.
        self.places.add(changed.clone().map(place))?;
        let held: Vec<_> = changed.filter_map(|changed| held(changed, now)).collect();
        self.held.add(held.into_iter())
    }

    pub fn reservation(&self, id: ReservationId) -> Result<Option<Arc<Reservation>>, StoreError> {
        let Some(place) = self.place(id)? else { return Ok(None) };
        read(id, place, self.opened(place.unit.block)?.as_ref()).map(Some)
    }

    /// The reservations held at `now` beneath a root, and some beneath others of the same hash,
    /// save those that are left out.
    pub fn held_reservations(
        &self,
        root: &RootId,
        now: Timestamp,
        is_left_out: impl Fn(ReservationId) -> bool,
    ) -> Result<Vec<Arc<Reservation>>, StoreError> {
        let mut places = Vec::new();
        for element in self.held.beginning_with(&ReservationId::root_hash(root))? {
            let id = ReservationId::of_root_first(element.key);
            let is_over = (HELD.is_last)(element.value);
            let is_expired = (HELD.until)(&element) <= micros(now);
            if !is_over && !is_expired && !is_left_out(id) {
                places.extend(self.place(id)?.map(|place| (place, id)));
            }
        }
        // Those of one block one after the other, so that it is opened once.
        places.retain(|(place, _)| !place.is_last);
        places.sort_unstable();
        let mut opened = None;
        let mut found = Vec::with_capacity(places.len());
        for (place, id) in places {
            let number = place.unit.block;
            if opened.as_ref().is_none_or(|opened: &Opened| opened.number != number) {
                opened = self.opened(number)?;
            }
            found.push(read(id, place, opened.as_ref())?);
        }
        Ok(found)
    }

    /// All reservations, each with whether it has ended, in no order.
    pub fn all_reservations(
        &self,
    ) -> impl Iterator<Item = Result<(ReservationId, bool), StoreError>> {
        self.places.all().map(|element| {
            let Element { key, value } = element?;
            Ok((ReservationId::of_root_first(key), Place::of_value(value).is_last))
        })
    }

    /// All reservations that are listed as held.
    pub fn all_held(&self) -> impl Iterator<Item = Result<ReservationId, StoreError>> {
        let listed = self.held.all().filter(|element| {
            element.as_ref().map_or(true, |element| !(HELD.is_last)(element.value))
        });
        listed.map(|element| Ok(ReservationId::of_root_first(element?.key)))
    }

    /// Merges what has become of condensing, and may forget the reservations created before
    /// `before`.
    pub fn tidy(&self, before: Timestamp, now: Timestamp) -> Result<(), StoreError> {
        self.names.tidy(0)?;
        self.logs.tidy(0)?;
        self.alerts.tidy(0)?;
        self.places.tidy(before.millis())?;
        self.held.tidy(micros(now))
    }

    fn opened(&self, block: u64) -> Result<Option<Opened>, StoreError> {
        let bytes = self.tree.get(Key::block(block).as_bytes())?;
        bytes.map(|bytes| Opened::new(block, &bytes)).transpose()
    }

    fn place(&self, id: ReservationId) -> Result<Option<Place>, StoreError> {
        Ok(self.places.find(&id.root_first())?.map(Place::of_value))
    }
}

fn place(changed: &Changed) -> Element {
    let Changed { unit, reservation, .. } = changed;
    let place = Place { unit: *unit, is_last: reservation.outcome != Outcome::Open };
    Element { key: reservation.id.root_first(), value: place.value() }
}

/// What there is to note of it for the index. That it ended need not be said where nothing was
/// said before.
fn held(changed: &Changed, now: Timestamp) -> Option<Element> {
    let Changed { reservation, is_new, .. } = changed;
    let is_over = reservation.outcome != Outcome::Open;
    let matters = reservation.expires_at > now && !(is_over && *is_new);
    let value = micros(reservation.expires_at) << 1 | u64::from(is_over);
    matters.then(|| Element { key: reservation.id.root_first(), value })
}

/// Nothing was held before 1970.
fn micros(at: Timestamp) -> u64 {
    u64::try_from(at.micros()).unwrap_or(0)
}

/// A reservation as the unit has made it that changed it last.
fn read(
    id: ReservationId,
    place: Place,
    block: Option<&Opened>,
) -> Result<Arc<Reservation>, StoreError> {
    let Place { unit, .. } = place;
    let entry = block.map(|block| block.entry(unit.index)).transpose()?;
    let reservation = entry.flatten().and_then(|entry| entry.change.reservation(unit));
    reservation
        .filter(|reservation| reservation.id == id)
        .ok_or_else(|| StoreError(format!("the reservation {id} is not where it should be")))
}
