//! Playlists, written from what was measured: HLS with byte ranges into one file for each rung.

use m3u8_rs::{
    AlternativeMedia, AlternativeMediaType, ByteRange, Map, MasterPlaylist, MediaPlaylist, MediaPlaylistType,
    MediaSegment, Resolution, VariantStream,
};

use crate::{VideoError, fragments::Track, timeline::SEGMENT_S};

/// Byte ranges in fragmented MP4, and independent segments: version 7 of the protocol.
const VERSION: usize = 7;
/// The sound's place in the master playlist.
const SOUND: &str = "audio";
/// How the sound is coded: AAC-LC.
const SOUND_CODEC: &str = "mp4a.40.2";

/// One rung, as the master playlist shows it.
#[derive(Debug, Clone)]
pub(crate) struct Variant {
    pub(crate) playlist: String,
    pub(crate) keyframes: String,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) frame_rate: f64,
    pub(crate) codec: String,
    pub(crate) rate: Rate,
    pub(crate) keyframe_rate: Rate,
}

/// Bits a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    /// Of the largest run of segments that lasts half to one and a half target durations (RFC 8216, 4.1).
    pub(crate) peak: u64,
    /// Over the whole.
    pub(crate) mean: u64,
}

impl Rate {
    /// Of segments with these bytes and seconds.
    fn of(segments: &[(u64, f64)]) -> Self {
        let rate = |bytes: u64, seconds: f64| (bytes as f64 * 8.0 / seconds.max(0.001)).ceil() as u64;
        let (bytes, seconds) = segments
            .iter()
            .fold((0, 0.0), |(bytes, seconds), segment| (bytes + segment.0, seconds + segment.1));
        let mean = rate(bytes, seconds);
        let target = segments.iter().map(|(_, seconds)| seconds.round()).fold(1.0, f64::max);
        let runs = (0..segments.len()).flat_map(|from| runs(&segments[from..], target));
        let peak = runs.map(|(bytes, seconds)| rate(bytes, seconds)).max().unwrap_or(mean).max(mean);
        Self { peak, mean }
    }
}

/// What the first segments come to, first one, then two and so on, while that is neither much shorter nor much longer than
/// `target`.
fn runs(segments: &[(u64, f64)], target: f64) -> impl Iterator<Item = (u64, f64)> {
    let sums = segments.iter().scan((0, 0.0), |(bytes, seconds), segment| {
        *bytes += segment.0;
        *seconds += segment.1;
        Some((*bytes, *seconds))
    });
    sums.take_while(move |(_, seconds)| *seconds <= target * 1.5)
        .filter(move |(_, seconds)| *seconds >= target * 0.5)
}

/// A stretch of a file that plays by itself.
struct Segment {
    offset: u64,
    bytes: u64,
    seconds: f64,
}

fn segments(track: &Track) -> Vec<Segment> {
    let mut segments: Vec<(i64, Segment)> = Vec::new();
    for (fragment, seconds) in track.lengths() {
        let stretch = track.base.stretch(fragment.start, SEGMENT_S);
        match segments.last_mut().filter(|(last, _)| *last == stretch) {
            Some((_, segment)) => {
                segment.bytes += fragment.bytes;
                segment.seconds += seconds;
            }
            None => {
                segments.push((stretch, Segment { offset: fragment.offset, bytes: fragment.bytes, seconds }));
            }
        }
    }
    segments.into_iter().map(|(_, segment)| segment).collect()
}

fn key_frames(track: &Track) -> Vec<Segment> {
    let key = |(fragment, seconds): (&crate::fragments::Fragment, f64)| Segment {
        offset: fragment.offset,
        bytes: fragment.key_bytes,
        seconds,
    };
    track.lengths().map(key).collect()
}

/// What a rung or the sound needs.
pub(crate) fn rate(track: &Track) -> Rate {
    Rate::of(&segments(track).iter().map(|segment| (segment.bytes, segment.seconds)).collect::<Vec<_>>())
}

/// What scrubbing needs.
pub(crate) fn keyframe_rate(track: &Track) -> Rate {
    Rate::of(&key_frames(track).iter().map(|segment| (segment.bytes, segment.seconds)).collect::<Vec<_>>())
}

/// The playlist of one file.
pub(crate) fn media(track: &Track) -> Result<String, VideoError> {
    let playlist = playlist(track, segments(track));
    text(|to| playlist.write_to(to))
}

/// The key frames of one file.
pub(crate) fn keyframes(track: &Track) -> Result<String, VideoError> {
    let playlist = MediaPlaylist { i_frames_only: true, ..playlist(track, key_frames(track)) };
    text(|to| playlist.write_to(to))
}

fn playlist(track: &Track, segments: Vec<Segment>) -> MediaPlaylist {
    let uri = track.name();
    let longest = segments.iter().map(|segment| segment.seconds.round() as u64).max().unwrap_or_default();
    let init = Map {
        uri: uri.clone(),
        byte_range: Some(ByteRange { length: track.init_bytes, offset: Some(0) }),
        ..Map::default()
    };
    let mut segments: Vec<MediaSegment> = segments
        .into_iter()
        .map(|segment| MediaSegment {
            uri: uri.clone(),
            duration: segment.seconds as f32,
            byte_range: Some(ByteRange { length: segment.bytes, offset: Some(segment.offset) }),
            ..MediaSegment::empty()
        })
        .collect();
    if let Some(first) = segments.first_mut() {
        first.map = Some(init);
    }
    MediaPlaylist {
        version: Some(VERSION),
        target_duration: longest.max(1),
        segments,
        end_list: true,
        playlist_type: Some(MediaPlaylistType::Vod),
        independent_segments: true,
        ..MediaPlaylist::default()
    }
}

/// The playlist of playlists, best first. `sound` is the playlist of the sound and what it needs.
pub(crate) fn master(variants: &[Variant], sound: Option<(&str, Rate)>) -> Result<String, VideoError> {
    let alternatives = sound.iter().map(|(uri, _)| AlternativeMedia {
        media_type: AlternativeMediaType::Audio,
        uri: Some((*uri).to_owned()),
        group_id: SOUND.to_owned(),
        name: "Sound".to_owned(),
        default: true,
        autoselect: true,
        channels: Some("2".to_owned()),
        ..AlternativeMedia::default()
    });
    let extra = sound.map_or(Rate { peak: 0, mean: 0 }, |(_, rate)| rate);
    let plain = variants.iter().map(|variant| VariantStream {
        uri: variant.playlist.clone(),
        bandwidth: variant.rate.peak + extra.peak,
        average_bandwidth: Some(variant.rate.mean + extra.mean),
        codecs: Some(if sound.is_some() {
            format!("{},{SOUND_CODEC}", variant.codec)
        } else {
            variant.codec.clone()
        }),
        frame_rate: Some((variant.frame_rate * 1_000.0).round() / 1_000.0),
        audio: sound.map(|_| SOUND.to_owned()),
        ..common(variant)
    });
    let scrubbing = variants.iter().map(|variant| VariantStream {
        is_i_frame: true,
        uri: variant.keyframes.clone(),
        bandwidth: variant.keyframe_rate.peak,
        average_bandwidth: Some(variant.keyframe_rate.mean),
        codecs: Some(variant.codec.clone()),
        ..common(variant)
    });
    let master = MasterPlaylist {
        version: Some(VERSION),
        independent_segments: true,
        alternatives: alternatives.collect(),
        variants: plain.chain(scrubbing).collect(),
        ..MasterPlaylist::default()
    };
    text(|to| master.write_to(to))
}

fn common(variant: &Variant) -> VariantStream {
    let (width, height) = (u64::from(variant.width), u64::from(variant.height));
    VariantStream { resolution: Some(Resolution { width, height }), ..VariantStream::default() }
}

fn text(write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> Result<String, VideoError> {
    let mut bytes = Vec::new();
    write(&mut bytes).map_err(VideoError::scratch("writing a playlist"))?;
    String::from_utf8(bytes)
        .map_err(|error| VideoError::Encode { step: "writing a playlist", detail: error.to_string() })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::{fragments::Fragment, timeline::TimeBase};

    fn track() -> Track {
        let fragment = |i: u64| Fragment {
            offset: 700 + i * 1_000,
            bytes: 1_000,
            start: i as i64 * 60_060,
            key_bytes: 400,
            packets: 60,
        };
        Track {
            path: PathBuf::from("720p.mp4"),
            base: TimeBase::new(1, 30_000),
            timescale: 30_000,
            first_dts: 0,
            init_bytes: 700,
            fragments: (0..5).map(fragment).collect(),
            end: 5 * 60_060,
            packets: 300,
            bytes: 5_700,
        }
    }

    #[test]
    fn groups_make_segments_of_six_seconds() {
        let text = media(&track()).unwrap();
        let wanted = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-TARGETDURATION:6\n\
            #EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-MAP:URI=\"720p.mp4\",BYTERANGE=\"700@0\"\n\
            #EXT-X-BYTERANGE:3000@700\n#EXTINF:6.006,\n720p.mp4\n\
            #EXT-X-BYTERANGE:2000@3700\n#EXTINF:4.004,\n720p.mp4\n#EXT-X-ENDLIST\n";
        assert_eq!(text, wanted);
    }

    #[test]
    fn scrubbing_reads_first_pictures_only() {
        let text = keyframes(&track()).unwrap();
        assert!(
            text.contains("#EXT-X-I-FRAMES-ONLY\n")
                && text.contains("#EXT-X-BYTERANGE:400@2700\n#EXTINF:2.002,")
        );
    }

    #[test]
    fn rates_are_of_the_largest_run_about_as_long_as_a_segment_and_never_below_the_mean() {
        assert_eq!(Rate::of(&[(6_000, 6.0), (3_000, 6.0), (900, 0.1)]), Rate { peak: 8_000, mean: 6_546 });
        assert_eq!(Rate::of(&[(1_000, 1.0)]), Rate { peak: 8_000, mean: 8_000 });
        let heavy_end = [(3_000, 6.0), (6_000, 6.0), (5_000, 2.9)];
        assert_eq!(Rate::of(&heavy_end), Rate { peak: 9_888, mean: 7_517 });
    }

    #[test]
    fn pictures_a_second_are_those_of_the_busiest_group() {
        let mut track = track();
        assert!((track.frame_rate() - 60.0 / 2.002).abs() < 1e-6);
        track.fragments[1].packets = 120;
        assert!((track.frame_rate() - 120.0 / 2.002).abs() < 1e-6);
        track.end -= 50_000;
        track.fragments[4].packets = 600;
        assert!((track.frame_rate() - 120.0 / 2.002).abs() < 1e-6, "the last one is a third of a second");
    }
}
