//! The one decode: frames are read, filtered, and handed to every rung, and looked at for the poster and the storyboard.

use std::{
    path::Path,
    sync::mpsc::{Sender, SyncSender},
};

use ffmpeg_next::{frame::Video, picture};

use crate::{
    Limits, Order, Plan, VideoError,
    frames::Frames,
    graph::{Graph, Shape},
    halt::Halt,
    poster::Poster,
    probe::Source,
    rung::Picture,
    storyboard::Storyboard,
    timeline::{Pace, TimeBase},
};

/// Where pictures and cues go. Dropping it tells everybody that there are no more.
pub(crate) struct Outlets {
    /// One for each rung.
    pub(crate) rungs: Vec<SyncSender<Picture>>,
    /// When the picture begins, for the sound.
    pub(crate) begins: Sender<f64>,
    /// When it ends.
    pub(crate) ends: Sender<f64>,
}

/// What was seen on the way.
pub(crate) struct Seen {
    pub(crate) seconds: f64,
    pub(crate) damaged: u32,
    pub(crate) poster: Poster,
    pub(crate) storyboard: Storyboard,
}

/// What the decode is about.
pub(crate) struct Film<'a> {
    pub(crate) path: &'a Path,
    pub(crate) source: &'a Source,
    pub(crate) plan: &'a Plan,
    pub(crate) order: &'a Order,
    pub(crate) limits: &'a Limits,
    /// Which rung posters are taken from.
    pub(crate) poster: usize,
}

impl Film<'_> {
    /// How long what is made will be, by the header.
    fn announced_s(&self) -> Option<f64> {
        let whole = self.source.probe.duration_ms.map(|ms| ms as f64 / 1_000.0);
        match self.order.span {
            Some(span) => Some(span.end_s.min(whole.unwrap_or(f64::INFINITY)) - span.start_s),
            None => whole,
        }
        .filter(|seconds| *seconds > 0.0)
    }

    /// Decodes the film. `told` hears how much of it is done, from 0 to 1.
    pub(crate) fn show(
        &self,
        outlets: Outlets,
        halt: &Halt<'_>,
        told: &mut dyn FnMut(f64),
    ) -> Result<Seen, VideoError> {
        let mut frames = Frames::open(self.path, self.source.video, self.order.threads, self.limits)?;
        if let Some(span) = self.order.span {
            frames.seek(span.start_s)?;
        }
        let announced = self.announced_s();
        let smallest = self.plan.rungs.last().ok_or_else(|| VideoError::damaged("there is no rung"))?;
        let mut show = Show {
            film: self,
            outlets,
            graph: None,
            input: frames.base(),
            base: frames.base(),
            pace: Pace::default(),
            poster: Poster::new(announced),
            storyboard: Storyboard::new(smallest, announced),
        };
        let mut frame = Video::empty();
        let (mut decoded, mut origin, mut last) = (0, None, 0);
        while frames.next(&mut frame)? {
            halt.check()?;
            decoded += 1;
            self.limits.check_frames(decoded)?;
            let at = frame.pts().unwrap_or(last + 1);
            last = at;
            frame.set_pts(Some(at));
            let seconds = frames.base().seconds(at - *origin.get_or_insert(at));
            self.limits.check_duration(seconds)?;
            match self.order.span {
                Some(span) if frames.base().seconds(at) < span.start_s => continue,
                Some(span) if frames.base().seconds(at) >= span.end_s => break,
                _ => {}
            }
            show.take(&mut frame)?;
            told(announced.map_or(0.0, |announced| (seconds / announced).min(1.0)));
        }
        show.finish(frames.damaged())
    }
}

struct Show<'a> {
    film: &'a Film<'a>,
    outlets: Outlets,
    graph: Option<(Shape, Graph)>,
    /// Ticks of what the decoder gives.
    input: TimeBase,
    /// Ticks of what the filters give.
    base: TimeBase,
    pace: Pace,
    poster: Poster,
    storyboard: Storyboard,
}

impl Show<'_> {
    fn take(&mut self, frame: &mut Video) -> Result<(), VideoError> {
        frame.set_kind(picture::Type::None);
        let shape = Shape::of(frame);
        if self.graph.as_ref().is_none_or(|(known, _)| *known != shape) {
            // The picture changed its size or its pixels in the middle: what the old filters hold comes out first.
            self.flush()?;
            let rungs = self.film.plan.rungs.len();
            let mut graph = Graph::pictures(&self.film.plan.filters, shape, self.input, rungs)?;
            self.base = graph.base(0)?;
            self.graph = Some((shape, graph));
        }
        if let Some((_, graph)) = &mut self.graph {
            graph.push(frame)?;
        }
        self.hand_out()
    }

    fn hand_out(&mut self) -> Result<(), VideoError> {
        let rungs = self.film.plan.rungs.len();
        for rung in 0..rungs {
            loop {
                let Some((_, graph)) = &mut self.graph else { return Ok(()) };
                let mut frame = Video::empty();
                if !graph.pull(rung, &mut frame)? {
                    break;
                }
                self.look(rung, rungs, &frame)?;
                // An encoder that is gone has failed, and says why itself.
                let picture = Picture { frame, base: self.base };
                self.outlets.rungs[rung].send(picture).map_err(|_| VideoError::Cancelled)?;
            }
        }
        Ok(())
    }

    fn look(&mut self, rung: usize, rungs: usize, frame: &Video) -> Result<(), VideoError> {
        if rung == 0 {
            if self.pace.first().is_none() {
                let begins = self.base.seconds(frame.pts().unwrap_or_default());
                // A film without sound has nobody who waits for it.
                let _ = self.outlets.begins.send(begins);
            }
            self.pace.take(frame.pts());
        }
        let at_s = self.base.seconds(frame.pts().unwrap_or_default() - self.pace.first().unwrap_or_default());
        if rung == self.film.poster {
            self.poster.offer(frame, at_s);
        }
        if rung + 1 == rungs {
            self.storyboard.offer(frame, at_s)?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), VideoError> {
        if let Some((_, graph)) = &mut self.graph {
            graph.end()?;
        }
        self.hand_out()
    }

    fn finish(mut self, damaged: u32) -> Result<Seen, VideoError> {
        self.flush()?;
        let Some(first) = self.pace.first() else {
            return Err(VideoError::damaged("no picture could be decoded"));
        };
        let end = self.pace.end(self.base, self.film.plan.frame_rate);
        // A film without sound has nobody who waits for it.
        let _ = self.outlets.ends.send(self.base.seconds(first + end));
        let seconds = self.base.seconds(end);
        Ok(Seen { seconds, damaged, poster: self.poster, storyboard: self.storyboard })
    }
}
