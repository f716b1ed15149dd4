//! Contact sheets: many small pictures on a page, each with its name.

use ab_glyph::{Font, FontRef, PxScale, ScaleFont, point};

use crate::color::rgb_to_planar;
use crate::ladder::Size;
use crate::plane::Plane;
use crate::probe::Opened;
use crate::resize::Scaler;
use crate::{Limits, MediaError, jpeg};

/// A4 upright at 200 dots per inch.
const PAGE: (usize, usize) = (1_654, 2_339);
/// White around everything.
const MARGIN: usize = 80;
/// White between pictures.
const GAP: usize = 24;
/// Height of a title, and of a name.
const TITLE: usize = 72;
const NAME: usize = 32;
/// Pictures are as wide as photographs are: three to two.
const SHAPE: (usize, usize) = (3, 2);
const QUALITY: u8 = 85;
const PAPER: u8 = 255;
/// What stands where a picture cannot be read.
const LACKING: u8 = 225;

/// How a sheet is laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Stands above the pictures of every page.
    pub title: String,
    /// Pictures side by side: 1 to 8.
    pub columns: usize,
}

impl Layout {
    fn cell_width(&self) -> usize {
        let columns = self.columns.clamp(1, 8);
        (PAGE.0 - 2 * MARGIN - (columns - 1) * GAP) / columns
    }

    fn cell_height(&self) -> usize {
        self.cell_width() * SHAPE.1 / SHAPE.0
    }

    fn rows(&self) -> usize {
        let free = PAGE.1 - 2 * MARGIN - TITLE;
        ((free + GAP) / (self.cell_height() + NAME + GAP)).max(1)
    }

    /// Pictures on a page.
    #[must_use]
    pub fn on_a_page(&self) -> usize {
        self.columns.clamp(1, 8) * self.rows()
    }
}

/// One picture of a sheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell<'a> {
    /// The picture, of any kind we read. One that cannot be read leaves its place gray.
    pub source: &'a [u8],
    /// What stands below it.
    pub name: &'a str,
}

/// One page, as a JPEG: at most [`Layout::on_a_page`] cells, and `number` of how many it is.
///
/// Answers the page, and which cells could not be read.
///
/// # Errors
/// When the page cannot be encoded.
pub fn sheet(
    cells: &[Cell<'_>],
    layout: &Layout,
    (number, pages): (usize, usize),
    limits: &Limits,
) -> Result<(Vec<u8>, Vec<usize>), MediaError> {
    let font = FontRef::try_from_slice(dejavu::sans::regular())
        .map_err(|error| MediaError::Encode { format: "JPEG", detail: error.to_string() })?;
    let mut page = Page { plane: Plane::filled(PAGE.0, PAGE.1, 3, PAPER), font };
    let (width, height) = (layout.cell_width(), layout.cell_height());
    let count = format!("{number} / {pages}");
    page.write(&layout.title, (MARGIN, MARGIN), PAGE.0 - 2 * MARGIN - 200, 44.0);
    page.write(&count, (PAGE.0 - MARGIN - 160, MARGIN), 160, 32.0);
    let mut scaler = Scaler::new();
    let mut unreadable = Vec::new();
    for (nth, cell) in cells.iter().enumerate().take(layout.on_a_page()) {
        let columns = layout.columns.clamp(1, 8);
        let left = MARGIN + nth % columns * (width + GAP);
        let top = MARGIN + TITLE + nth / columns * (height + NAME + GAP);
        let room = Size::new(width as u32, height as u32);
        if let Ok(picture) = small(cell.source, room, limits, &mut scaler) {
            let at = (left + (width - picture.width) / 2, top + (height - picture.height) / 2);
            page.paste(&picture, at);
        } else {
            page.paste(&Plane::filled(width, height, 4, LACKING), (left, top));
            unreadable.push(nth);
        }
        page.write(cell.name, (left, top + height + 4), width, 24.0);
    }
    let bytes = jpeg::encode(&rgb_to_planar(&page.plane), QUALITY, None)?;
    Ok((bytes, unreadable))
}

/// The picture, as large as it may be in `room`, in RGBA.
fn small(source: &[u8], room: Size, limits: &Limits, scaler: &mut Scaler) -> Result<Plane, MediaError> {
    let opened = Opened::open(source, limits)?;
    let shown = opened.displayed();
    // The longer side that makes both sides fit.
    let by_height =
        u64::from(room.height) * u64::from(shown.width.max(shown.height)) / u64::from(shown.height.max(1));
    let by_width =
        u64::from(room.width) * u64::from(shown.width.max(shown.height)) / u64::from(shown.width.max(1));
    let size = shown.fit(by_height.min(by_width).max(1) as u32);
    let frame = opened.decode(size, limits)?.into_frame(size, scaler)?;
    Ok(frame.rgba().into_owned())
}

struct Page {
    plane: Plane,
    font: FontRef<'static>,
}

impl Page {
    fn paste(&mut self, picture: &Plane, (left, top): (usize, usize)) {
        let (pixels, _) = picture.data.as_chunks::<4>();
        for (nth, &[r, g, b, a]) in pixels.iter().enumerate() {
            let (x, y) = (left + nth % picture.width, top + nth / picture.width);
            self.blend(x, y, [r, g, b], f32::from(a) / 255.0);
        }
    }

    fn blend(&mut self, x: usize, y: usize, colour: [u8; 3], share: f32) {
        if x >= self.plane.width || y >= self.plane.height {
            return;
        }
        let at = (y * self.plane.width + x) * 3;
        for (under, over) in self.plane.data[at..at + 3].iter_mut().zip(colour) {
            *under = (f32::from(*under) * (1.0 - share) + f32::from(over) * share).round() as u8;
        }
    }

    /// One line of text from its upper left corner, cut where it would be wider than `width`.
    fn write(&mut self, text: &str, (left, top): (usize, usize), width: usize, px: f32) {
        let scale = PxScale::from(px);
        let font = self.font.clone();
        let scaled = font.as_scaled(scale);
        let (mut x, baseline) = (left as f32, top as f32 + scaled.ascent());
        let end = (left + width) as f32;
        for character in text.chars() {
            let glyph = font.glyph_id(character);
            let advance = scaled.h_advance(glyph);
            if x + advance > end {
                break;
            }
            let placed = glyph.with_scale_and_position(scale, point(x, baseline));
            if let Some(outline) = font.outline_glyph(placed) {
                let bounds = outline.px_bounds();
                outline.draw(|dx, dy, share| {
                    let (x, y) = (bounds.min.x + dx as f32, bounds.min.y + dy as f32);
                    if x >= 0.0 && y >= 0.0 {
                        self.blend(x as usize, y as usize, [30; 3], share.clamp(0.0, 1.0));
                    }
                });
            }
            x += advance;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layout_fits_its_page() {
        for columns in 1..=8 {
            let layout = Layout { title: String::new(), columns };
            let rows = layout.rows();
            let high = MARGIN + TITLE + rows * (layout.cell_height() + NAME + GAP) - GAP;
            assert!(rows >= 1 && (columns == 1 || high + MARGIN <= PAGE.1), "{columns} columns, {rows} rows");
            assert!(columns * layout.cell_width() + (columns - 1) * GAP + 2 * MARGIN <= PAGE.0);
        }
        assert_eq!(Layout { title: String::new(), columns: 4 }.on_a_page(), 4 * 7);
    }
}
