//! What will be made of a film: arithmetic on its header, and nothing else.

use serde::{Deserialize, Serialize};

use crate::{
    Probe, Transfer, Turn, VideoError,
    probe::{Colour, Source},
};

/// Fastest stream that is made; what was filmed faster loses frames, evenly.
const FRAME_RATE_HIGHEST: f64 = 60.0;
/// Frame rates up to this part above the highest are measuring errors of 60.
const FRAME_RATE_SLACK: f64 = 1.01;
/// A source gets a rung of its own size when it is larger by this part than the next rung of the ladder.
const OWN_RUNG_ABOVE: f64 = 1.1;
/// Smallest side an encoder of 4:2:0 takes.
const SIDE_PX_SMALLEST: u32 = 2;

/// What to make.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// Short sides of the ladder in pixels, in any order. Those above the source are left out: nothing is enlarged.
    pub short_sides_px: Vec<u32>,
    /// Threads of the decoder. They change nothing but the time it takes.
    pub threads: usize,
    /// Loudness the sound is brought to, in LUFS.
    pub loudness_lufs: f64,
    /// Only this part of the film.
    pub span: Option<Span>,
}

/// A part of a film, in seconds of its own clock.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// The first moment.
    pub start_s: f64,
    /// The first moment after it.
    pub end_s: f64,
}

/// One size of the ladder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rung {
    /// Its short side and a `p`, such as `720p`.
    pub name: String,
    /// In pixels, even.
    pub width: u32,
    /// In pixels, even.
    pub height: u32,
}

/// Everything that was decided before the first frame is decoded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The rungs, largest first.
    pub rungs: Vec<Rung>,
    /// Whether all of the film is made, not a part.
    pub whole: bool,
    /// Frames a second, at most.
    pub frame_rate: f64,
    /// Whether fields are made into frames.
    pub deinterlaced: bool,
    /// Whether HDR is made into ordinary video.
    pub tone_mapped: bool,
    /// How pixels are turned.
    pub turn: Turn,
    /// The filters, as libav's graph language says them: `[in]` to `[o0]`, `[o1]` and so on, one for each rung.
    pub filters: String,
}

impl Plan {
    /// What an order means for a film.
    ///
    /// # Errors
    /// When the order names no size.
    pub(crate) fn of(source: &Source, order: &Order) -> Result<Self, VideoError> {
        let probe = &source.probe;
        let rungs = rungs(probe, &order.short_sides_px)?;
        let slowed = probe.frame_rate > FRAME_RATE_HIGHEST * FRAME_RATE_SLACK;
        let frame_rate = if slowed {
            probe.frame_rate / (probe.frame_rate / (FRAME_RATE_HIGHEST * FRAME_RATE_SLACK)).ceil()
        } else {
            probe.frame_rate
        };
        let tone_mapped = probe.transfer != Transfer::Sdr;
        let mut plan = Self {
            rungs,
            whole: order.span.is_none(),
            frame_rate,
            deinterlaced: probe.interlaced,
            tone_mapped,
            turn: probe.turn,
            filters: String::new(),
        };
        plan.filters = plan.chain(source, slowed);
        Ok(plan)
    }

    fn chain(&self, source: &Source, slowed: bool) -> String {
        let mut steps: Vec<String> = Vec::new();
        if self.deinterlaced {
            steps.push("bwdif=mode=send_frame:deint=interlaced".to_owned());
        }
        if slowed {
            steps.push(format!("fps={:.6}", self.frame_rate));
        }
        steps.push(self.first_scale(source));
        if self.tone_mapped {
            steps.push(tone_map(source.probe.transfer));
        }
        steps.push("format=yuv420p".to_owned());
        steps.extend(self.turn.filter().map(str::to_owned));
        steps.push("setsar=1".to_owned());
        let last = self.rungs.len().saturating_sub(1);
        let chain = |(i, rung): (usize, &Rung)| {
            let begin = match i {
                0 => format!("[in]{}", steps.join(",")),
                _ => format!("[c{i}]scale={}:{}:flags=bicubic", rung.width, rung.height),
            };
            let end = if i < last { format!(",split=2[o{i}][c{}]", i + 1) } else { format!("[o{i}]") };
            begin + &end
        };
        // Each rung is made from the one above it: a fifth less work than from the source, and nothing the eye sees.
        let chains: Vec<String> = self.rungs.iter().enumerate().map(chain).collect();
        chains.join(";")
    }

    /// To the size and the colours of the largest rung. Where the source has both, the filter hands frames through; it
    /// stands there nevertheless, because a stream may change its size in the middle.
    fn first_scale(&self, source: &Source) -> String {
        let (width, height) = self.rungs.first().map_or((0, 0), |largest| (largest.width, largest.height));
        let (width, height) = if self.turn.swaps_sides() { (height, width) } else { (width, height) };
        let size = format!("scale={width}:{height}:flags=bicubic");
        let Colour { matrix, full_range } = source.colour;
        if self.tone_mapped || (source.plain_pixels && matrix == "bt709" && !full_range) {
            return size;
        }
        let range = if full_range { "pc" } else { "tv" };
        format!("{size}:in_color_matrix={matrix}:in_range={range}:out_color_matrix=bt709:out_range=tv")
    }
}

/// Light is made linear, brought to the colours of ordinary screens, and its brightest part bent into their range.
fn tone_map(transfer: Transfer) -> String {
    let transfer = if transfer == Transfer::Pq { "smpte2084" } else { "arib-std-b67" };
    format!(
        "zscale=tin={transfer}:min=bt2020nc:pin=bt2020:rin=tv:t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,\
         tonemap=tonemap=hable:desat=0,zscale=t=bt709:m=bt709:r=tv"
    )
}

fn rungs(probe: &Probe, short_sides_px: &[u32]) -> Result<Vec<Rung>, VideoError> {
    let short = probe.width.min(probe.height);
    let largest = short_sides_px.iter().copied().max().filter(|side| *side >= SIDE_PX_SMALLEST);
    let largest = largest.ok_or_else(|| VideoError::BadOrder { detail: "it names no size".to_owned() })?;
    let mut sides: Vec<u32> =
        short_sides_px.iter().copied().filter(|side| (SIDE_PX_SMALLEST..=short).contains(side)).collect();
    sides.sort_unstable_by(|a, b| b.cmp(a));
    sides.dedup();
    let next = sides.first().copied().unwrap_or_default();
    if short < largest && f64::from(short) > f64::from(next) * OWN_RUNG_ABOVE {
        sides.insert(0, short);
    }
    let mut rungs: Vec<Rung> = sides.into_iter().map(|side| rung(probe, short, side)).collect();
    // Two sizes of a tiny film may round to the same even numbers.
    rungs.dedup_by(|a, b| (a.width, a.height) == (b.width, b.height));
    Ok(rungs)
}

fn rung(probe: &Probe, short: u32, side: u32) -> Rung {
    let scaled = |of: u32| {
        let doubled = 2 * u64::from(short.max(1));
        let nearest = (u64::from(of) * u64::from(side) + doubled / 2) / doubled * 2;
        // Even, and never above the source's own side, which may be odd.
        (nearest as u32).min(of / 2 * 2).max(SIDE_PX_SMALLEST)
    };
    let (width, height) = (scaled(probe.width), scaled(probe.height));
    Rung { name: format!("{side}p"), width, height }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::AudioProbe;

    const LADDER: [u32; 6] = [360, 480, 720, 1080, 1440, 2160];

    fn film(width: u32, height: u32) -> Source {
        Source {
            probe: Probe {
                container: "mov".to_owned(),
                duration_ms: Some(10_000),
                width,
                height,
                stored_width: width,
                stored_height: height,
                turn: Turn::Upright,
                frame_rate: 30.0,
                variable_frame_rate: false,
                codec: "h264".to_owned(),
                pixel_format: "yuv420p".to_owned(),
                interlaced: false,
                transfer: Transfer::Sdr,
                audio: Some(AudioProbe { codec: "aac".to_owned(), channels: 2, sample_rate: 48_000 }),
            },
            video: 0,
            audio: Some(1),
            colour: Colour { matrix: "bt709", full_range: false },
            plain_pixels: true,
        }
    }

    fn order() -> Order {
        Order { short_sides_px: LADDER.to_vec(), threads: 2, loudness_lufs: -16.0, span: None }
    }

    fn names(source: &Source) -> Vec<String> {
        Plan::of(source, &order()).unwrap().rungs.into_iter().map(|rung| rung.name).collect()
    }

    #[test]
    fn a_ladder_ends_at_the_source() {
        assert_eq!(names(&film(1920, 1080)), ["1080p", "720p", "480p", "360p"]);
        assert_eq!(names(&film(1080, 1920)), ["1080p", "720p", "480p", "360p"]);
        assert_eq!(names(&film(320, 240)), ["240p"]);
        assert_eq!(names(&film(7680, 4320)), ["2160p", "1440p", "1080p", "720p", "480p", "360p"]);
    }

    #[test]
    fn a_source_between_rungs_keeps_its_size_unless_that_is_all_but_a_rung() {
        assert_eq!(names(&film(1920, 1036))[0], "1036p");
        assert_eq!(names(&film(1300, 730))[0], "720p");
    }

    #[test]
    fn a_film_that_fits_as_it_is_goes_through_untouched() {
        let mut one = order();
        one.short_sides_px = vec![720];
        let plan = Plan::of(&film(1280, 720), &one).unwrap();
        assert_eq!(plan.filters, "[in]scale=1280:720:flags=bicubic,format=yuv420p,setsar=1[o0]");
    }

    #[test]
    fn rungs_are_made_from_one_another_after_turning_once() {
        let mut source = film(1080, 1920);
        (source.probe.stored_width, source.probe.stored_height) = (1920, 1080);
        source.probe.turn = Turn::Clockwise;
        let mut two = order();
        two.short_sides_px = vec![360, 720];
        let plan = Plan::of(&source, &two).unwrap();
        assert!(plan.filters.starts_with("[in]scale=1280:720:"), "{}", plan.filters);
        let end =
            ",format=yuv420p,transpose=clock,setsar=1,split=2[o0][c1];[c1]scale=360:640:flags=bicubic[o1]";
        assert!(plan.filters.ends_with(end), "{}", plan.filters);
    }

    #[test]
    fn what_was_filmed_too_fast_loses_whole_frames() {
        let mut source = film(1280, 720);
        source.probe.frame_rate = 240.0;
        let plan = Plan::of(&source, &order()).unwrap();
        assert!(plan.filters.contains("fps=60.0") && (plan.frame_rate - 60.0).abs() < 0.01, "{plan:?}");
        source.probe.frame_rate = 59.94;
        assert!(!Plan::of(&source, &order()).unwrap().filters.contains("fps"));
    }

    #[test]
    fn an_order_without_sizes_is_refused() {
        let mut none = order();
        none.short_sides_px.clear();
        assert_eq!(Plan::of(&film(64, 64), &none).unwrap_err().code(), "bad_order");
    }

    proptest! {
        #[test]
        fn rungs_are_even_descending_never_enlarged_and_keep_the_shape(width in 2_u32..8_000, height in 2_u32..8_000) {
            let plan = Plan::of(&film(width, height), &order()).unwrap();
            prop_assert!(!plan.rungs.is_empty());
            for rung in &plan.rungs {
                prop_assert!(rung.width % 2 == 0 && rung.height % 2 == 0);
                prop_assert!(2 <= rung.width && rung.width <= width && 2 <= rung.height && rung.height <= height);
                let (shape, kept) = (f64::from(width) / f64::from(height), f64::from(rung.width) / f64::from(rung.height));
                let slack = 3.0 / f64::from(rung.width.min(rung.height));
                prop_assert!((kept / shape - 1.0).abs() <= slack, "{shape} became {kept}");
            }
            for pair in plan.rungs.windows(2) {
                prop_assert!(pair[0].width >= pair[1].width && pair[0].height >= pair[1].height);
                prop_assert_ne!((pair[0].width, pair[0].height), (pair[1].width, pair[1].height));
            }
            let outputs = plan.filters.matches("[o").count();
            prop_assert_eq!(outputs, plan.rungs.len());
        }
    }
}
