//! The parts of the page on which people say what they think: approve everything, or ask for a change on one file.

use maud::{Markup, html};
use store::deliveries::{Delivery, File, Note};

use super::page::day;
use crate::limits::NOTE_CHARS_MAX;

/// Whether it is approved, and the button that does it.
pub(super) fn verdict(base: &str, delivery: &Delivery, notes: &[Note]) -> Markup {
    html! {
        section.verdict aria-label="Your verdict" {
            @match delivery.approved_at.filter(|_| delivery.is_approved()) {
                Some(at) => p role="status" { "Approved on " (day(at)) "." },
                None => form method="post" action={ (base) "/approve" } {
                    button { "Approve everything" }
                    span.soft { " or open a file and ask for a change" }
                },
            }
            @if !notes.is_empty() { p.soft { (changes(notes.len())) } }
        }
    }
}

fn changes(notes: usize) -> String {
    if notes == 1 { "1 change was asked for.".to_owned() } else { format!("{notes} changes were asked for.") }
}

/// Where on the picture of `place` something was asked for.
pub(super) fn pins(place: usize, notes: &[Note], manifest_sha256: &str) -> Markup {
    html! {
        @for note in on(place, notes, manifest_sha256).filter(|note| note.x.is_some()) {
            a.pin id={ "n" (note.number) } href={ "#p" (place) } title=(note.text) { (note.number) }
        }
    }
}

/// What was asked for on `place`, and the form for more.
pub(super) fn asked(base: &str, place: usize, file: &File, notes: &[Note], manifest_sha256: &str) -> Markup {
    html! {
        details.ask {
            summary { "Ask for a change" }
            ol {
                @for note in on(place, notes, manifest_sha256) { li value=(note.number) { (note.text) } }
            }
            form method="post" action={ (base) "/files/" (place) "/notes" } {
                label { "What should be different?" textarea name="text" rows="3" required maxlength=(NOTE_CHARS_MAX) {} }
                @if file.film.is_none() {
                    (slider("x", "Where, from left to right"))
                    (slider("y", "Where, from top to bottom"))
                }
                button { "Send" }
            }
        }
    }
}

fn slider(name: &str, words: &str) -> Markup {
    html! { label { (words) input type="range" name=(name) min="0" max="1000" value="500"; } }
}

fn on<'a>(place: usize, notes: &'a [Note], manifest_sha256: &'a str) -> impl Iterator<Item = &'a Note> {
    notes.iter().filter(move |note| {
        usize::try_from(note.place) == Ok(place) && note.manifest_sha256 == manifest_sha256
    })
}
