//! Films that play in a page: streams in every quality where the browser knows them, else the one file.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use blob::Key;
use maud::{Markup, html};
use serde::Deserialize;
use store::{deliveries, films::FilmFile};

use super::routes::PRIVATE;
use crate::{
    AppState,
    limits::{PLAYLIST_BYTES_MAX, READ_URL_TTL},
    problem::Problem,
};

/// One of the files that a film is played from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part<'a> {
    name: &'a str,
    kind: &'a str,
    media_type: &'a str,
    key: &'a str,
}

impl<'a> From<&'a deliveries::Part> for Part<'a> {
    fn from(part: &'a deliveries::Part) -> Self {
        Self { name: &part.name, kind: &part.kind, media_type: &part.media_type, key: &part.key }
    }
}

impl<'a> From<&'a FilmFile> for Part<'a> {
    fn from(file: &'a FilmFile) -> Self {
        Self { name: &file.name, kind: &file.kind, media_type: &file.media_type, key: &file.object_key }
    }
}

/// What a player may add to the address of a playlist of playlists.
#[derive(Debug, Deserialize)]
pub(crate) struct Wanted {
    /// The one quality that it shall name.
    quality: Option<String>,
}

fn of_kind<'a>(parts: &[Part<'a>], kind: &str) -> Option<Part<'a>> {
    parts.iter().find(|part| part.kind == kind).copied()
}

/// The film, whose files are at `base`. Browsers take the first source that they can play.
pub(crate) fn player(base: &str, parts: &[Part<'_>], name: &str) -> Markup {
    let address = |part: Part<'_>| format!("{base}/{}", part.name);
    html! {
        video controls playsinline preload="none" aria-label=(name) poster=[of_kind(parts, "poster").map(address)] {
            @for kind in ["master", "progressive"] {
                @if let Some(part) = of_kind(parts, kind) { source src=(address(part)) type=(part.media_type); }
            }
        }
    }
}

/// The texts around the qualities of a film.
pub(crate) struct Words<'a> {
    /// Before them.
    pub(crate) quality: &'a str,
    /// The one that the player chooses.
    pub(crate) fits: &'a str,
}

/// In which quality it plays. Shown by `film.js` where the browser knows streams; without it the browser takes what fits.
pub(crate) fn qualities(base: &str, parts: &[Part<'_>], words: &Words<'_>) -> Markup {
    let master = of_kind(parts, "master").map(|part| format!("{base}/{}", part.name));
    let mut rungs: Vec<&str> =
        parts.iter().filter(|part| part.kind == "playlist").filter_map(|part| rung(part.name)).collect();
    rungs.sort_by_key(|rung| std::cmp::Reverse(lines(rung)));
    html! {
        @if let Some(master) = master.filter(|_| rungs.len() > 1) {
            label.quality hidden {
                (words.quality) " "
                select {
                    option value=(master) { (words.fits) }
                    @for rung in rungs { option value={ (master) "?quality=" (rung) } { (rung) } }
                }
            }
        }
    }
}

/// The quality that a playlist is of.
fn rung(playlist: &str) -> Option<&str> {
    playlist.strip_suffix(".m3u8")
}

/// `720p` has 720.
fn lines(rung: &str) -> u32 {
    rung.trim_end_matches('p').parse().unwrap_or_default()
}

/// What a player asks for. Playlists name their neighbours, so they come from here; everything else from where it lies.
pub(crate) async fn serve(app: &AppState, part: Part<'_>, wanted: &Wanted) -> Result<Response, Problem> {
    // HLS playlists and WebVTT.
    if !matches!(part.media_type, "application/vnd.apple.mpegurl" | "text/vtt") {
        return lead_to(app, part.key, None).await;
    }
    let key = Key::parse(part.key).map_err(Problem::internal)?;
    let mut text = app.blobs.get(&key, PLAYLIST_BYTES_MAX).await?;
    if let Some(quality) = wanted.quality.as_deref().filter(|_| part.kind == "master") {
        let whole = str::from_utf8(&text).map_err(Problem::internal)?;
        text = only(whole, quality).ok_or_else(|| Problem::not_found("quality"))?.into();
    }
    let kind = HeaderValue::try_from(part.media_type).map_err(Problem::internal)?;
    Ok((PRIVATE, [(header::CONTENT_TYPE, kind)], text).into_response())
}

/// To the object itself, for a few minutes: each time it is asked for anew.
pub(super) async fn lead_to(app: &AppState, key: &str, name: Option<&str>) -> Result<Response, Problem> {
    let key = Key::parse(key).map_err(Problem::internal)?;
    let url = app.blobs.presign_get(&key, READ_URL_TTL, name).await?.url;
    let to = HeaderValue::try_from(url).map_err(Problem::internal)?;
    Ok((StatusCode::SEE_OTHER, PRIVATE, [(header::LOCATION, to)]).into_response())
}

/// A playlist of playlists with one quality and the sound; none when it has no such quality.
fn only(master: &str, quality: &str) -> Option<String> {
    let (playlist, scrubbing) = (format!("{quality}.m3u8"), format!("URI=\"{quality}.keyframes.m3u8\""));
    let (mut kept, mut is_there) = (String::new(), false);
    let mut keep = |line: &str| {
        kept.push_str(line);
        kept.push('\n');
    };
    let mut lines = master.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("#EXT-X-STREAM-INF:") {
            // The playlist stands in the line after.
            if lines.next() == Some(playlist.as_str()) {
                is_there = true;
                keep(line);
                keep(&playlist);
            }
        } else if !line.starts_with("#EXT-X-I-FRAME-STREAM-INF:") || line.contains(&scrubbing) {
            keep(line);
        }
    }
    is_there.then_some(kept)
}

#[cfg(test)]
mod tests {
    use super::{Part, Words, only, qualities};

    const MASTER: &str = "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,URI=\"audio.m3u8\",GROUP-ID=\"sound\"\n\
        #EXT-X-STREAM-INF:BANDWIDTH=2,AUDIO=\"sound\"\n1080p.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO=\"sound\"\n360p.m3u8\n\
        #EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=2,URI=\"1080p.keyframes.m3u8\"\n\
        #EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI=\"360p.keyframes.m3u8\"\n";

    #[test]
    fn one_quality_keeps_its_streams_and_the_sound() {
        let kept = only(MASTER, "360p").unwrap();
        let names = ["audio.m3u8", "\n360p.m3u8\n", "\"360p.keyframes.m3u8\""];
        assert!(names.iter().all(|name| kept.contains(name)) && !kept.contains("1080p"), "{kept}");
        assert_eq!(kept.matches("AUDIO=\"sound\"").count(), 1);
        for unknown in ["720p", "", "360p.m3u8\n#EXT"] {
            assert_eq!(only(MASTER, unknown), None, "{unknown}");
        }
    }

    #[test]
    fn qualities_are_offered_best_first_where_there_are_several() {
        let part = |name, kind| Part { name, kind, media_type: "application/vnd.apple.mpegurl", key: "" };
        let master = part("master.m3u8", "master");
        let rungs = [part("360p.m3u8", "playlist"), part("1080p.m3u8", "playlist")];
        let words = Words { quality: "Quality", fits: "what fits" };
        let offered = qualities("/films/1", &[master, rungs[0], rungs[1]], &words).into_string();
        let (best, rest) =
            offered.split_once("<option value=\"/films/1/master.m3u8?quality=1080p\">").unwrap();
        assert!(
            best.contains("value=\"/films/1/master.m3u8\"") && rest.contains("?quality=360p"),
            "{offered}"
        );
        assert_eq!(qualities("/films/1", &[master, rungs[0]], &words).into_string(), "");
        assert_eq!(qualities("/films/1", &rungs, &words).into_string(), "");
    }
}
