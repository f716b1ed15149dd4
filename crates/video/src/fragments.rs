//! Writing one stream as a fragmented MP4, and remembering where every fragment lies.

use std::{
    fs::File,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use ffmpeg_next as ffmpeg;
use ffmpeg_next::{Dictionary, Packet, codec::Context, format::context::Output};

use serde::{Deserialize, Serialize};

use crate::{
    VideoError, boxes,
    error::failed,
    ffi,
    timeline::{GOP_S, TimeBase},
};

/// Largest header of a fragment that is read back; one of two seconds has some kilobytes.
pub(crate) const MOOF_BYTES_MAX: u32 = 4 * 1024 * 1024;

/// One fragment: a group of pictures, or a segment of sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fragment {
    /// Where it begins in the file.
    pub(crate) offset: u64,
    /// Its size.
    pub(crate) bytes: u64,
    /// When it begins, in ticks since the beginning.
    pub(crate) start: i64,
    /// How many of its bytes hold the first picture.
    pub(crate) key_bytes: u64,
    /// Packets in it: of a film its pictures. A part that was made before they were counted has none.
    #[serde(default)]
    pub(crate) packets: u64,
}

/// A finished file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Track {
    /// Not in a report: files travel.
    #[serde(skip)]
    pub(crate) path: PathBuf,
    pub(crate) base: TimeBase,
    /// Ticks a second, as the file counts them.
    pub(crate) timescale: u32,
    /// When decoding begins, in ticks of `base` since the beginning of the film.
    pub(crate) first_dts: i64,
    /// Size of the part that every fragment needs before it.
    pub(crate) init_bytes: u64,
    pub(crate) fragments: Vec<Fragment>,
    /// When it ends, in ticks since the beginning.
    pub(crate) end: i64,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
}

/// A file that is being written.
pub(crate) struct Writer {
    output: Output,
    path: PathBuf,
    base: TimeBase,
    /// Ticks as the muxer counts them.
    muxed: ffmpeg::Rational,
    /// The packet before the next: its length is known when that comes.
    held: Option<Packet>,
    /// How far decoding runs ahead of showing.
    ahead: Option<i64>,
    first_dts: Option<i64>,
    init_bytes: u64,
    done: Vec<Fragment>,
    open: Option<i64>,
    written: u64,
    packets: u64,
    /// Those in the fragments that are done.
    cut_packets: u64,
}

impl Writer {
    /// Begins a file for what `encoder` gives, in ticks of `base`.
    pub(crate) fn create(path: &Path, encoder: &Context, base: TimeBase) -> Result<Self, VideoError> {
        let name = path.to_str().ok_or_else(|| VideoError::Scratch {
            step: "writing a stream",
            detail: "the name of the folder is not UTF-8".to_owned(),
        })?;
        let open = || {
            let mut output = ffmpeg::format::output_as(&format!("file:{name}"), "mp4")?;
            output.add_stream_with(encoder)?.set_time_base(base.rational());
            let options = Dictionary::from_iter([
                ("movflags", "+frag_custom+delay_moov+default_base_moof"),
                ("fflags", "+bitexact"),
            ]);
            output.write_header_with(options).map(drop)?;
            let muxed = output.stream(0).ok_or(ffmpeg::Error::StreamNotFound)?.time_base();
            Ok((output, muxed))
        };
        let (output, muxed) = open().map_err(failed("beginning a stream"))?;
        Ok(Self {
            output,
            path: path.to_path_buf(),
            base,
            muxed,
            held: None,
            ahead: None,
            first_dts: None,
            init_bytes: 0,
            done: Vec::new(),
            open: None,
            written: 0,
            packets: 0,
            cut_packets: 0,
        })
    }

    /// Adds a packet. A packet with `begins` starts a fragment at that tick.
    pub(crate) fn write(&mut self, packet: Packet, begins: Option<i64>) -> Result<(), VideoError> {
        let dts = packet.dts().ok_or_else(|| VideoError::Encode {
            step: "encoding",
            detail: "a packet without a time".to_owned(),
        })?;
        self.first_dts.get_or_insert(dts);
        self.ahead.get_or_insert(packet.pts().unwrap_or(dts) - dts);
        if let Some(mut held) = self.held.take() {
            // Fragments are cut between packets, so a length must lead exactly to the packet that follows.
            held.set_duration((dts - held.dts().unwrap_or(dts)).max(1));
            self.put(held)?;
        }
        if let Some(start) = begins {
            self.cut()?;
            self.open = Some(start);
        }
        self.held = Some(packet);
        Ok(())
    }

    /// Ends the file, so that the whole lasts until `end`.
    pub(crate) fn finish(self, end: i64) -> Result<Track, VideoError> {
        // By as much as it began early, decoding ends early.
        let decoded = end - self.ahead.unwrap_or_default();
        self.finish_before(end, decoded)
    }

    /// Ends the file, so that the whole lasts until `end`, and decoding until `decoded`.
    pub(crate) fn finish_before(mut self, end: i64, decoded: i64) -> Result<Track, VideoError> {
        if let Some(mut held) = self.held.take() {
            held.set_duration((decoded - held.dts().unwrap_or(decoded)).max(1));
            self.put(held)?;
        }
        self.cut()?;
        self.output.write_trailer().map_err(failed("ending a stream"))?;
        let timescale = self.muxed.denominator().unsigned_abs();
        let first_dts = self.first_dts.unwrap_or_default();
        let Self { output, path, base, init_bytes, done: fragments, packets, .. } = self;
        drop(output);
        let bytes = std::fs::metadata(&path).map_err(VideoError::scratch("ending a stream"))?.len();
        let mut track =
            Track { path, base, timescale, first_dts, init_bytes, fragments, end, packets, bytes };
        track.measure_keys()?;
        Ok(track)
    }

    fn put(&mut self, mut packet: Packet) -> Result<(), VideoError> {
        packet.set_stream(0);
        packet.rescale_ts(self.base.rational(), self.muxed);
        self.packets += 1;
        packet.write(&mut self.output).map(drop).map_err(failed("writing a stream"))
    }

    fn cut(&mut self) -> Result<(), VideoError> {
        let Some(start) = self.open.take() else { return Ok(()) };
        if self.init_bytes == 0 {
            // The first flush writes what describes the stream, which its first packets had to be seen for.
            self.init_bytes = ffi::end_fragment(&mut self.output).map_err(failed("writing a stream"))?;
            self.written = self.init_bytes;
        }
        let written = ffi::end_fragment(&mut self.output).map_err(failed("writing a stream"))?;
        let bytes = written.saturating_sub(self.written);
        let packets = self.packets - self.cut_packets;
        self.done.push(Fragment { offset: self.written, bytes, start, key_bytes: 0, packets });
        self.written = written;
        self.cut_packets = self.packets;
        Ok(())
    }
}

impl Track {
    /// Looks up where the first picture of every fragment ends.
    fn measure_keys(&mut self) -> Result<(), VideoError> {
        let read = VideoError::scratch;
        let file = File::open(&self.path).map_err(read("reading a stream back"))?;
        for fragment in &mut self.fragments {
            let mut head = [0; 4];
            file.read_exact_at(&mut head, fragment.offset).map_err(read("reading a stream back"))?;
            let bytes = boxes::box_bytes(&head).filter(|bytes| (8..=MOOF_BYTES_MAX).contains(bytes));
            let mut moof = vec![0; bytes.unwrap_or_default() as usize];
            file.read_exact_at(&mut moof, fragment.offset).map_err(read("reading a stream back"))?;
            fragment.key_bytes = boxes::first_sample_end(&moof)
                .filter(|bytes| *bytes <= fragment.bytes)
                .ok_or_else(|| VideoError::Encode {
                    step: "writing a stream",
                    detail: format!("no fragment begins at byte {}", fragment.offset),
                })?;
        }
        Ok(())
    }

    /// How long each fragment lasts, in seconds.
    pub(crate) fn lengths(&self) -> impl Iterator<Item = (&Fragment, f64)> {
        let ends = self.fragments.iter().skip(1).map(|next| next.start).chain([self.end]);
        self.fragments
            .iter()
            .zip(ends)
            .map(|(fragment, end)| (fragment, self.base.seconds(end - fragment.start)))
    }

    /// The most pictures a second that a group of pictures has: films of telephones have more in some than in others. A last
    /// one that is short says nothing.
    pub(crate) fn frame_rate(&self) -> f64 {
        let mean = self.packets as f64 / self.seconds().max(0.001);
        let whole = self.lengths().filter(|(_, seconds)| *seconds >= GOP_S as f64 / 2.0);
        whole.map(|(fragment, seconds)| fragment.packets as f64 / seconds).fold(mean, f64::max)
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.base.seconds(self.end)
    }

    pub(crate) fn name(&self) -> String {
        self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }
}
