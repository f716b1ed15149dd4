//! The one decode: frames are read, filtered, and handed to every rung, and looked at for the poster and the storyboard.

use std::{
    collections::VecDeque,
    path::Path,
    sync::mpsc::{Sender, SyncSender},
};

use ffmpeg_next::{frame::Video, picture};

use crate::{
    Limits, Order, Plan, VideoError,
    frames::Frames,
    graph::{Graph, Shape},
    halt::Halt,
    part::{Part, Place, Window},
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
    /// None where a part was made: they are taken from the joined film.
    pub(crate) stills: Option<Chosen>,
}

/// What is shown of the film in single pictures.
pub(crate) struct Chosen {
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
    /// Which pictures are made.
    pub(crate) window: Window,
}

/// Seconds to go back, at least, to meet the pictures before a part: containers look a place up by when pictures are
/// decoded, and that is earlier than they are shown.
const GO_BACK_S: f64 = 1.0;
/// By how much more to go back when that was not enough.
const GO_BACK_FURTHER: f64 = 4.0;
/// Pictures before a part that go through the filters with it, as they come out: filters look back, and so does the order
/// of decoding.
const PICTURES_BEFORE: f64 = 4.0;
/// Pictures at the beginning of a film that say how its clock begins.
const PICTURES_FIRST: usize = 4;

impl Film<'_> {
    /// How long what is made will be, by the header.
    fn announced_s(&self) -> Option<f64> {
        let whole = self.source.probe.duration_ms.map(|ms| ms as f64 / 1_000.0);
        let part = self.window.part;
        match self.order.span {
            Some(span) => Some(span.end_s.min(whole.unwrap_or(f64::INFINITY)) - span.start_s),
            None => part.ends_s().or(whole).map(|until_s| until_s - part.begins_s()),
        }
        .filter(|seconds| *seconds > 0.0)
    }

    fn open(&self) -> Result<Frames, VideoError> {
        Frames::open(self.path, self.source.video, self.order.threads, self.limits)
    }

    fn filters(&self, shape: Shape, input: TimeBase) -> Result<Graph, VideoError> {
        Graph::pictures(&self.plan.filters, shape, input, self.plan.rungs.len())
    }

    /// Finds out how the film begins, which a part of it has to know: the time stamp of its first picture, and the times
    /// of the first few.
    pub(crate) fn learn_beginning(&mut self, halt: &Halt<'_>) -> Result<(), VideoError> {
        let mut frames = self.open()?;
        let mut graph: Option<Graph> = None;
        let (mut pace, mut firsts) = (Pace::default(), Vec::new());
        let (mut frame, mut out) = (Video::empty(), Video::empty());
        let (mut decoded, mut more) = (0, true);
        while more && firsts.len() < PICTURES_FIRST {
            halt.check()?;
            more = frames.next(&mut frame)?;
            decoded += 1;
            self.limits.check_frames(decoded)?;
            let graph = match &mut graph {
                Some(graph) => graph,
                None if more => graph.insert(self.filters(Shape::of(&frame), frames.base())?),
                None => break,
            };
            if more {
                graph.push(&mut frame)?;
            } else {
                graph.end()?;
            }
            while graph.pull(0, &mut out)? {
                firsts.extend(pace.take(out.pts()));
            }
        }
        let nothing = || VideoError::damaged("no picture could be decoded");
        let first = pace.first().ok_or_else(nothing)?;
        let begins_s = graph.ok_or_else(nothing)?.base(0)?.seconds(first);
        self.window = Window { first: Some(first), firsts, begins_s: Some(begins_s), ..self.window.clone() };
        Ok(())
    }

    /// Opens the film where its part begins. Answers also the pictures that were decoded on the way and are needed.
    fn go_to(&self, begins_s: f64, halt: &Halt<'_>) -> Result<(Frames, VecDeque<Video>), VideoError> {
        let from_s = begins_s + self.window.part.begins_s();
        let wanted = (PICTURES_BEFORE * self.source.probe.frame_rate / self.plan.frame_rate).ceil() as usize;
        let mut back_s = GO_BACK_S;
        loop {
            let mut frames = self.open()?;
            let sought = from_s - back_s > begins_s && frames.seek(from_s - back_s).is_ok();
            if !sought {
                frames = self.open()?;
            }
            let (mut before, mut met) = (VecDeque::new(), 0);
            let mut frame = Video::empty();
            while frames.next(&mut frame)? {
                halt.check()?;
                let at_s = frame.pts().map(|at| frames.base().seconds(at));
                before.push_back(std::mem::replace(&mut frame, Video::empty()));
                if at_s.is_some_and(|at_s| at_s >= from_s) {
                    break;
                }
                met += 1;
                if met > wanted {
                    before.pop_front();
                }
            }
            if met >= wanted || !sought {
                return Ok((frames, before));
            }
            back_s *= GO_BACK_FURTHER;
        }
    }

    /// Where decoding begins, and what was decoded already.
    fn begin(&self, halt: &Halt<'_>) -> Result<(Frames, VecDeque<Video>), VideoError> {
        if let Some(begins_s) = self.window.begins_s {
            return self.go_to(begins_s, halt);
        }
        let mut frames = self.open()?;
        if let Some(span) = self.order.span {
            frames.seek(span.start_s)?;
        }
        Ok((frames, VecDeque::new()))
    }

    /// Decodes the film. `told` hears how much of it is done, from 0 to 1.
    pub(crate) fn show(
        &self,
        outlets: &Outlets,
        halt: &Halt<'_>,
        told: &mut dyn FnMut(f64),
    ) -> Result<Seen, VideoError> {
        let (mut frames, mut decoded_before) = self.begin(halt)?;
        let announced = self.announced_s();
        let mut show = Show::new(self, outlets, frames.base(), announced)?;
        let mut frame = Video::empty();
        let (mut decoded, mut origin, mut last) = (0, None, 0);
        while !show.is_over {
            match decoded_before.pop_front() {
                Some(before) => frame = before,
                None if frames.next(&mut frame)? => {}
                None => break,
            }
            halt.check()?;
            decoded += 1;
            self.limits.check_frames(decoded)?;
            let at = frame.pts().unwrap_or(last + 1);
            last = at;
            frame.set_pts(Some(at));
            let seconds = frames.base().seconds(at - *origin.get_or_insert(at));
            self.limits.check_duration(seconds + self.window.part.begins_s())?;
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
    outlets: &'a Outlets,
    graph: Option<(Shape, Graph)>,
    /// Ticks of what the decoder gives.
    input: TimeBase,
    /// Ticks of what the filters give.
    base: TimeBase,
    pace: Pace,
    stills: Option<Chosen>,
    /// Whether a picture after the part was seen.
    is_over: bool,
}

impl<'a> Show<'a> {
    fn new(
        film: &'a Film<'a>,
        outlets: &'a Outlets,
        input: TimeBase,
        announced: Option<f64>,
    ) -> Result<Self, VideoError> {
        let smallest = film.plan.rungs.last().ok_or_else(|| VideoError::damaged("there is no rung"))?;
        let stills = (film.window.part == Part::WHOLE).then(|| Chosen {
            poster: Poster::new(announced),
            storyboard: Storyboard::new(smallest, announced),
        });
        let pace = Pace::since(film.window.first);
        if let Some(begins_s) = film.window.begins_s {
            // Whoever makes no sound has nobody who waits for it.
            let _ = outlets.begins.send(begins_s);
        }
        Ok(Self { film, outlets, graph: None, input, base: input, pace, stills, is_over: false })
    }

    fn take(&mut self, frame: &mut Video) -> Result<(), VideoError> {
        frame.set_kind(picture::Type::None);
        let shape = Shape::of(frame);
        if self.graph.as_ref().is_none_or(|(known, _)| *known != shape) {
            // The picture changed its size or its pixels in the middle: what the old filters hold comes out first.
            self.flush()?;
            let mut graph = self.film.filters(shape, self.input)?;
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
            let at = self.pace.take(frame.pts());
            let after = |at| self.film.window.place(self.base, at) == Place::After;
            self.is_over = self.is_over || at.is_some_and(after);
        }
        let Some(Chosen { poster, storyboard }) = &mut self.stills else { return Ok(()) };
        let at_s = self.base.seconds(frame.pts().unwrap_or_default() - self.pace.first().unwrap_or_default());
        if rung == self.film.poster {
            poster.offer(frame, at_s);
        }
        if rung + 1 == rungs {
            storyboard.offer(frame, at_s)?;
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
        Ok(Seen { seconds, damaged, stills: self.stills })
    }
}
