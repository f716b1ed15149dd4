//! The poster: the sharpest of some frames, spread over the film. Black, blurred and fading ones lose by themselves.

use ffmpeg_next::frame::Video;

/// Frames that are looked at.
const CANDIDATES: u32 = 9;
/// Seconds between them when nobody knows how long the film is.
const APART_S: f64 = 2.0;
/// Every so many pixels are looked at, in both directions.
const STRIDE: usize = 2;

/// Chooses.
pub(crate) struct Poster {
    apart_s: f64,
    looked_at: u32,
    best: Option<(f64, Video)>,
}

impl Poster {
    pub(crate) fn new(duration_s: Option<f64>) -> Self {
        let apart_s = duration_s.map_or(APART_S, |seconds| seconds / f64::from(CANDIDATES));
        Self { apart_s, looked_at: 0, best: None }
    }

    /// Whether the turn of a frame at this moment has come.
    pub(crate) fn wants(&self, at_s: f64) -> bool {
        let due = (f64::from(self.looked_at) - 0.5) * self.apart_s;
        self.looked_at <= CANDIDATES && at_s >= due
    }

    /// Looks at a frame, if its turn has come. The first is always looked at: it may be the only one.
    pub(crate) fn offer(&mut self, frame: &Video, at_s: f64) {
        if !self.wants(at_s) {
            return;
        }
        self.looked_at += 1;
        let sharpness =
            sharpness(frame.data(0), frame.stride(0), frame.width() as usize, frame.height() as usize);
        if self.best.as_ref().is_none_or(|(best, _)| sharpness > *best) {
            self.best = Some((sharpness, frame.clone()));
        }
    }

    pub(crate) fn chosen(self) -> Option<Video> {
        self.best.map(|(_, frame)| frame)
    }
}

/// The variance of the Laplacian of brightness: large where there are fine edges.
fn sharpness(luma: &[u8], stride: usize, width: usize, height: usize) -> f64 {
    let (mut count, mut sum, mut squares) = (0_u64, 0_i64, 0_i64);
    for y in (1..height.saturating_sub(1)).step_by(STRIDE) {
        let row = |y: usize| luma.get(y * stride..y * stride + width).unwrap_or_default();
        let (above, here, below) = (row(y - 1), row(y), row(y + 1));
        if above.len() < width || below.len() < width {
            break;
        }
        for x in (1..width.saturating_sub(1)).step_by(STRIDE) {
            let edge = 4 * i64::from(here[x])
                - i64::from(here[x - 1])
                - i64::from(here[x + 1])
                - i64::from(above[x])
                - i64::from(below[x]);
            count += 1;
            sum += edge;
            squares += edge * edge;
        }
    }
    let count = count.max(1) as f64;
    squares as f64 / count - (sum as f64 / count).powi(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(pixel: impl Fn(usize, usize) -> u8) -> Vec<u8> {
        (0..32 * 32).map(|i| pixel(i % 32, i / 32)).collect()
    }

    #[test]
    fn edges_are_sharper_than_slopes_and_slopes_than_nothing() {
        let sharp = |pixels: &[u8]| sharpness(pixels, 32, 32, 32);
        let edges = sharp(&frame(|x, y| if (x / 3 + y / 3) % 2 == 0 { 20 } else { 220 }));
        let slopes = sharp(&frame(|x, _| (x * x / 8) as u8));
        let black = sharp(&frame(|_, _| 16));
        assert!(edges > slopes && slopes >= black, "{edges} {slopes} {black}");
        assert!(black.abs() < f64::EPSILON);
    }

    #[test]
    fn the_smallest_pictures_are_no_trouble() {
        assert!(sharpness(&[1, 2, 3, 4], 2, 2, 2).abs() < f64::EPSILON);
    }
}
