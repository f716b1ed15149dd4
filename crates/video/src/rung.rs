//! One rung of the ladder: pictures in, a file out. Every rung has a thread of its own.

use std::{path::Path, sync::mpsc::Receiver};

use ffmpeg_next as ffmpeg;
use ffmpeg_next::{Dictionary, Packet, codec, encoder, frame::Video, picture};

use crate::{
    Rung, VideoError,
    error::failed,
    ffi,
    fragments::{Track, Writer},
    halt::Halt,
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
/// Most pictures between key frames when time stamps never let one begin.
const GOP_FRAMES_MAX: u32 = 600;

/// A picture on its way to an encoder.
pub(crate) struct Picture {
    pub(crate) frame: Video,
    pub(crate) base: TimeBase,
}

/// What a rung became.
#[derive(Debug, Clone)]
pub(crate) struct Encoded {
    pub(crate) track: Track,
    /// As playlists say it, such as `avc1.64001f`.
    pub(crate) codec: String,
}

/// Encodes what arrives until nothing more does.
pub(crate) fn encode(
    rung: &Rung,
    frame_rate: f64,
    path: &Path,
    pictures: &Receiver<Picture>,
    halt: &Halt<'_>,
) -> Result<Encoded, VideoError> {
    let mut work: Option<Work> = None;
    for picture in pictures {
        halt.check()?;
        let work = match &mut work {
            Some(work) => work,
            None => work.insert(Work::begin(rung, frame_rate, path, &picture)?),
        };
        work.take(picture)?;
    }
    // The channel also ends when the decoder failed.
    halt.check()?;
    work.ok_or_else(|| VideoError::damaged("there is no picture in it"))?.finish()
}

struct Work {
    encoder: encoder::Video,
    writer: Writer,
    keys: KeyFrames,
    frame_rate: f64,
    base: TimeBase,
    pace: Pace,
}

impl Work {
    fn begin(rung: &Rung, frame_rate: f64, path: &Path, picture: &Picture) -> Result<Self, VideoError> {
        let encoder = open(rung, frame_rate, picture).map_err(failed("setting up an encoder"))?;
        let writer = Writer::create(path, &encoder, picture.base)?;
        Ok(Self {
            encoder,
            writer,
            keys: KeyFrames::new(picture.base),
            frame_rate,
            base: picture.base,
            pace: Pace::default(),
        })
    }

    fn take(&mut self, picture: Picture) -> Result<(), VideoError> {
        let Picture { mut frame, .. } = picture;
        // The encoder reads as many pixels as it was opened for, whether the frame has them or not.
        if (frame.width(), frame.height()) != (self.encoder.width(), self.encoder.height()) {
            let detail = format!("a picture of {} x {} pixels", frame.width(), frame.height());
            return Err(VideoError::Encode { step: "encoding", detail });
        }
        let Some(at) = self.pace.take(frame.pts()) else { return Ok(()) };
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

    fn finish(mut self) -> Result<Encoded, VideoError> {
        self.encoder.send_eof().map_err(failed("encoding"))?;
        self.drain()?;
        let end = self.pace.end(self.base, self.frame_rate);
        let codec = codec_name(&ffi::extradata(&self.encoder))?;
        let track = self.writer.finish(end)?;
        Ok(Encoded { track, codec })
    }
}

fn open(rung: &Rung, frame_rate: f64, picture: &Picture) -> Result<encoder::Video, ffmpeg::Error> {
    let x264 = encoder::find_by_name("libx264").ok_or(ffmpeg::Error::EncoderNotFound)?;
    let mut video = codec::Context::new_with_codec(x264).encoder().video()?;
    video.set_width(rung.width);
    video.set_height(rung.height);
    video.set_format(picture.frame.format());
    video.set_time_base(picture.base.rational());
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
        ("threads", THREADS),
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
