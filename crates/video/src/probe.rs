//! What a source is, from its header alone.

use std::path::Path;

use ffmpeg_next as ffmpeg;
use ffmpeg_next::{
    codec::packet::side_data::Type as SideData,
    color::{Range, Space, TransferCharacteristic},
    format::{context::Input, stream::Disposition},
    media::Type,
};
use serde::{Deserialize, Serialize};

use crate::{
    Limits, Turn, VideoError,
    ffi::{self, StreamFacts},
    open::{AUDIO_CODECS, VIDEO_CODECS, open},
    recorded::{self, Position, Recorded},
};

/// Frames a second above which a header is not believed.
const FRAME_RATE_BELIEVED: f64 = 1_000.0;
/// What is assumed when a file does not say how fast it plays.
const FRAME_RATE_ASSUMED: f64 = 30.0;
/// Mean and nominal frame rate of a steady film differ by less than this part.
const STEADY_WITHIN: f64 = 0.01;

/// How bright a number is meant: the transfer functions of HDR.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transfer {
    /// Ordinary video.
    Sdr,
    /// Perceptual quantiser: HDR10, Dolby Vision.
    Pq,
    /// Hybrid log-gamma: phones, broadcast.
    Hlg,
}

/// What a film is and how it is shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// The container, as libav calls it.
    pub container: String,
    /// Length by the header, in milliseconds.
    pub duration_ms: Option<u64>,
    /// Width as shown: after turning, and with square pixels.
    pub width: u32,
    /// Height as shown.
    pub height: u32,
    /// Width as stored.
    pub stored_width: u32,
    /// Height as stored.
    pub stored_height: u32,
    /// How stored pixels have to be turned.
    pub turn: Turn,
    /// Mean frames a second.
    pub frame_rate: f64,
    /// Whether frames do not come at a steady rate.
    pub variable_frame_rate: bool,
    /// How the picture is coded.
    pub codec: String,
    /// How pixels are stored, as libav calls it.
    pub pixel_format: String,
    /// Whether frames are two fields, taken one after the other.
    pub interlaced: bool,
    /// What brightness means.
    pub transfer: Transfer,
    /// The sound, if it is of a kind we read.
    pub audio: Option<AudioProbe>,
}

/// What the sound of a film is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioProbe {
    /// How it is coded.
    pub codec: String,
    /// How many channels.
    pub channels: u32,
    /// Samples a second.
    pub sample_rate: u32,
}

/// How colours of the source are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Colour {
    /// The matrix, as libav's scaler names it.
    pub(crate) matrix: &'static str,
    /// Whether black is 0, not 16.
    pub(crate) full_range: bool,
}

/// A source whose header has been read and accepted.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) probe: Probe,
    pub(crate) video: usize,
    pub(crate) audio: Option<usize>,
    pub(crate) colour: Colour,
    /// Whether pixels are 8 bits in 4:2:0 already.
    pub(crate) plain_pixels: bool,
}

/// Reads the header of a film and holds it against the limits. Cheap: a few frames are decoded at most.
pub fn probe(source: &Path, limits: &Limits) -> Result<Probe, VideoError> {
    Source::read(source, limits).map(|source| source.probe)
}

/// Everything that is known of a film without decoding it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Inspected {
    /// What it is.
    pub probe: Probe,
    /// How it was recorded.
    pub recorded: Recorded,
    /// Where it was recorded. Personal: to be kept apart from everything else.
    pub position: Option<Position>,
}

/// Reads the header of a film, and what its camera wrote down. As cheap as [`probe()`].
pub fn inspect(source: &Path, limits: &Limits) -> Result<Inspected, VideoError> {
    let (source, input) = Source::open(source, limits)?;
    let (recorded, position) = recorded::read(&input.metadata());
    Ok(Inspected { probe: source.probe, recorded, position })
}

impl Source {
    pub(crate) fn read(path: &Path, limits: &Limits) -> Result<Self, VideoError> {
        Self::open(path, limits).map(|(source, _)| source)
    }

    fn open(path: &Path, limits: &Limits) -> Result<(Self, Input), VideoError> {
        let bytes = std::fs::metadata(path).map_err(VideoError::scratch("looking at the film"))?.len();
        limits.check_bytes(bytes)?;
        let input = open(path, limits.streams_max)?;
        let video = picture_stream(&input)?;
        let facts = ffi::facts(&video);
        if !VIDEO_CODECS.contains(&facts.codec) {
            return Err(VideoError::unsupported(format!("its picture is coded as {}", facts.codec.name())));
        }
        limits.check_size(facts.width, facts.height)?;
        let pixels = facts.pixels.ok_or_else(|| VideoError::damaged("no picture could be decoded"))?;
        let turn = turn(&video);
        let (width, height) = shown(&facts, turn);
        limits.check_size(width, height)?;
        let duration_ms = duration_ms(&input, &video);
        limits.check_duration(duration_ms.unwrap_or_default() as f64 / 1_000.0)?;
        let (frame_rate, variable_frame_rate) = frame_rate(&video);
        let audio = input
            .streams()
            .best(Type::Audio)
            .map(|stream| (stream.index(), ffi::facts(&stream)))
            .filter(|(_, facts)| AUDIO_CODECS.contains(&facts.codec) && facts.channels > 0);
        let probe = Probe {
            container: input.format().name().to_owned(),
            duration_ms,
            width,
            height,
            stored_width: facts.width,
            stored_height: facts.height,
            turn,
            frame_rate,
            variable_frame_rate,
            codec: facts.codec.name().to_owned(),
            pixel_format: pixels.descriptor().map_or("unknown", |pixels| pixels.name()).to_owned(),
            interlaced: facts.interlaced,
            transfer: match facts.transfer {
                TransferCharacteristic::SMPTE2084 => Transfer::Pq,
                TransferCharacteristic::ARIB_STD_B67 => Transfer::Hlg,
                _ => Transfer::Sdr,
            },
            audio: audio.as_ref().map(|(_, facts)| AudioProbe {
                codec: facts.codec.name().to_owned(),
                channels: facts.channels,
                sample_rate: facts.sample_rate,
            }),
        };
        let source = Self {
            video: video.index(),
            audio: audio.map(|(index, _)| index),
            colour: colour(&facts),
            plain_pixels: matches!(pixels, ffmpeg::format::Pixel::YUV420P),
            probe,
        };
        Ok((source, input))
    }
}

/// The moving picture: covers of sound files are coded as video, too.
fn picture_stream(input: &Input) -> Result<ffmpeg::Stream<'_>, VideoError> {
    let moves = |stream: &ffmpeg::Stream<'_>| !stream.disposition().contains(Disposition::ATTACHED_PIC);
    input.streams().best(Type::Video).filter(moves).ok_or(VideoError::NoPicture)
}

fn turn(stream: &ffmpeg::Stream<'_>) -> Turn {
    let matrix = stream.side_data().find(|data| data.kind() == SideData::DisplayMatrix);
    matrix.map_or(Turn::Upright, |data| Turn::from_matrix(data.data()))
}

/// Width and height with square pixels, upright.
fn shown(facts: &StreamFacts, turn: Turn) -> (u32, u32) {
    let (num, den) = facts.aspect;
    let (width, height) = if num > 0 && den > 0 {
        let (num, den) = (u64::from(num.unsigned_abs()), u64::from(den.unsigned_abs()));
        let width = (u64::from(facts.width) * num + den / 2) / den;
        (width.clamp(1, u64::from(u32::MAX)) as u32, facts.height)
    } else {
        (facts.width, facts.height)
    };
    if turn.swaps_sides() { (height, width) } else { (width, height) }
}

fn duration_ms(input: &Input, video: &ffmpeg::Stream<'_>) -> Option<u64> {
    let whole = u64::try_from(input.duration()).ok().filter(|us| *us > 0).map(|us| us / 1_000);
    let seconds = video.duration() as f64 * f64::from(video.time_base());
    whole.or_else(|| (seconds > 0.0).then_some((seconds * 1_000.0) as u64))
}

fn frame_rate(video: &ffmpeg::Stream<'_>) -> (f64, bool) {
    let believed = |rate: ffmpeg::Rational| {
        let rate = f64::from(rate);
        (rate.is_finite() && rate > 0.0 && rate <= FRAME_RATE_BELIEVED).then_some(rate)
    };
    let (mean, nominal) = (believed(video.avg_frame_rate()), believed(video.rate()));
    let varies = match (mean, nominal) {
        (Some(mean), Some(nominal)) => (mean / nominal - 1.0).abs() > STEADY_WITHIN,
        _ => true,
    };
    (mean.or(nominal).unwrap_or(FRAME_RATE_ASSUMED), varies)
}

/// Where a file does not say, old small pictures are read as television and all others as high definition, as players
/// do.
fn colour(facts: &StreamFacts) -> Colour {
    let matrix = match facts.space {
        Space::BT709 => "bt709",
        Space::BT470BG | Space::SMPTE170M => "bt601",
        Space::FCC => "fcc",
        Space::SMPTE240M => "smpte240m",
        Space::BT2020NCL | Space::BT2020CL => "bt2020",
        _ if facts.width.min(facts.height) < 720 => "bt601",
        _ => "bt709",
    };
    let jpeg = matches!(
        facts.pixels,
        Some(
            ffmpeg::format::Pixel::YUVJ420P
                | ffmpeg::format::Pixel::YUVJ422P
                | ffmpeg::format::Pixel::YUVJ444P
        )
    );
    Colour { matrix, full_range: jpeg || facts.range == Range::JPEG }
}
