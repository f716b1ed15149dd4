//! One MP4 that plays while it is loaded: a rung and the sound, put into another box. Nothing is encoded again.

use std::path::Path;

use ffmpeg_next as ffmpeg;
use ffmpeg_next::{Dictionary, Packet, format::context::Input, format::context::Output};

use crate::{VideoError, error::failed, ffi, fragments::Track, halt::Halt, open::open, timeline::TimeBase};

/// Files of ours have one stream each.
const STREAMS_MAX: u32 = 1;

/// Writes `path` from a rung and the sound. Returns its size.
pub(crate) fn write(
    path: &Path,
    video: &Track,
    sound: Option<&Track>,
    halt: &Halt<'_>,
) -> Result<u64, VideoError> {
    let mut parts = Vec::new();
    for track in [Some(video), sound].into_iter().flatten() {
        parts.push(Part::open(track)?);
    }
    let name = path.to_str().unwrap_or_default();
    let begin = |parts: &mut Vec<Part>| {
        let mut output = ffmpeg::format::output_as(&format!("file:{name}"), "mp4")?;
        for part in parts.iter() {
            let input = part.input.stream(0).ok_or(ffmpeg::Error::StreamNotFound)?;
            let mut stream = output.add_stream(ffmpeg::codec::Id::None)?;
            stream.set_parameters(input.parameters());
            ffi::forget_tag(&mut stream);
            stream.set_time_base(input.time_base());
        }
        // What describes the film comes first, so that a player can begin with the first bytes.
        let options = Dictionary::from_iter([("movflags", "+faststart"), ("fflags", "+bitexact")]);
        output.write_header_with(options).map(drop)?;
        for (index, part) in parts.iter_mut().enumerate() {
            part.to = output.stream(index).ok_or(ffmpeg::Error::StreamNotFound)?.time_base();
        }
        Ok(output)
    };
    let mut output = begin(&mut parts).map_err(failed("beginning the progressive file"))?;
    copy(&mut parts, &mut output, halt)?;
    output.write_trailer().map_err(failed("ending the progressive file"))?;
    drop(output);
    Ok(std::fs::metadata(path).map_err(VideoError::scratch("ending the progressive file"))?.len())
}

/// One of the files that are joined.
struct Part {
    input: Input,
    from: ffmpeg::Rational,
    to: ffmpeg::Rational,
    /// The packet to be written next, with its length.
    next: Option<Packet>,
    /// The one after it.
    after: Option<Packet>,
    /// When decoding ends.
    end: i64,
}

impl Part {
    fn open(track: &Track) -> Result<Self, VideoError> {
        let input = open(&track.path, STREAMS_MAX)?;
        let from = input.stream(0).map_or(ffmpeg::Rational::new(1, 1), |stream| stream.time_base());
        let mut part = Self { input, from, to: from, next: None, after: None, end: 0 };
        part.read()?;
        // By as much as it began early, decoding ends early.
        let first = part.after.as_ref();
        let ahead = first.and_then(|first| Some(first.pts()? - first.dts()?)).unwrap_or_default();
        part.end = TimeBase::from(from).ticks(track.seconds()) - ahead;
        part.read()?;
        Ok(part)
    }

    /// Moves on by one packet. What a demuxer says of lengths is a guess; where the next packet begins is not.
    fn read(&mut self) -> Result<(), VideoError> {
        self.next = self.after.take();
        let mut packet = Packet::empty();
        match packet.read(&mut self.input) {
            Ok(()) => self.after = Some(packet),
            Err(ffmpeg::Error::Eof) => {}
            Err(error) => return Err(failed("reading a stream back")(error)),
        }
        if let Some(next) = &mut self.next {
            let until = self.after.as_ref().and_then(Packet::dts).unwrap_or(self.end);
            next.set_duration((until - next.dts().unwrap_or(until)).max(1));
        }
        Ok(())
    }

    /// When the next packet is due, in seconds.
    fn due(&self) -> f64 {
        let dts = self.next.as_ref().and_then(Packet::dts).unwrap_or_default();
        dts as f64 * f64::from(self.from)
    }
}

/// Whichever packet is due first goes first.
fn copy(parts: &mut [Part], output: &mut Output, halt: &Halt<'_>) -> Result<(), VideoError> {
    loop {
        halt.check()?;
        let waiting = parts.iter_mut().enumerate().filter(|(_, part)| part.next.is_some());
        let Some((index, part)) = waiting.min_by(|(_, a), (_, b)| a.due().total_cmp(&b.due())) else {
            return Ok(());
        };
        if let Some(mut packet) = part.next.take() {
            packet.set_stream(index);
            packet.rescale_ts(part.from, part.to);
            packet.set_position(-1);
            packet.write_interleaved(output).map_err(failed("writing the progressive file"))?;
        }
        part.read()?;
    }
}
