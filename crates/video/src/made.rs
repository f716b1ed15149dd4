//! What came of it: a report that can be stored.

use serde::{Deserialize, Serialize};

use crate::{Loudness, Probe};

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// The playlist to give to a player: all rungs.
    Master,
    /// A playlist of the first rung that was done, to play while the others are made.
    First,
    /// The playlist of one rung.
    Playlist,
    /// The key frames of one rung, for scrubbing.
    Keyframes,
    /// The playlist of the sound.
    AudioPlaylist,
    /// One rung: a fragmented MP4 without sound.
    Video,
    /// The sound: a fragmented MP4.
    Audio,
    /// Picture and sound in one MP4 that plays while it is loaded.
    Progressive,
    /// The sharpest of some frames.
    Poster,
    /// Many small frames in one picture.
    Storyboard,
    /// Which part of the storyboard belongs to which moment: WebVTT.
    Thumbnails,
}

impl FileKind {
    /// Media type, for `Content-Type`.
    #[must_use]
    pub fn mime(self) -> &'static str {
        match self {
            Self::Master | Self::First | Self::Playlist | Self::Keyframes | Self::AudioPlaylist => {
                "application/vnd.apple.mpegurl"
            }
            Self::Video | Self::Progressive => "video/mp4",
            Self::Audio => "audio/mp4",
            Self::Poster | Self::Storyboard => "image/jpeg",
            Self::Thumbnails => "text/vtt",
        }
    }

    /// The word in rows.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Master => "master",
            Self::First => "first",
            Self::Playlist => "playlist",
            Self::Keyframes => "keyframes",
            Self::AudioPlaylist => "audio_playlist",
            Self::Video => "video",
            Self::Audio => "audio",
            Self::Progressive => "progressive",
            Self::Poster => "poster",
            Self::Storyboard => "storyboard",
            Self::Thumbnails => "thumbnails",
        }
    }
}

/// One file in the folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileMade {
    /// Its name; playlists name others by it, so they stay together.
    pub name: String,
    /// What it is for.
    pub kind: FileKind,
    /// Which rung it belongs to.
    pub rung: Option<String>,
    /// Its size.
    pub bytes: u64,
    /// In pixels, if it shows something.
    pub width: Option<u32>,
    /// In pixels, if it shows something.
    pub height: Option<u32>,
}

/// One rung, as it became.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RungMade {
    /// Its name.
    pub name: String,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// How many pictures it has.
    pub frames: u64,
    /// How it is coded, as playlists say it.
    pub codec: String,
    /// Bits a second of its largest segment.
    pub bandwidth: u64,
    /// Bits a second of its mean.
    pub average_bandwidth: u64,
}

/// The sound, as it became.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AudioMade {
    /// How loud it was.
    pub loudness: Loudness,
    /// By how much it was changed, in decibels.
    pub gain_db: f64,
    /// Bits a second of its largest segment.
    pub bandwidth: u64,
    /// Bits a second of its mean.
    pub average_bandwidth: u64,
}

/// Everything that was made of a film.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Made {
    /// What the source is.
    pub probe: Probe,
    /// How long the film became, in milliseconds.
    pub duration_ms: u64,
    /// The rungs, largest first.
    pub rungs: Vec<RungMade>,
    /// The sound.
    pub audio: Option<AudioMade>,
    /// Every file.
    pub files: Vec<FileMade>,
    /// Why the film may show or sound damaged.
    pub degraded: Option<String>,
}
