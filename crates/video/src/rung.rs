//! One rung of the ladder: pictures in, a file out. Every rung has a thread of its own.

use std::{collections::VecDeque, path::Path, sync::mpsc::Receiver};

use ffmpeg_next as ffmpeg;
use ffmpeg_next::{Dictionary, Packet, codec, encoder, frame::Video, picture};
use serde::{Deserialize, Serialize};

use crate::{
    Rung, VideoError,
    error::failed,
    ffi,
    fragments::{Track, Writer},
    halt::Halt,
    part::{Part, Place, Window},
    timeline::{KeyFrames, Pace, TimeBase},
};

/// Constant quality: what a viewer does not tell from the source at this speed.
const QUALITY: &str = "23";
/// How hard the encoder tries.
const EFFORT: &str = "veryfast";
/// Threads of an encoder. Not the machine's choice: another number gives other bytes, and an attempt that is repeated
/// elsewhere has to write the same ones. For that, too, no rung is held to a bit rate: what x264 spends to stay below one
/// differs from run to run.
const THREADS: &str = "3";
/// Threads of an encoder of a part: as many parts are made at once as there are cores, and one thread wastes least.
const THREADS_IN_PARTS: &str = "1";
/// Most pictures between key frames when time stamps never let one begin.
const GOP_FRAMES_MAX: u32 = 600;

/// A picture on its way to an encoder.
pub(crate) struct Picture {
    pub(crate) frame: Video,
    pub(crate) base: TimeBase,
}

/// What a rung became.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Encoded {
    pub(crate) track: Track,
    /// As playlists say it, such as `avc1.64001f`.
    pub(crate) codec: String,
}

/// Encodes what arrives and lies in the window, until nothing more does. None when nothing lay there.
pub(crate) fn encode(
    rung: &Rung,
    frame_rate: f64,
    window: &Window,
    path: &Path,
    pictures: &Receiver<Picture>,
    halt: &Halt<'_>,
) -> Result<Option<Encoded>, VideoError> {
    let mut work: Option<Work> = None;
    let mut pace = Pace::since(window.first);
    let (mut before, mut after) = (VecDeque::new(), None);
    for Picture { frame, base } in pictures {
        halt.check()?;
        let Some(at) = pace.take(frame.pts()) else { continue };
        match window.place(base, at) {
            Place::Before => before.push_back(at),
            Place::Within => {
                let work = match &mut work {
                    Some(work) => work,
                    None => {
                        work.insert(Work::begin(rung, frame_rate, window, &before, path, (&frame, base))?)
                    }
                };
                work.take(frame, at)?;
            }
            Place::After => after = after.or(Some(at)),
        }
    }
    // The channel also ends when the decoder failed.
    halt.check()?;
    let Some(work) = work else { return Ok(None) };
    let end = after.unwrap_or_else(|| pace.end(work.base, frame_rate));
    work.finish(end, after.is_some()).map(Some)
}

struct Work {
    encoder: encoder::Video,
    writer: Writer,
    keys: KeyFrames,
    base: TimeBase,
    /// When packets are due to be decoded: as pictures are shown, but some pictures earlier. An encoder that begins in
    /// the middle of a film cannot know those that were shown before.
    due: VecDeque<i64>,
    /// Packets whose time only the encoder can say, because nothing was shown before the film.
    untimed: usize,
    /// By how much decoding runs ahead of showing at the beginning of the film, where that is not this file's.
    ahead: Option<i64>,
}

impl Work {
    fn begin(
        rung: &Rung,
        frame_rate: f64,
        window: &Window,
        before: &VecDeque<i64>,
        path: &Path,
        (frame, base): (&Video, TimeBase),
    ) -> Result<Self, VideoError> {
        let threads = if window.part == Part::WHOLE { THREADS } else { THREADS_IN_PARTS };
        let encoder =
            open(rung, frame_rate, threads, frame, base).map_err(failed("setting up an encoder"))?;
        let writer = Writer::create(path, &encoder, base)?;
        let delay = ffi::pictures_delayed(&encoder);
        let begins = window.part.from_group == 0;
        let mut due: VecDeque<i64> = before.iter().rev().take(delay).rev().copied().collect();
        while !begins && due.len() < delay {
            due.push_front(due.front().copied().unwrap_or_default() - 1);
        }
        let (untimed, ahead) = if begins { (delay, None) } else { (0, window.firsts.get(delay).copied()) };
        Ok(Self { encoder, writer, keys: KeyFrames::new(base), base, due, untimed, ahead })
    }

    fn take(&mut self, mut frame: Video, at: i64) -> Result<(), VideoError> {
        // The encoder reads as many pixels as it was opened for, whether the frame has them or not.
        if (frame.width(), frame.height()) != (self.encoder.width(), self.encoder.height()) {
            let detail = format!("a picture of {} x {} pixels", frame.width(), frame.height());
            return Err(VideoError::Encode { step: "encoding", detail });
        }
        self.due.push_back(at);
        frame.set_pts(Some(at));
        frame.set_kind(if self.keys.begins(at) { picture::Type::I } else { picture::Type::None });
        self.encoder.send_frame(&frame).map_err(failed("encoding"))?;
        self.drain()
    }

    fn drain(&mut self) -> Result<(), VideoError> {
        loop {
            let mut packet = Packet::empty();
            match self.encoder.receive_packet(&mut packet) {
                Ok(()) => {
                    if self.untimed > 0 {
                        self.untimed -= 1;
                    } else {
                        packet.set_dts(self.due.pop_front());
                    }
                    let begins = if packet.is_key() { packet.pts() } else { None };
                    self.writer.write(packet, begins)?;
                }
                Err(ffmpeg::Error::Eof | ffmpeg::Error::Other { errno: ffmpeg::error::EAGAIN }) => {
                    return Ok(());
                }
                Err(error) => return Err(failed("encoding")(error)),
            }
        }
    }

    /// Ends the file at `end`, which is where the next part begins if the film goes on.
    fn finish(mut self, end: i64, goes_on: bool) -> Result<Encoded, VideoError> {
        self.encoder.send_eof().map_err(failed("encoding"))?;
        self.drain()?;
        let codec = codec_name(&ffi::extradata(&self.encoder))?;
        let decoded = if goes_on { self.due.front().copied() } else { self.ahead.map(|ahead| end - ahead) };
        let track = match decoded {
            Some(decoded) => self.writer.finish_before(end, decoded)?,
            None => self.writer.finish(end)?,
        };
        Ok(Encoded { track, codec })
    }
}

fn open(
    rung: &Rung,
    frame_rate: f64,
    threads: &str,
    frame: &Video,
    base: TimeBase,
) -> Result<encoder::Video, ffmpeg::Error> {
    let x264 = encoder::find_by_name("libx264").ok_or(ffmpeg::Error::EncoderNotFound)?;
    let mut video = codec::Context::new_with_codec(x264).encoder().video()?;
    video.set_width(rung.width);
    video.set_height(rung.height);
    video.set_format(frame.format());
    video.set_time_base(base.rational());
    video.set_frame_rate(Some(ffmpeg::Rational::from(frame_rate)));
    video.set_gop(GOP_FRAMES_MAX);
    video.open_with(Dictionary::from_iter([
        ("preset", EFFORT),
        ("profile", "high"),
        ("crf", QUALITY),
        // Keys come when the clock says, so that all rungs have them at the same pictures; no picture leans across one.
        ("forced-idr", "1"),
        ("x264-params", "scenecut=0:open-gop=0"),
        ("flags", "+global_header+cgop+bitexact"),
        ("color_range", "tv"),
        ("colorspace", "bt709"),
        ("color_primaries", "bt709"),
        ("color_trc", "bt709"),
        ("threads", threads),
    ]))
}

/// Profile, constraints and level, from the first sequence parameter set.
fn codec_name(header: &[u8]) -> Result<String, VideoError> {
    let set =
        header.windows(3).position(|three| three == [0, 0, 1]).and_then(|at| header.get(at + 3..at + 7));
    match set {
        Some(&[kind, profile, constraints, level]) if kind & 0x1f == 7 => {
            Ok(format!("avc1.{profile:02x}{constraints:02x}{level:02x}"))
        }
        _ => Err(VideoError::Encode {
            step: "setting up an encoder",
            detail: "it gave no parameter set".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_codec_is_named_by_its_parameter_set() {
        let header = [0, 0, 0, 1, 0x67, 0x64, 0x00, 0x1f, 0xac, 0, 0, 0, 1, 0x68];
        assert_eq!(codec_name(&header).unwrap(), "avc1.64001f");
        assert!(codec_name(&[1, 0x64, 0, 0x1f]).is_err());
    }
}
