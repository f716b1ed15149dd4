//! One stream of a file, decoded from its beginning to its end, whatever is damaged in between.

use std::path::Path;

use ffmpeg_next as ffmpeg;
use ffmpeg_next::{Dictionary, Frame, Packet, codec, decoder, format::context::Input, threading};

use crate::{Limits, VideoError, error::failed, ffi, open::open, timeline::TimeBase};

/// Packets in a row that may be damaged before the rest is given up.
const DAMAGED_IN_A_ROW_MAX: u32 = 10_000;

/// Decoded frames of one stream.
pub(crate) struct Frames {
    input: Input,
    decoder: decoder::Opened,
    stream: usize,
    base: TimeBase,
    damaged: u32,
    damaged_in_a_row: u32,
    ended: bool,
}

impl Frames {
    pub(crate) fn open(
        path: &Path,
        stream: usize,
        threads: usize,
        limits: &Limits,
    ) -> Result<Self, VideoError> {
        let mut input = open(path, limits.streams_max)?;
        ffi::keep_only(&mut input, stream);
        let opened = input.stream(stream).ok_or_else(|| VideoError::damaged("a stream is gone"))?;
        let base = TimeBase::from(opened.time_base());
        let mut context = codec::Context::from_parameters(opened.parameters()).map_err(failed("decoding"))?;
        context.set_threading(threading::Config {
            count: threads,
            ..threading::Config::kind(threading::Type::Frame)
        });
        let mut decoder = context.decoder();
        decoder.set_packet_time_base(base.rational());
        // A stream may grow in the middle; the header was checked, and this holds for the rest.
        let pixels_max = limits.pixels_max.to_string();
        let options = Dictionary::from_iter([("max_pixels", pixels_max.as_str())]);
        let kind = decoder::find(decoder.id()).ok_or_else(|| {
            VideoError::unsupported(format!("there is no decoder for {}", decoder.id().name()))
        })?;
        let decoder = decoder.open_as_with(kind, options).map_err(VideoError::damaged)?;
        Ok(Self { input, decoder, stream, base, damaged: 0, damaged_in_a_row: 0, ended: false })
    }

    pub(crate) fn base(&self) -> TimeBase {
        self.base
    }

    /// Packets and frames that could not be decoded.
    pub(crate) fn damaged(&self) -> u32 {
        self.damaged
    }

    /// Goes to the last key frame at or before a moment.
    pub(crate) fn seek(&mut self, seconds: f64) -> Result<(), VideoError> {
        let at = (seconds * f64::from(ffmpeg::ffi::AV_TIME_BASE)) as i64;
        self.input.seek(at, ..at.saturating_add(1)).map_err(VideoError::damaged)?;
        self.decoder.flush();
        Ok(())
    }

    /// The next frame, with its time in `pts`; false at the end. Damage is counted and passed over.
    pub(crate) fn next(&mut self, frame: &mut Frame) -> Result<bool, VideoError> {
        loop {
            match self.decoder.receive_frame(frame) {
                Ok(()) => {
                    self.damaged_in_a_row = 0;
                    let at = frame.timestamp();
                    frame.set_pts(at);
                    return Ok(true);
                }
                Err(ffmpeg::Error::Eof) => return Ok(false),
                Err(ffmpeg::Error::Other { errno: ffmpeg::error::EAGAIN }) => self.feed()?,
                Err(error) => self.count(error)?,
            }
        }
    }

    /// Gives the decoder one more packet, or tells it that there are none.
    fn feed(&mut self) -> Result<(), VideoError> {
        if self.ended {
            return Err(VideoError::damaged("the decoder waits for more than there is"));
        }
        let mut packet = Packet::empty();
        match packet.read(&mut self.input) {
            Ok(()) if packet.stream() != self.stream => Ok(()),
            Ok(()) => match self.decoder.send_packet(&packet) {
                Ok(()) | Err(ffmpeg::Error::Eof) => Ok(()),
                Err(error) => self.count(error),
            },
            Err(ffmpeg::Error::InvalidData) => self.count(ffmpeg::Error::InvalidData),
            // The end, or as far as the file can be read: what was decoded until here is kept.
            Err(error) => {
                if error != ffmpeg::Error::Eof {
                    self.count(error)?;
                }
                self.ended = true;
                match self.decoder.send_eof() {
                    Ok(()) | Err(ffmpeg::Error::Eof) => Ok(()),
                    Err(error) => Err(VideoError::damaged(error)),
                }
            }
        }
    }

    fn count(&mut self, error: ffmpeg::Error) -> Result<(), VideoError> {
        if error == (ffmpeg::Error::Other { errno: ffmpeg::error::ENOMEM }) {
            return Err(VideoError::out_of_memory("the decoder"));
        }
        self.damaged += 1;
        self.damaged_in_a_row += 1;
        if self.damaged_in_a_row > DAMAGED_IN_A_ROW_MAX {
            return Err(VideoError::damaged(error));
        }
        Ok(())
    }
}
