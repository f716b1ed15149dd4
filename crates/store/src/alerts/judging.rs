//! When something has been so for long enough to tell of it.

use chrono::{DateTime, TimeDelta, Utc};

/// What is measured is not looked at for longer than this only when nobody looks at all; what was then is not known.
const GAP_MAX: TimeDelta = TimeDelta::minutes(2);

/// What a rule knows of the time before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Before {
    /// Its alert is open.
    pub(super) is_firing: bool,
    /// Since when what is measured says otherwise.
    pub(super) turning_since: Option<DateTime<Utc>>,
    /// When it was looked at last.
    pub(super) looked_at: Option<DateTime<Utc>>,
}

/// What a look comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judged {
    /// It is as it was told.
    Stays,
    /// It is otherwise since then, and not for long enough.
    Turning(DateTime<Utc>),
    /// It is otherwise for long enough.
    Turned,
}

/// What it comes to that at `now` the threshold is reached, or is not. One look that says otherwise begins the time anew.
pub(super) fn judge(before: Before, is_over: bool, wait: TimeDelta, now: DateTime<Utc>) -> Judged {
    if is_over == before.is_firing {
        return Judged::Stays;
    }
    let is_watched = before.looked_at.is_some_and(|at| now - at <= GAP_MAX);
    let since = before.turning_since.filter(|_| is_watched).unwrap_or(now);
    if now - since >= wait { Judged::Turned } else { Judged::Turning(since) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: TimeDelta = TimeDelta::seconds(60);

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    /// Looks every fifteen seconds; at which of them what was told changed.
    fn turns(looks: &[bool]) -> Vec<usize> {
        let mut before = Before { is_firing: false, turning_since: None, looked_at: None };
        let mut turns = Vec::new();
        for (nth, is_over) in looks.iter().enumerate() {
            let now = at(15 * nth as i64);
            before.turning_since = match judge(before, *is_over, WAIT, now) {
                Judged::Stays => None,
                Judged::Turning(since) => Some(since),
                Judged::Turned => {
                    before.is_firing = !before.is_firing;
                    turns.push(nth);
                    None
                }
            };
            before.looked_at = Some(now);
        }
        turns
    }

    #[test]
    fn it_fires_and_ends_once_it_has_been_so_for_long_enough() {
        assert_eq!(turns(&[true; 4]), [0; 0]);
        assert_eq!(turns(&[true; 9]), [4]);
        assert_eq!(turns(&[[true; 5], [false; 5]].concat()), [4, 9]);
    }

    #[test]
    fn what_goes_up_and_down_is_told_once() {
        let flapping: Vec<bool> = (0..40).map(|nth| nth % 2 == 0).collect();
        assert_eq!(turns(&flapping), [0; 0], "it never lasts");
        let firing = [vec![true; 5], flapping].concat();
        assert_eq!(turns(&firing), [4], "and never ends");
    }

    #[test]
    fn nobody_is_told_of_time_in_which_nobody_looked() {
        let before = Before { is_firing: false, turning_since: Some(at(0)), looked_at: Some(at(15)) };
        assert_eq!(judge(before, true, WAIT, at(3_600)), Judged::Turning(at(3_600)));
        assert_eq!(judge(before, true, WAIT, at(75)), Judged::Turned);
        assert_eq!(
            judge(before, true, TimeDelta::zero(), at(3_600)),
            Judged::Turned,
            "unless it need not last"
        );
    }
}
