//! What the page says. It works without script, by the links on it.

use chrono::{DateTime, Utc};
use jobs::Variant;
use maud::{DOCTYPE, Markup, html};
use store::deliveries::{Archived, Delivery, File, Manifest, Note};

use super::{
    film::{self, Part},
    remarks,
};

/// The page of `delivery` under the path `link`; without archives where one of its files was taken back.
pub(super) fn page(
    link: &str,
    delivery: &Delivery,
    manifest: &Manifest,
    archives: Option<&[Archived]>,
    notes: &[Note],
) -> Markup {
    let base = format!("/d/{link}");
    let files = &manifest.files;
    let best = if manifest.offers(Variant::Original) { Variant::Original } else { Variant::Mls };
    let sha256 = delivery.manifest_sha256.as_deref().unwrap_or_default();
    let body = html! {
        header {
            h1 { (delivery.title) }
            p.soft { (count(files.len())) ", here until " (day(delivery.expires_at)) }
            ul.downloads aria-label="Download everything" {
                @for archive in archives.unwrap_or_default() {
                    @if let Ok(variant) = archive.variant.parse::<Variant>() {
                        li {
                            a href={ (base) "/archive/" (variant) } {
                                "Download all, " (words(variant)) " (" (size(archive.bytes as u64)) ")"
                            }
                        }
                    }
                }
                @if archives.is_none() { li { span.soft { "Some of the files were taken back; download the others one by one." } } }
                @if archives.is_some_and(<[Archived]>::is_empty) { li { span.soft { "The files are being packed; look again in a moment." } } }
            }
            (remarks::verdict(&base, delivery, notes))
        }
        main {
            ul.gallery {
                @for (place, file) in (1..).zip(files) { (tile(&base, place, file, best)) }
            }
            @for (place, file) in (1..).zip(files) {
                @if is_shown(file) { (large(&base, place, files, &remarks::pins(place, notes, sha256), &remarks::asked(&base, place, file, notes, sha256))) }
            }
        }
    };
    document(&delivery.title, Some(&base), &body)
}

/// A page that says one thing.
pub(super) fn notice(title: &str, what: &str) -> Markup {
    document(title, None, &html! { main { h1 { (title) } p { (what) } } })
}

fn document(title: &str, base: Option<&str>, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (title) }
                link rel="stylesheet" href="/d/style.css";
                @if let Some(base) = base {
                    link rel="stylesheet" href={ (base) "/placeholders.css" };
                    script src="/d/page.js" defer {}
                    script src="/d/film.js" defer {}
                }
            }
            body { (body) }
        }
    }
}

/// A file in the gallery, to be had as `best`.
fn tile(base: &str, place: usize, file: &File, best: Variant) -> Markup {
    let download = format!("{base}/files/{place}/{best}");
    if file.is_withheld {
        return html! { li id={ "g" (place) } { p.name { span title=(file.name) { (file.name) } span.soft { "Taken back" } } } };
    }
    html! {
        li id={ "g" (place) } {
            @match &file.grid {
                Some(grid) => a href={ "#p" (place) } {
                    img src={ (base) "/files/" (place) "/grid" } alt=(file.name) loading="lazy" decoding="async"
                        width=[grid.width] height=[grid.height];
                    @if let Some(film) = &file.film { span.length { "▶ " (length(film.duration_ms)) } }
                },
                None => a.file href=(download) { (file.media_type) },
            }
            p.name {
                span title=(file.name) { (file.name) }
                @if let Some(stored) = file.in_variant(best) {
                    a href=(download) { "Download" span.soft { " " (size(stored.bytes)) } }
                }
            }
        }
    }
}

/// A file as large as the window, with `pins` on it and what was `asked` about it.
fn large(base: &str, place: usize, files: &[File], pins: &Markup, asked: &Markup) -> Markup {
    let file = &files[place - 1];
    let can_be_seen = |place: &usize| files.get(place - 1).is_some_and(is_shown);
    let before = (1..place).rev().find(can_be_seen);
    let after = (place + 1..=files.len()).find(can_be_seen);
    let streams = format!("{base}/films/{place}");
    let parts: Vec<Part<'_>> = file.film.iter().flat_map(|film| &film.parts).map(Part::from).collect();
    html! {
        section.large id={ "p" (place) } aria-label=(file.name) {
            nav {
                a data-role="close" href={ "#g" (place) } { "Close" }
                span { (file.name) " · " (place) " of " (files.len()) }
                (film::qualities(&streams, &parts, &film::Words { quality: "Quality", fits: "what fits" }))
                a href={ (base) "/files/" (place) "/mls" } { "Download" }
            }
            figure {
                @match &file.film {
                    Some(_) => (film::player(&streams, &parts, &file.name)),
                    None => img src={ (base) "/files/" (place) "/screen" } alt=(file.name) loading="lazy" decoding="async";,
                }
                (pins)
            }
            (asked)
            nav {
                @if let Some(before) = before { a data-role="prev" rel="prev" href={ "#p" (before) } { "Previous" } }
                @else { span {} }
                @if let Some(after) = after { a data-role="next" rel="next" href={ "#p" (after) } { "Next" } }
            }
        }
    }
}

fn is_shown(file: &File) -> bool {
    !file.is_withheld && (file.screen.is_some() || file.film.is_some())
}

fn length(duration_ms: u64) -> String {
    let seconds = duration_ms.div_ceil(1_000);
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

fn words(variant: Variant) -> &'static str {
    match variant {
        Variant::Mls => "for listings",
        Variant::Print => "for print",
        Variant::MlsBranded => "for listings, with logo",
        Variant::PrintBranded => "for print, with logo",
        Variant::Original => "originals",
    }
}

fn count(files: usize) -> String {
    if files == 1 { "1 file".to_owned() } else { format!("{files} files") }
}

pub(super) fn day(at: DateTime<Utc>) -> String {
    at.format("%-d %B %Y").to_string()
}

fn size(bytes: u64) -> String {
    match bytes {
        0..=999_999 => format!("{} kB", bytes.div_ceil(1_000)),
        1_000_000..=999_999_999 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}
