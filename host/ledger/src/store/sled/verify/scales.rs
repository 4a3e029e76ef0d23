//! Sums of use as single numbers, so that many sums can be compared at little room.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash, Hasher};

use tollgate_domain::{ModelId, ProviderId};

use super::difference::numbers;
use crate::store::Fact;
use crate::totals::{Table, Totals};

/// Weighs use so that weights add up as use does, and that no two sums which differ weigh the
/// same by any chance to speak of: each number counts times a random one that goes with its name.
#[derive(Default)]
pub struct Scales([RandomState; 2]);

impl Scales {
    /// What a fact adds to the weight of the place where it counts.
    pub fn weigh_fact(&self, place: impl Hash + Copy, fact: &Fact) -> u128 {
        let weigh = |totals: &Totals| self.weigh(place, fact.provider(), fact.model(), totals);
        match fact {
            Fact::Event(event) => weigh(&Totals::of_event(event)),
            Fact::Correction(correction) => {
                let [before, after] = correction.totals();
                weigh(&after).wrapping_sub(weigh(&before))
            }
        }
    }

    pub fn weigh_table(&self, place: impl Hash + Copy, table: &Table) -> u128 {
        table.cells().iter().fold(0, |sum: u128, cell| {
            let weight = self.weigh(place, &cell.provider, cell.model.as_ref(), &cell.totals);
            sum.wrapping_add(weight)
        })
    }

    fn weigh(
        &self,
        place: impl Hash,
        provider: &ProviderId,
        model: Option<&ModelId>,
        totals: &Totals,
    ) -> u128 {
        let cell = self.0.each_ref().map(|scale| {
            let mut hasher = scale.build_hasher();
            (&place, provider, model).hash(&mut hasher);
            hasher
        });
        numbers(totals).fold(0, |weight: u128, (name, number)| {
            let [high, low] = cell.clone().map(|mut hasher| {
                name.hash(&mut hasher);
                u128::from(hasher.finish())
            });
            let factor = high << 64 | low;
            weight.wrapping_add(factor.wrapping_mul(number.attos().cast_unsigned()))
        })
    }
}
