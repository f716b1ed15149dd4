//! What the threads made, put together: playlists, the progressive file, the poster, the storyboard, the report.

use std::{fs, path::Path};

use crate::{
    AudioMade, Event, FileKind, FileMade, Made, Plan, Probe, RungMade, VideoError,
    audio::Sound,
    fragments::Track,
    halt::Halt,
    picture::{Chosen, Seen},
    playlist::{self, Rate, Variant},
    progressive,
    rung::Encoded,
    still::{Stills, jpeg},
    transcode::Taker,
};

/// Progress when everything is encoded.
const ENCODED_PERCENT: u8 = 97;

/// Everything known until now.
pub(crate) struct Gather<'a> {
    folder: &'a Path,
    probe: &'a Probe,
    plan: &'a Plan,
    tell: &'a mut dyn FnMut(Event),
    rungs: Vec<Option<(Encoded, Variant)>>,
    sound: Option<(Sound, Rate)>,
    sound_is_settled: bool,
    seen: Option<Seen>,
    announced: bool,
    files: Vec<FileMade>,
    /// What was damaged, in words.
    faults: Vec<String>,
}

impl<'a> Gather<'a> {
    pub(crate) fn new(
        folder: &'a Path,
        probe: &'a Probe,
        plan: &'a Plan,
        tell: &'a mut dyn FnMut(Event),
    ) -> Self {
        Self {
            folder,
            probe,
            plan,
            tell,
            rungs: vec![None; plan.rungs.len()],
            sound: None,
            sound_is_settled: probe.audio.is_none(),
            seen: None,
            announced: false,
            files: Vec::new(),
            faults: Vec::new(),
        }
    }

    /// Says once that there is something to play.
    fn announce(&mut self) -> Result<(), VideoError> {
        if self.announced || !self.sound_is_settled {
            return Ok(());
        }
        let done =
            self.rungs.iter().zip(&self.plan.rungs).find_map(|(made, rung)| {
                made.as_ref().map(|(_, variant)| (variant.clone(), rung.name.clone()))
            });
        let Some((variant, rung)) = done else { return Ok(()) };
        self.announced = true;
        let text = playlist::master(&[variant], self.sound_line())?;
        // Which rung is first is chance; what a name stands for is not.
        let name = format!("first-{rung}.m3u8");
        let ready = vec![self.write(&name, FileKind::First, text.as_bytes(), None)?];
        self.ready(ready);
        (self.tell)(Event::Playable { playlist: name, rung });
        Ok(())
    }

    fn sound_line(&self) -> Option<(&'static str, Rate)> {
        self.sound.as_ref().map(|(_, rate)| ("audio.m3u8", *rate))
    }

    /// What can only be made when everything else is.
    pub(crate) fn finish(mut self, ordinary: usize, halt: &Halt<'_>) -> Result<Made, VideoError> {
        self.progress(ENCODED_PERCENT, None);
        let missing = || VideoError::Encode { step: "gathering", detail: "a part is missing".to_owned() };
        let seen = self.seen.take().ok_or_else(missing)?;
        let rungs: Vec<(Encoded, Variant)> =
            std::mem::take(&mut self.rungs).into_iter().collect::<Option<_>>().ok_or_else(missing)?;
        let variants: Vec<Variant> = rungs.iter().map(|(_, variant)| variant.clone()).collect();
        if let Some(stills) = seen.stills {
            self.stills(stills, seen.seconds, ordinary)?;
        }
        halt.check()?;
        if let Some((encoded, _)) = rungs.get(ordinary) {
            self.progressive(&encoded.track, ordinary, halt)?;
        }
        let text = playlist::master(&variants, self.sound_line())?;
        let ready = vec![self.write("master.m3u8", FileKind::Master, text.as_bytes(), None)?];
        self.ready(ready);
        let rung = |((encoded, variant), rung): (&(Encoded, Variant), &crate::Rung)| RungMade {
            name: rung.name.clone(),
            width: rung.width,
            height: rung.height,
            frames: encoded.track.packets,
            codec: encoded.codec.clone(),
            bandwidth: variant.rate.peak,
            average_bandwidth: variant.rate.mean,
        };
        Ok(Made {
            probe: self.probe.clone(),
            duration_ms: (seen.seconds * 1_000.0).round() as u64,
            rungs: rungs.iter().zip(&self.plan.rungs).map(rung).collect(),
            audio: self.sound.as_ref().map(|(sound, rate)| AudioMade {
                loudness: sound.loudness,
                gain_db: sound.gain_db,
                bandwidth: rate.peak,
                average_bandwidth: rate.mean,
            }),
            files: self.files,
            degraded: (!self.faults.is_empty()).then(|| self.faults.join("; ")),
        })
    }

    fn stills(
        &mut self,
        Chosen { poster, storyboard }: Chosen,
        seconds: f64,
        ordinary: usize,
    ) -> Result<(), VideoError> {
        let mut ready = Vec::new();
        if let (Some(frame), Some(rung)) = (poster.chosen(), self.plan.rungs.get(ordinary)) {
            let mut still = Stills::new(rung.width, rung.height).take(&frame)?;
            let shown = Some((rung.name.as_str(), rung.width, rung.height));
            ready.push(self.write("poster.jpg", FileKind::Poster, &jpeg(&mut still)?, shown)?);
        }
        if let Some((mut sheet, list)) = storyboard.finish("storyboard.jpg", seconds) {
            let (width, height) = (sheet.width(), sheet.height());
            let mut file = self.write("storyboard.jpg", FileKind::Storyboard, &jpeg(&mut sheet)?, None)?;
            (file.width, file.height) = (Some(width), Some(height));
            ready.push(file);
            ready.push(self.write("storyboard.vtt", FileKind::Thumbnails, list.as_bytes(), None)?);
        }
        self.ready(ready);
        Ok(())
    }

    fn progressive(&mut self, track: &Track, ordinary: usize, halt: &Halt<'_>) -> Result<(), VideoError> {
        let name = "film.mp4";
        let sound = self.sound.as_ref().map(|(sound, _)| &sound.track);
        let bytes = progressive::write(&self.folder.join(name), track, sound, halt)?;
        let rung = &self.plan.rungs[ordinary];
        let shown = Some((rung.name.as_str(), rung.width, rung.height));
        let ready = vec![known(name, FileKind::Progressive, bytes, shown)];
        self.ready(ready);
        Ok(())
    }

    /// There is sound, and it could not be made: a film whose sound is damaged is still a film.
    pub(crate) fn without_sound(&mut self, why: &str) -> Result<(), VideoError> {
        self.sound_is_settled = true;
        self.faults.push(format!("the sound could not be decoded ({why})"));
        self.announce()
    }

    fn ready(&mut self, files: Vec<FileMade>) {
        self.files.extend(files.iter().cloned());
        if !files.is_empty() {
            (self.tell)(Event::Ready(files));
        }
    }

    fn write(
        &self,
        name: &str,
        kind: FileKind,
        content: &[u8],
        shown: Option<(&str, u32, u32)>,
    ) -> Result<FileMade, VideoError> {
        fs::write(self.folder.join(name), content).map_err(VideoError::scratch("writing a file"))?;
        Ok(known(name, kind, content.len() as u64, shown))
    }
}

impl Taker for Gather<'_> {
    fn progress(&mut self, percent: u8, eta_s: Option<u64>) {
        (self.tell)(Event::Progress { percent, eta_s });
    }

    /// A rung is done.
    fn rung(&mut self, index: usize, encoded: Option<Encoded>) -> Result<(), VideoError> {
        let Some(rung) = self.plan.rungs.get(index) else { return Ok(()) };
        let encoded = encoded.ok_or_else(|| VideoError::damaged("there is no picture in it"))?;
        let name = rung.name.as_str();
        let track = &encoded.track;
        let variant = Variant {
            playlist: format!("{name}.m3u8"),
            keyframes: format!("{name}.keyframes.m3u8"),
            width: rung.width,
            height: rung.height,
            frame_rate: track.frame_rate(),
            codec: encoded.codec.clone(),
            rate: playlist::rate(track),
            keyframe_rate: playlist::keyframe_rate(track),
        };
        let shown = Some((name, rung.width, rung.height));
        let ready = vec![
            known(&track.name(), FileKind::Video, track.bytes, shown),
            self.write(&variant.playlist, FileKind::Playlist, playlist::media(track)?.as_bytes(), shown)?,
            self.write(
                &variant.keyframes,
                FileKind::Keyframes,
                playlist::keyframes(track)?.as_bytes(),
                shown,
            )?,
        ];
        self.ready(ready);
        self.rungs[index] = Some((encoded, variant));
        self.announce()
    }

    /// The sound is done, or could not be made.
    fn sound(&mut self, sound: Result<Sound, VideoError>) -> Result<(), VideoError> {
        let sound = match sound {
            Ok(sound) => sound,
            Err(error) if error.is_permanent() => return self.without_sound(&error.to_string()),
            Err(error) => return Err(error),
        };
        self.sound_is_settled = true;
        if sound.damaged > 0 {
            self.faults.push(format!("{} pieces of the sound could not be decoded", sound.damaged));
        }
        let text = playlist::media(&sound.track)?;
        let ready = vec![
            known(&sound.track.name(), FileKind::Audio, sound.track.bytes, None),
            self.write("audio.m3u8", FileKind::AudioPlaylist, text.as_bytes(), None)?,
        ];
        self.ready(ready);
        let rate = playlist::rate(&sound.track);
        self.sound = Some((sound, rate));
        self.announce()
    }

    /// The whole film was decoded.
    fn picture(&mut self, seen: Seen) {
        if seen.damaged > 0 {
            self.faults.push(format!("{} pieces of the picture could not be decoded", seen.damaged));
        }
        let announced = self.probe.duration_ms.unwrap_or_default();
        let made = (seen.seconds * 1_000.0) as u64;
        if self.plan.whole && made + announced / 20 + 1_000 < announced {
            self.faults.push(format!("the film ends after {made} ms and said it had {announced} ms"));
        }
        self.seen = Some(seen);
    }
}

fn known(name: &str, kind: FileKind, bytes: u64, shown: Option<(&str, u32, u32)>) -> FileMade {
    FileMade {
        name: name.to_owned(),
        kind,
        rung: shown.map(|(rung, _, _)| rung.to_owned()),
        bytes,
        width: shown.map(|(_, width, _)| width),
        height: shown.map(|(_, _, height)| height),
    }
}
