//! Single pictures: colours as JPEG has them, and JPEG itself.

use ffmpeg_next as ffmpeg;
use ffmpeg_next::{Dictionary, Packet, codec, encoder, frame::Video};

use crate::{
    VideoError,
    error::failed,
    graph::{Graph, Shape},
    timeline::TimeBase,
};

/// Quality of pictures: 2 is best, 31 worst, times libav's unit of 118.
const QUALITY: &str = "472";

/// Resizes frames of a film into pictures that can be stored.
pub(crate) struct Stills {
    width: u32,
    height: u32,
    graph: Option<(Shape, Graph)>,
}

impl Stills {
    pub(crate) fn new(width: u32, height: u32) -> Self {
        Self { width, height, graph: None }
    }

    /// One frame, in the size and the colours of a picture.
    pub(crate) fn take(&mut self, frame: &Video) -> Result<Video, VideoError> {
        let shape = Shape::of(frame);
        if self.graph.as_ref().is_none_or(|(known, _)| *known != shape) {
            let spec = format!(
                "[in]scale={}:{}:flags=area:in_color_matrix=bt709:in_range=tv:out_color_matrix=bt601:out_range=pc,\
                 format=yuvj420p[o0]",
                self.width, self.height
            );
            self.graph = Some((shape, Graph::pictures(&spec, shape, TimeBase::new(1, 1_000), 1)?));
        }
        let missing =
            || VideoError::Encode { step: "making a picture", detail: "the filter gave none".to_owned() };
        let (_, graph) = self.graph.as_mut().ok_or_else(missing)?;
        graph.lend(frame)?;
        let mut still = Video::empty();
        if graph.pull(0, &mut still)? { Ok(still) } else { Err(missing()) }
    }
}

/// A JPEG of a picture that came from [`Stills`], or is made of such.
pub(crate) fn jpeg(picture: &mut Video) -> Result<Vec<u8>, VideoError> {
    let mut write = || {
        let mjpeg = encoder::find_by_name("mjpeg").ok_or(ffmpeg::Error::EncoderNotFound)?;
        let mut video = codec::Context::new_with_codec(mjpeg).encoder().video()?;
        video.set_width(picture.width());
        video.set_height(picture.height());
        video.set_format(ffmpeg::format::Pixel::YUVJ420P);
        video.set_time_base((1, 1_000));
        let options = [("flags", "+qscale+bitexact"), ("global_quality", QUALITY), ("threads", "1")];
        let mut encoder = video.open_with(Dictionary::from_iter(options))?;
        picture.set_pts(Some(0));
        picture.set_kind(ffmpeg::picture::Type::None);
        encoder.send_frame(picture)?;
        encoder.send_eof()?;
        let mut packet = Packet::empty();
        encoder.receive_packet(&mut packet)?;
        Ok(packet.data().map(<[u8]>::to_vec).unwrap_or_default())
    };
    write().map_err(failed("making a picture"))
}
