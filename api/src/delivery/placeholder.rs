//! What only this delivery's style sheet knows: shapes and colours of its pictures, and places on them.

use std::fmt::Write as _;

use store::deliveries::{File, Note};

/// A style sheet with the shape of each picture, so that nothing jumps, its colours from corner to corner to look at until
/// it is there, and the places that notes point to.
pub(super) fn style_sheet(files: &[File], notes: &[Note]) -> String {
    let mut css = String::new();
    for (place, file) in (1..).zip(files) {
        let shape = file.grid.as_ref().and_then(|grid| grid.width.zip(grid.height));
        if let Some((width, height)) = shape {
            let _ = write!(css, "#g{place} img{{aspect-ratio:{width}/{height}}}");
            // As large as the window lets it be, and exactly as large as the picture.
            let _ = write!(
                css,
                "#p{place} figure{{aspect-ratio:{width}/{height};width:min(100%,calc(var(--tall)*{width}/{height}))}}"
            );
        }
        if let Some(colours) = file.colours {
            let [first, middle, last] =
                colours.map(|[red, green, blue]| format!("#{red:02x}{green:02x}{blue:02x}"));
            let _ =
                write!(css, "#g{place} img{{background:linear-gradient(135deg,{first},{middle},{last})}}");
        }
    }
    for note in notes {
        if let Some((x, y)) = note.x.zip(note.y) {
            let (left, top) = (f64::from(x) / 10.0, f64::from(y) / 10.0);
            let _ = write!(css, "#n{}{{left:{left}%;top:{top}%}}", note.number);
        }
    }
    css
}
