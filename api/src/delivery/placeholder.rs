//! What stands where a picture will be: its shape and its colours.

use std::fmt::Write as _;

use store::deliveries::File;

/// A style sheet with one rule per picture: its shape, so that nothing jumps, and its colours from corner to corner.
pub(super) fn style_sheet(files: &[File]) -> String {
    let mut css = String::new();
    for (place, file) in (1..).zip(files) {
        let shape = file.grid.as_ref().and_then(|grid| grid.width.zip(grid.height));
        if let Some((width, height)) = shape {
            let _ = write!(css, "#g{place} img{{aspect-ratio:{width}/{height}}}");
        }
        if let Some(colours) = file.colours {
            let [first, middle, last] =
                colours.map(|[red, green, blue]| format!("#{red:02x}{green:02x}{blue:02x}"));
            let _ =
                write!(css, "#g{place} img{{background:linear-gradient(135deg,{first},{middle},{last})}}");
        }
    }
    css
}
