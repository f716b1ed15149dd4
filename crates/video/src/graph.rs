//! Running libav's filters: frames in, frames out on one or more sinks.

use ffmpeg_next as ffmpeg;
use ffmpeg_next::{Frame, filter, frame::Video};

use crate::{VideoError, error::failed, ffi, timeline::TimeBase};

/// What a filter has to know of pictures before the first arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    width: u32,
    height: u32,
    pixels: ffmpeg::format::Pixel,
}

impl Shape {
    pub(crate) fn of(frame: &Video) -> Self {
        Self { width: frame.width(), height: frame.height(), pixels: frame.format() }
    }
}

/// Filters, ready to run.
pub(crate) struct Graph {
    graph: filter::Graph,
    sinks: Vec<String>,
}

impl Graph {
    /// Filters for pictures of one shape. `spec` leads from `[in]` to `[o0]` and as many more as `outputs` says.
    pub(crate) fn pictures(
        spec: &str,
        shape: Shape,
        base: TimeBase,
        outputs: usize,
    ) -> Result<Self, VideoError> {
        let pixels =
            shape.pixels.descriptor().ok_or_else(|| VideoError::damaged("the picture has no pixels"))?;
        let base = base.rational();
        let arguments = format!(
            "video_size={}x{}:pix_fmt={}:time_base={}/{}:pixel_aspect=1/1",
            shape.width,
            shape.height,
            pixels.name(),
            base.numerator(),
            base.denominator()
        );
        Self::new("buffer", &arguments, "buffersink", spec, outputs)
    }

    /// Filters for sound, to one sink.
    pub(crate) fn sound(
        spec: &str,
        frame: &ffmpeg::frame::Audio,
        base: TimeBase,
    ) -> Result<Self, VideoError> {
        let layout = frame.channel_layout();
        let layout = if layout.is_empty() {
            ffmpeg::ChannelLayout::default(i32::from(frame.channels()))
        } else {
            layout
        };
        let base = base.rational();
        let arguments = format!(
            "sample_rate={}:sample_fmt={}:channel_layout=0x{:x}:time_base={}/{}",
            frame.rate(),
            frame.format().name(),
            layout.bits(),
            base.numerator(),
            base.denominator()
        );
        Self::new("abuffer", &arguments, "abuffersink", spec, 1)
    }

    fn new(
        source: &str,
        arguments: &str,
        sink: &str,
        spec: &str,
        outputs: usize,
    ) -> Result<Self, VideoError> {
        let find = |name: &str| filter::find(name).ok_or(ffmpeg::Error::FilterNotFound);
        let sinks: Vec<String> = (0..outputs).map(|i| format!("o{i}")).collect();
        let build = || {
            let mut graph = filter::Graph::new();
            graph.add(&find(source)?, "in", arguments)?;
            for name in &sinks {
                graph.add(&find(sink)?, name, "")?;
            }
            let mut parser = graph.output("in", 0)?;
            for name in &sinks {
                parser = parser.input(name, 0)?;
            }
            parser.parse(spec)?;
            graph.validate()?;
            Ok(graph)
        };
        let graph = build().map_err(failed("setting up the filters"))?;
        Ok(Self { graph, sinks })
    }

    /// Lets a sink give sound in pieces of so many samples.
    pub(crate) fn samples_at_once(&mut self, samples: u32) {
        if let Some(mut sink) = self.graph.get("o0") {
            sink.sink().set_frame_size(samples);
        }
    }

    /// Gives what is in `frame` to the filters; it is empty then.
    pub(crate) fn push(&mut self, frame: &mut Frame) -> Result<(), VideoError> {
        let mut source = self.graph.get("in").ok_or_else(gone)?;
        source.source().add(frame).map_err(failed("filtering"))
    }

    /// Shows `frame` to the filters.
    pub(crate) fn lend(&mut self, frame: &Frame) -> Result<(), VideoError> {
        let mut source = self.graph.get("in").ok_or_else(gone)?;
        ffi::lend(&mut source, frame).map_err(failed("filtering"))
    }

    /// Nothing follows.
    pub(crate) fn end(&mut self) -> Result<(), VideoError> {
        let mut source = self.graph.get("in").ok_or_else(gone)?;
        source.source().flush().map_err(failed("filtering"))
    }

    /// The next frame of a sink, if there is one yet.
    pub(crate) fn pull(&mut self, sink: usize, frame: &mut Frame) -> Result<bool, VideoError> {
        let mut sink = self.sinks.get(sink).and_then(|name| self.graph.get(name)).ok_or_else(gone)?;
        match sink.sink().frame(frame) {
            Ok(()) => Ok(true),
            Err(ffmpeg::Error::Eof | ffmpeg::Error::Other { errno: ffmpeg::error::EAGAIN }) => Ok(false),
            Err(error) => Err(failed("filtering")(error)),
        }
    }

    /// The ticks of what a sink gives.
    pub(crate) fn base(&mut self, sink: usize) -> Result<TimeBase, VideoError> {
        let mut sink = self.sinks.get(sink).and_then(|name| self.graph.get(name)).ok_or_else(gone)?;
        Ok(sink.sink().time_base().into())
    }
}

fn gone() -> VideoError {
    VideoError::Encode { step: "filtering", detail: "a part of the filters is missing".to_owned() }
}
