//! How loud a film is (EBU R 128), and what to do about it.

use ebur128::{EbuR128, Mode};
use serde::{Deserialize, Serialize};

use crate::VideoError;

/// What the loudest moment may reach, in decibels below full scale. What encoding adds stays below the −1 dB that
/// platforms ask for.
const PEAK_DB_HIGHEST: f64 = -1.5;
/// Quieter than this is silence: nothing in it is worth making louder.
const SILENCE_LUFS: f64 = -60.0;
/// A quiet room is not to roar.
const GAIN_DB_HIGHEST: f64 = 20.0;
/// Changes smaller than this are not heard.
const GAIN_DB_HEARD: f64 = 0.1;

/// How loud a film was.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Loudness {
    /// Over its whole length, in LUFS; none for silence.
    pub integrated_lufs: Option<f64>,
    /// Its highest true peak, in decibels of full scale; none for digital silence.
    pub true_peak_db: Option<f64>,
}

/// What is done to the sound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Gain {
    pub(crate) db: f64,
    /// Whether peaks have to be held down after it.
    pub(crate) limited: bool,
}

impl Gain {
    /// The gain that brings `loudness` to `target_lufs`.
    pub(crate) fn to(target_lufs: f64, loudness: Loudness) -> Self {
        let none = Self { db: 0.0, limited: false };
        let Some(integrated) = loudness.integrated_lufs.filter(|lufs| *lufs > SILENCE_LUFS) else {
            return none;
        };
        let db = (target_lufs - integrated).min(GAIN_DB_HIGHEST);
        let db = if db.abs() < GAIN_DB_HEARD { 0.0 } else { db };
        let peak = loudness.true_peak_db.unwrap_or(0.0) + db;
        Self { db, limited: peak > PEAK_DB_HIGHEST }
    }

    /// As libav's filters say it.
    pub(crate) fn filters(self) -> String {
        let volume = format!("volume={:.3}dB:precision=float", self.db);
        if self.limited {
            let highest = 10_f64.powf(PEAK_DB_HIGHEST / 20.0);
            format!("{volume},alimiter=limit={highest:.5}:attack=5:release=50:level=0:latency=1")
        } else {
            volume
        }
    }
}

/// Listens.
pub(crate) struct Meter {
    meter: EbuR128,
    channels: u32,
}

impl Meter {
    pub(crate) fn new(channels: u32, rate: u32) -> Result<Self, VideoError> {
        let meter = EbuR128::new(channels, rate, Mode::I | Mode::TRUE_PEAK).map_err(broken)?;
        Ok(Self { meter, channels })
    }

    /// One slice for each channel.
    pub(crate) fn hear(&mut self, channels: &[&[f32]]) -> Result<(), VideoError> {
        self.meter.add_frames_planar_f32(channels).map_err(broken)
    }

    pub(crate) fn loudness(&self) -> Result<Loudness, VideoError> {
        let mut peak: f64 = 0.0;
        for channel in 0..self.channels {
            peak = peak.max(self.meter.true_peak(channel).map_err(broken)?);
        }
        let integrated = self.meter.loudness_global().map_err(broken)?;
        Ok(Loudness {
            integrated_lufs: integrated.is_finite().then_some(integrated),
            true_peak_db: (peak > 0.0).then(|| 20.0 * peak.log10()),
        })
    }
}

fn broken(error: ebur128::Error) -> VideoError {
    VideoError::Encode { step: "measuring the sound", detail: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loudness(integrated: f64, peak: f64) -> Loudness {
        Loudness { integrated_lufs: Some(integrated), true_peak_db: Some(peak) }
    }

    #[test]
    fn a_quiet_film_is_raised_and_its_peaks_are_held_only_when_they_would_clip() {
        assert_eq!(Gain::to(-16.0, loudness(-26.0, -20.0)), Gain { db: 10.0, limited: false });
        assert_eq!(Gain::to(-16.0, loudness(-26.0, -6.0)), Gain { db: 10.0, limited: true });
        assert_eq!(Gain::to(-16.0, loudness(-9.0, 0.5)), Gain { db: -7.0, limited: false });
    }

    #[test]
    fn silence_stays_silent_and_noise_is_not_made_a_roar() {
        let silence = Loudness { integrated_lufs: None, true_peak_db: None };
        assert_eq!(Gain::to(-16.0, silence), Gain { db: 0.0, limited: false });
        assert!(Gain::to(-16.0, loudness(-65.0, -50.0)).db.abs() < f64::EPSILON);
        assert!((Gain::to(-16.0, loudness(-50.0, -40.0)).db - GAIN_DB_HIGHEST).abs() < f64::EPSILON);
    }

    #[test]
    fn a_sine_is_as_loud_as_the_standard_says() {
        let mut meter = Meter::new(2, 48_000).unwrap();
        let sine: Vec<f32> = (0..48_000 * 3)
            .map(|i| (f64::from(i) * 1_000.0 * std::f64::consts::TAU / 48_000.0).sin() as f32 * 0.1)
            .collect();
        meter.hear(&[&sine, &sine]).unwrap();
        let loudness = meter.loudness().unwrap();
        // EBU Tech 3341: a stereo sine of 1 kHz measures its peak in decibels.
        assert!((loudness.integrated_lufs.unwrap() + 20.0).abs() < 0.1, "{loudness:?}");
        assert!((loudness.true_peak_db.unwrap() + 20.0).abs() < 0.2, "{loudness:?}");
    }
}
