//! Time as streams count it: whole ticks of a fraction of a second. Nothing is rounded until it is written down.

use ffmpeg_next::Rational;
use serde::{Deserialize, Serialize};

/// Seconds between key frames, in every rung alike.
pub(crate) const GOP_S: i64 = 2;
/// Seconds of a segment; a multiple of [`GOP_S`], so that segments begin with key frames.
pub(crate) const SEGMENT_S: i64 = 6;

/// The length of a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TimeBase {
    num: i64,
    den: i64,
}

impl TimeBase {
    pub(crate) fn new(num: i64, den: i64) -> Self {
        Self { num: num.max(1), den: den.max(1) }
    }

    pub(crate) fn seconds(self, ticks: i64) -> f64 {
        ticks as f64 * self.num as f64 / self.den as f64
    }

    /// The nearest tick.
    pub(crate) fn ticks(self, seconds: f64) -> i64 {
        (seconds * self.den as f64 / self.num as f64).round() as i64
    }

    /// Ticks of this length as ticks of which a second has `per_second`. Exact where the one divides the other, as it does
    /// in files that our muxer wrote.
    pub(crate) fn rescaled(self, ticks: i64, per_second: u32) -> i64 {
        (i128::from(ticks) * i128::from(self.num) * i128::from(per_second)).div_euclid(i128::from(self.den))
            as i64
    }

    /// Which stretch of `stretch_s` seconds a tick lies in, counted from 0.
    pub(crate) fn stretch(self, ticks: i64, stretch_s: i64) -> i64 {
        let (num, den) = (i128::from(self.num), i128::from(self.den));
        (i128::from(ticks) * num).div_euclid(i128::from(stretch_s) * den) as i64
    }

    pub(crate) fn rational(self) -> Rational {
        Rational::new(self.num as i32, self.den as i32)
    }
}

impl From<Rational> for TimeBase {
    fn from(rational: Rational) -> Self {
        Self::new(i64::from(rational.numerator()), i64::from(rational.denominator()))
    }
}

/// Says which frames begin a group: the first at or after every second second. It looks at nothing but time stamps, so
/// every rung of a ladder decides alike, at any frame rate and at none.
#[derive(Debug, Clone)]
pub(crate) struct KeyFrames {
    base: TimeBase,
    group: Option<i64>,
}

impl KeyFrames {
    pub(crate) fn new(base: TimeBase) -> Self {
        Self { base, group: None }
    }

    /// Whether the frame at `ticks` since the beginning has to be a key frame. Asked once for each, in order.
    pub(crate) fn begins(&mut self, ticks: i64) -> bool {
        let group = Some(self.base.stretch(ticks, GOP_S));
        let begins = group != self.group;
        self.group = group;
        begins
    }
}

/// Follows the time stamps of pictures. Those that do not move forward are left out, by every rung the same ones.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pace {
    first: Option<i64>,
    last: i64,
    delta: Option<i64>,
}

impl Pace {
    /// Follows a film whose first picture came at `first`, from somewhere in its middle; from its beginning where there
    /// is none.
    pub(crate) fn since(first: Option<i64>) -> Self {
        match first {
            Some(_) => Self { first, last: -1, delta: None },
            None => Self::default(),
        }
    }

    /// When a picture is shown, in ticks since the first; none when it has to be left out.
    pub(crate) fn take(&mut self, pts: Option<i64>) -> Option<i64> {
        let Some(first) = self.first else {
            self.first = Some(pts.unwrap_or_default());
            return Some(0);
        };
        let at = pts? - first;
        if at <= self.last {
            return None;
        }
        self.delta = Some(at - self.last);
        self.last = at;
        Some(at)
    }

    /// The time stamp of the first picture.
    pub(crate) fn first(&self) -> Option<i64> {
        self.first
    }

    /// When the last picture ends: it is shown as long as the one before it, and for one beat of the film at most.
    pub(crate) fn end(&self, base: TimeBase, frame_rate: f64) -> i64 {
        let beat = base.ticks(1.0 / frame_rate).max(1);
        self.last + self.delta.map_or(beat, |delta| delta.min(beat))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_every_two_seconds_at_broadcast_rates() {
        let base = TimeBase::new(1001, 30_000);
        let mut keys = KeyFrames::new(base);
        let begun: Vec<i64> = (0..300).filter(|frame| keys.begins(*frame)).collect();
        assert_eq!(begun, [0, 60, 120, 180, 240]);
    }

    #[test]
    fn a_pause_in_the_film_skips_keys_but_never_doubles_them() {
        let mut keys = KeyFrames::new(TimeBase::new(1, 1000));
        let begun: Vec<bool> = [0, 40, 9_000, 9_040, 10_000].map(|at| keys.begins(at)).into();
        assert_eq!(begun, [true, false, true, false, true]);
    }

    #[test]
    fn a_pace_counts_from_its_first_picture_and_never_goes_back() {
        let mut pace = Pace::default();
        let taken: Vec<Option<i64>> = [100, 140, 140, 120, 180].map(|pts| pace.take(Some(pts))).into();
        assert_eq!(taken, [Some(0), Some(40), None, None, Some(80)]);
        assert_eq!(pace.end(TimeBase::new(1, 1000), 30.0), 113);
    }

    #[test]
    fn a_pace_that_begins_in_the_middle_counts_from_the_first_picture_of_all() {
        let mut pace = Pace::since(Some(100));
        let taken: Vec<Option<i64>> = [5_100, 5_140, 5_140].map(|pts| pace.take(Some(pts))).into();
        assert_eq!(taken, [Some(5_000), Some(5_040), None]);
        assert_eq!(Pace::since(None).take(Some(100)), Some(0));
    }

    #[test]
    fn one_picture_lasts_one_beat() {
        let mut pace = Pace::default();
        assert_eq!(pace.take(None), Some(0));
        assert_eq!(pace.end(TimeBase::new(1, 1000), 25.0), 40);
    }

    #[test]
    fn ticks_and_seconds_are_each_others_inverse() {
        let base = TimeBase::new(1, 90_000);
        for ticks in [0, 1, 89_999, 123_456_789] {
            assert_eq!(base.ticks(base.seconds(ticks)), ticks);
        }
    }
}
