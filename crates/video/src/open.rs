//! Opening strangers' files: local ones only, in boxes and codecs that cameras and editors write, and nothing that
//! names another file.

use std::{path::Path, sync::Once};

use ffmpeg_next as ffmpeg;
use ffmpeg_next::{Dictionary, codec::Id, format::context::Input};

use crate::VideoError;

/// The demuxers. None of them opens a second file: no playlists, no lists of parts, no device, no network.
const FORMATS: &str = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf";

/// What pictures may be coded in.
pub(crate) const VIDEO_CODECS: &[Id] = &[
    Id::H264,
    Id::HEVC,
    Id::AV1,
    Id::VP8,
    Id::VP9,
    Id::MPEG4,
    Id::MPEG2VIDEO,
    Id::MPEG1VIDEO,
    Id::H263,
    Id::MJPEG,
    Id::PRORES,
    Id::DNXHD,
    Id::DVVIDEO,
    Id::VC1,
    Id::WMV3,
];

/// What sound may be coded in. Sound in anything else is left out of the film, and the report says so.
pub(crate) const AUDIO_CODECS: &[Id] = &[
    Id::AAC,
    Id::MP2,
    Id::MP3,
    Id::AC3,
    Id::EAC3,
    Id::OPUS,
    Id::VORBIS,
    Id::FLAC,
    Id::ALAC,
    Id::PCM_S16LE,
    Id::PCM_S16BE,
    Id::PCM_S24LE,
    Id::PCM_S24BE,
    Id::PCM_S32LE,
    Id::PCM_F32LE,
    Id::PCM_U8,
    Id::PCM_ALAW,
    Id::PCM_MULAW,
    Id::AMR_NB,
    Id::AMR_WB,
    Id::WMAV2,
];

static READY: Once = Once::new();

/// Sets libav up, once. It would write to stderr what it thinks of a file; what matters comes back as an error.
pub(crate) fn ready() {
    READY.call_once(|| {
        // Registers what the library has; it has nothing to fail with.
        let _ = ffmpeg::init();
        ffmpeg::log::set_level(ffmpeg::log::Level::Quiet);
    });
}

/// Opens a film and reads its header.
pub(crate) fn open(path: &Path, streams_max: u32) -> Result<Input, VideoError> {
    ready();
    let path = path.to_str().ok_or_else(|| VideoError::Scratch {
        step: "opening the film",
        detail: "the name of the file is not UTF-8".to_owned(),
    })?;
    let streams_max = streams_max.to_string();
    let options = Dictionary::from_iter([
        ("protocol_whitelist", "file"),
        ("format_whitelist", FORMATS),
        ("max_streams", streams_max.as_str()),
        // A sample table of MOV can name other files; this is libav's default, said aloud.
        ("enable_drefs", "0"),
    ]);
    // The protocol is named, so that no part of the path can be taken for one.
    ffmpeg::format::input_with_dictionary(&format!("file:{path}"), options).map_err(|error| match error {
        ffmpeg::Error::Other { errno: ffmpeg::error::ENOENT | ffmpeg::error::EACCES } => {
            VideoError::Scratch { step: "opening the film", detail: error.to_string() }
        }
        ffmpeg::Error::Other { errno: ffmpeg::error::EINVAL } => {
            VideoError::unsupported("it is of a kind that nobody films in")
        }
        _ => VideoError::unsupported(error),
    })
}
