//! The sound of a film: listened to once, then brought to one loudness, encoded, and made exactly as long as the picture.

use std::{path::Path, sync::mpsc::Receiver};

use ffmpeg_next as ffmpeg;
use ffmpeg_next::{ChannelLayout, Dictionary, Packet, codec, encoder, format::sample, frame::Audio};
use serde::{Deserialize, Serialize};

use crate::{
    Limits, Loudness, Order, VideoError,
    error::failed,
    ffi,
    fragments::{Track, Writer},
    frames::Frames,
    graph::Graph,
    halt::Halt,
    loudness::{Gain, Meter},
    probe::Source,
    timeline::{SEGMENT_S, TimeBase},
};

/// The file of the sound.
pub(crate) const FILE: &str = "audio.mp4";
/// Part of the work that is listening.
const LISTENING: f64 = 0.3;
/// Samples a second of what is made.
const RATE: u32 = 48_000;
/// Channels of what is made: everything is mixed to stereo, which every player has.
const CHANNELS: u32 = 2;
/// Bits a second of what is made.
const BITS_PER_S: usize = 128_000;
/// Sound is encoded ahead of the picture up to this long before the end that the header announced.
const AHEAD_S: f64 = 2.0;
/// Everything becomes this before anybody listens.
const FORMAT: &str = "aformat=sample_fmts=fltp:sample_rates=48000:channel_layouts=stereo";

/// What the sound has to hear of the picture, and what is to be heard of the sound.
pub(crate) struct Cues<'a> {
    /// When the picture begins, in seconds of the file's clock, as soon as that is known.
    pub(crate) begins: Receiver<f64>,
    /// When it ends.
    pub(crate) ends: Receiver<f64>,
    /// Hears how much is done, from 0 to 1.
    pub(crate) told: &'a mut dyn FnMut(f64),
}

/// What the sound became.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Sound {
    pub(crate) track: Track,
    pub(crate) loudness: Loudness,
    pub(crate) gain_db: f64,
    pub(crate) damaged: u32,
}

/// Makes the sound.
pub(crate) fn make(
    film: &Path,
    (source, stream): (&Source, usize),
    order: &Order,
    limits: &Limits,
    path: &Path,
    cues: Cues<'_>,
    halt: &Halt<'_>,
) -> Result<Sound, VideoError> {
    let Cues { begins, ends, told } = cues;
    let announced = source.probe.duration_ms.unwrap_or_default() as f64 / 1_000.0;
    let announced = order.span.map_or(announced, |span| span.end_s.min(announced));
    let share = |seconds: f64| (seconds / announced.max(1.0)).clamp(0.0, 1.0);
    let mut heard = |seconds| told(LISTENING * share(seconds));
    let loudness = listen(film, stream, order, limits, (halt, &mut heard))?;
    let gain = Gain::to(order.loudness_lufs, loudness);
    let begins = begins.recv().map_err(|_| VideoError::Cancelled)?;
    let mut film = Frames::open(film, stream, 1, limits)?;
    if let Some(span) = order.span {
        film.seek(span.start_s)?;
    }
    // Holes are filled and overlaps cut, so that a sample's number is its time; the end is padded as far as needed.
    let spec = format!("[in]aresample=48000:async=1:first_pts=0,{},{FORMAT},apad[o0]", gain.filters());
    let mut work = Work {
        encoder: None,
        path,
        samples: 0,
        end: None,
        announced: ((announced - begins.max(0.0) - AHEAD_S).max(0.0) * f64::from(RATE)) as i64,
        ends: &ends,
        begins,
        segment: None,
    };
    let base = film.base();
    let mut graph: Option<Graph> = None;
    let mut frame = Audio::empty();
    let mut like = Likeness::default();
    while film.next(&mut frame)? {
        halt.check()?;
        let Some(at) = frame.pts().filter(|_| like.holds(&frame)) else { continue };
        frame.set_pts(Some(at - base.ticks(begins)));
        let graph = match &mut graph {
            Some(graph) => graph,
            None => graph.insert(Graph::sound(&spec, &frame, base)?),
        };
        graph.push(&mut frame)?;
        if !work.drain(graph, halt)? {
            break;
        }
        told(LISTENING + (1.0 - LISTENING) * share(work.samples as f64 / f64::from(RATE)));
    }
    let mut graph = graph.ok_or_else(|| VideoError::damaged("there is no sound in it"))?;
    if work.end.is_none_or(|end| work.samples < end) {
        graph.end()?;
        work.drain(&mut graph, halt)?;
    }
    Ok(Sound { track: work.finish()?, loudness, gain_db: gain.db, damaged: film.damaged() + like.others })
}

/// The first pass: how loud it all is. `heard_until` hears how far it is, in seconds.
fn listen(
    film: &Path,
    stream: usize,
    order: &Order,
    limits: &Limits,
    (halt, heard_until): (&Halt<'_>, &mut dyn FnMut(f64)),
) -> Result<Loudness, VideoError> {
    let mut film = Frames::open(film, stream, 1, limits)?;
    let base = film.base();
    let mut meter = Meter::new(CHANNELS, RATE)?;
    let mut graph: Option<Graph> = None;
    let (mut frame, mut heard) = (Audio::empty(), Audio::empty());
    if let Some(span) = order.span {
        film.seek(span.start_s)?;
    }
    let mut like = Likeness::default();
    while film.next(&mut frame)? {
        halt.check()?;
        if !like.holds(&frame) {
            continue;
        }
        let at = base.seconds(frame.pts().unwrap_or_default());
        limits.check_duration(at)?;
        if order.span.is_some_and(|span| at >= span.end_s) {
            break;
        }
        let graph = match &mut graph {
            Some(graph) => graph,
            None => graph.insert(Graph::sound(&format!("[in]aresample=48000,{FORMAT}[o0]"), &frame, base)?),
        };
        graph.push(&mut frame)?;
        while graph.pull(0, &mut heard)? {
            meter.hear(&[heard.plane(0), heard.plane(1)])?;
        }
        heard_until(at);
    }
    meter.loudness()
}

/// Sound that changes its rate or its channels in the middle is no film anybody made: what is unlike the beginning is
/// left out, and silence takes its place.
#[derive(Default)]
struct Likeness {
    first: Option<(u32, u16, ffmpeg::format::Sample)>,
    others: u32,
}

impl Likeness {
    fn holds(&mut self, frame: &Audio) -> bool {
        let this = (frame.rate(), frame.channels(), frame.format());
        let holds = *self.first.get_or_insert(this) == this;
        self.others += u32::from(!holds);
        holds
    }
}

struct Work<'a> {
    encoder: Option<(encoder::Audio, Writer)>,
    path: &'a Path,
    /// Samples given to the encoder.
    samples: i64,
    /// Samples there are to be, once the picture has ended.
    end: Option<i64>,
    /// Samples that can be made before asking when the picture ends.
    announced: i64,
    /// Says when the picture ends.
    ends: &'a Receiver<f64>,
    begins: f64,
    /// The segment that is being written.
    segment: Option<i64>,
}

impl Work<'_> {
    /// Encodes what the filters have; false when the sound is as long as the picture.
    fn drain(&mut self, graph: &mut Graph, halt: &Halt<'_>) -> Result<bool, VideoError> {
        if self.encoder.is_none() {
            let encoder = open().map_err(failed("setting up the sound encoder"))?;
            graph.samples_at_once(ffi::frame_samples(&encoder));
            let writer = Writer::create(self.path, &encoder, TimeBase::new(1, i64::from(RATE)))?;
            self.encoder = Some((encoder, writer));
        }
        let mut frame = Audio::empty();
        while graph.pull(0, &mut frame)? {
            halt.check()?;
            if self.end.is_none() && self.samples + frame.samples() as i64 > self.announced {
                let ends = self.ends.recv().map_err(|_| VideoError::Cancelled)?;
                self.end = Some(((ends - self.begins) * f64::from(RATE)).round() as i64);
            }
            let left = self.end.map_or(i64::MAX, |end| end - self.samples);
            if left <= 0 {
                return Ok(false);
            }
            if (frame.samples() as i64) > left {
                frame.set_samples(left as usize);
            }
            frame.set_pts(Some(self.samples));
            self.samples += frame.samples() as i64;
            if let Some((encoder, _)) = &mut self.encoder {
                encoder.send_frame(&frame).map_err(failed("encoding sound"))?;
            }
            self.store()?;
        }
        Ok(true)
    }

    fn store(&mut self) -> Result<(), VideoError> {
        let Some((encoder, writer)) = &mut self.encoder else { return Ok(()) };
        loop {
            let mut packet = Packet::empty();
            match encoder.receive_packet(&mut packet) {
                Ok(()) => {
                    // What the encoder puts before the first sample belongs to the first segment.
                    let at = packet.pts().unwrap_or_default().max(0);
                    let segment = TimeBase::new(1, i64::from(RATE)).stretch(at, SEGMENT_S);
                    let begins = self.segment != Some(segment);
                    self.segment = Some(segment);
                    writer.write(packet, begins.then_some(at))?;
                }
                Err(ffmpeg::Error::Eof | ffmpeg::Error::Other { errno: ffmpeg::error::EAGAIN }) => {
                    return Ok(());
                }
                Err(error) => return Err(failed("encoding sound")(error)),
            }
        }
    }

    fn finish(mut self) -> Result<Track, VideoError> {
        if let Some((encoder, _)) = &mut self.encoder {
            encoder.send_eof().map_err(failed("encoding sound"))?;
        }
        self.store()?;
        let (_, writer) = self.encoder.ok_or_else(|| VideoError::damaged("there is no sound in it"))?;
        writer.finish(self.samples)
    }
}

fn open() -> Result<encoder::Audio, ffmpeg::Error> {
    let aac = encoder::find_by_name("aac").ok_or(ffmpeg::Error::EncoderNotFound)?;
    let mut audio = codec::Context::new_with_codec(aac).encoder().audio()?;
    audio.set_rate(RATE as i32);
    audio.set_format(ffmpeg::format::Sample::F32(sample::Type::Planar));
    audio.set_channel_layout(ChannelLayout::STEREO);
    audio.set_bit_rate(BITS_PER_S);
    audio.set_time_base((1, RATE as i32));
    audio.open_with(Dictionary::from_iter([("flags", "+global_header+bitexact"), ("threads", "1")]))
}
