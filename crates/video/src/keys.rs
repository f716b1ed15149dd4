//! Key frames of a finished rung, each decoded by itself: the poster and the storyboard of a film whose pictures were
//! made in many places.

use ffmpeg_next as ffmpeg;
use ffmpeg_next::{Packet, codec, frame::Video};

use crate::{VideoError, error::failed, fragments::Track, halt::Halt, open::open};

/// Files of ours have one stream each.
const STREAMS_MAX: u32 = 1;

/// Shows `take` the key frames of `track` at those moments for which `wants` is true.
pub(crate) fn show<T>(
    track: &Track,
    taker: &mut T,
    wants: impl Fn(&T, f64) -> bool,
    mut take: impl FnMut(&mut T, &Video, f64) -> Result<(), VideoError>,
    halt: &Halt<'_>,
) -> Result<(), VideoError> {
    let step = "reading a stream back";
    let mut input = open(&track.path, STREAMS_MAX)?;
    let decoder = |input: &ffmpeg::format::context::Input| {
        let stream = input.stream(0).ok_or(ffmpeg::Error::StreamNotFound)?;
        codec::Context::from_parameters(stream.parameters())?.decoder().video()
    };
    let mut decoder = decoder(&input).map_err(failed(step))?;
    // Every fragment begins with its one key frame.
    let mut moments = track.fragments.iter().map(|fragment| track.base.seconds(fragment.start));
    let mut packet = Packet::empty();
    loop {
        halt.check()?;
        match packet.read(&mut input) {
            Ok(()) if packet.is_key() => {}
            Ok(()) => continue,
            Err(ffmpeg::Error::Eof) => return Ok(()),
            Err(error) => return Err(failed(step)(error)),
        }
        let Some(at_s) = moments.next() else { return Ok(()) };
        if !wants(taker, at_s) {
            continue;
        }
        let mut frame = Video::empty();
        let mut decode = || {
            decoder.send_packet(&packet)?;
            decoder.send_eof()?;
            decoder.receive_frame(&mut frame)
        };
        decode().map_err(failed(step))?;
        decoder.flush();
        take(taker, &frame, at_s)?;
    }
}
