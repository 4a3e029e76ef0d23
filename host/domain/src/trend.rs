//! Where a series of months leads.

use crate::amount::Amount;

/// What later months are compared with earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trend {
    Increasing,
    Stable,
    Decreasing,
}

impl Trend {
    /// How the later half of some months compares with the earlier half, the oldest first; of an
    /// odd number the one in the middle counts in neither. A tenth more is an increase, a tenth
    /// less a decrease, and anything after nothing is an increase.
    ///
    /// The last month is still under way, and can only grow: it counts where even what it has come
    /// to so far makes an increase, and is left out where it would not.
    pub fn of(months: &[Amount]) -> Self {
        match Self::of_whole(months) {
            Self::Increasing => Self::Increasing,
            Self::Stable | Self::Decreasing => {
                Self::of_whole(months.split_last().map_or(&[], |(_, whole)| whole))
            }
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Increasing => "increasing",
            Self::Stable => "stable",
            Self::Decreasing => "decreasing",
        }
    }

    fn of_whole(months: &[Amount]) -> Self {
        let half = months.len() / 2;
        let sum = |months: &[Amount]| {
            months.iter().fold(Amount::ZERO, |sum, amount| sum.saturating_add(*amount))
        };
        let (earlier, later) = (sum(&months[..half]), sum(&months[months.len() - half..]));
        let times = |amount: Amount, count| amount.checked_times(count);
        // What is too large to compare exactly is compared as it is.
        let more = |least, most| match (times(least, 11), times(most, 10)) {
            (Some(least), Some(most)) => most > least,
            _ => most > least,
        };
        let less = |least, most| match (times(least, 10), times(most, 9)) {
            (Some(least), Some(most)) => least < most,
            _ => least < most,
        };
        if more(earlier, later) {
            Self::Increasing
        } else if less(later, earlier) {
            Self::Decreasing
        } else {
            Self::Stable
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_later_half_is_compared_with_the_earlier_one() {
        for (months, trend) in [
            (&[][..], Trend::Stable),
            (&[7], Trend::Stable),
            (&[10, 20], Trend::Increasing),
            (&[0, 1], Trend::Increasing),
            (&[1, 2, 3, 4, 5, 6], Trend::Increasing),
            (&[6, 5, 4, 3, 2, 1], Trend::Decreasing),
            (&[100, 110, 0], Trend::Stable),
            (&[100, 111, 0], Trend::Increasing),
            (&[100, 90, 0], Trend::Stable),
            (&[100, 89, 0], Trend::Decreasing),
            (&[0, 0, 0, 0], Trend::Stable),
        ] {
            let months: Vec<_> = months.iter().map(|count| Amount::from(*count)).collect();
            assert_eq!(Trend::of(&months), trend, "{months:?}");
        }
    }

    #[test]
    fn a_month_under_way_makes_no_decrease() {
        let months = |last: u64| [10, 10, 10, 10, 10, last].map(Amount::from);
        assert_eq!(Trend::of(&months(1)), Trend::Stable);
        assert_eq!(Trend::of(&months(40)), Trend::Increasing);
    }

    #[test]
    fn what_is_too_large_to_multiply_is_still_compared() {
        let largest: Amount = "170141183460469231731.687303715884105727".parse().unwrap();
        assert_eq!(Trend::of(&[Amount::from(1), largest]), Trend::Increasing);
        assert_eq!(Trend::of(&[largest, Amount::from(1), Amount::ZERO]), Trend::Decreasing);
    }
}
