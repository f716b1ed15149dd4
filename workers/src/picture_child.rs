//! Pictures, in the child process: a ladder, or what a picture is.

use std::{
    io::Write,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use media::{Brand, Cell, Corner, Format, Ladder, Layout, Limits, Probe};
use serde::{Deserialize, Serialize};

use crate::media_child::{Answer, Request, failed, not_mine, say};

/// Bounds on one source photograph.
pub const LIMITS: Limits = Limits {
    bytes_max: 256 * 1024 * 1024,
    side_px_max: 30_000,
    pixels_max: 200_000_000,
    alloc_bytes_max: 1_200 * 1024 * 1024,
    jpeg_scans_max: 100,
};

/// A ladder to make.
#[derive(Debug, Serialize, Deserialize)]
pub struct PictureRequest {
    /// The photograph.
    pub source: PathBuf,
    /// Where the pictures go.
    pub folder: PathBuf,
    /// What to make.
    pub ladder: Ladder,
    /// What is laid over it.
    pub brand: Option<BrandRequest>,
}

/// A mark, and how it is laid over pictures.
#[derive(Debug, Serialize, Deserialize)]
pub struct BrandRequest {
    /// The mark.
    pub mark: PathBuf,
    /// Where it goes.
    pub corner: Corner,
    /// Its width, in percent of the picture's.
    pub width_percent: u8,
    /// How much it covers, in percent.
    pub opacity_percent: u8,
}

/// What was made.
#[derive(Debug, Serialize, Deserialize)]
pub struct Ladders {
    /// What the source is.
    pub probe: Probe,
    /// ThumbHash, base64.
    pub thumbhash: String,
    /// Why the pictures may show damage.
    pub degraded: Option<String>,
    /// The pictures.
    pub pictures: Vec<Picture>,
}

/// One picture in the folder.
#[derive(Debug, Serialize, Deserialize)]
pub struct Picture {
    /// Name of its rung.
    pub rung: String,
    /// Its format.
    pub format: Format,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Size of the file.
    pub bytes: u64,
    /// The file.
    pub path: PathBuf,
}

/// Contact sheets to make.
#[derive(Debug, Serialize, Deserialize)]
pub struct SheetRequest {
    /// The pictures, in order.
    pub cells: Vec<SheetCell>,
    /// Where the pages go.
    pub folder: PathBuf,
    /// Stands above every page.
    pub title: String,
    /// Pictures side by side.
    pub columns: u8,
}

/// One picture of a contact sheet.
#[derive(Debug, Serialize, Deserialize)]
pub struct SheetCell {
    /// The picture.
    pub source: PathBuf,
    /// What stands below it.
    pub name: String,
}

/// The pages of a contact sheet.
#[derive(Debug, Serialize, Deserialize)]
pub struct Sheets {
    /// A JPEG each.
    pub pages: Vec<PathBuf>,
    /// Which pictures could not be read, from 0.
    pub unreadable: Vec<usize>,
}

/// Does what the parent asks.
pub fn answer(request: Request, answers: &mut impl Write) -> Answer {
    match request {
        Request::Pictures(request) => render(&request, answers),
        Request::Sheets(request) => sheets(&request).unwrap_or_else(|answer| answer),
        Request::Inspect(source) => inspect(&source),
        Request::Film(_) | Request::Part(_) | Request::Join(_) => not_mine(),
    }
}

fn read(source: &Path) -> Result<Vec<u8>, Answer> {
    std::fs::read(source)
        .map_err(|error| failed("scratch", format!("could not read the photograph: {error}"), false))
}

fn inspect(source: &Path) -> Answer {
    match read(source).map(|source| media::inspect(&source, &LIMITS)) {
        Ok(Ok(inspected)) => Answer::Picture(Box::new(inspected)),
        Ok(Err(error)) => failed(error.code(), error.to_string(), error.is_permanent()),
        Err(answer) => answer,
    }
}

fn sheets(request: &SheetRequest) -> Result<Answer, Answer> {
    let layout = Layout { title: request.title.clone(), columns: usize::from(request.columns) };
    let pages = request.cells.chunks(layout.on_a_page());
    let count = pages.len();
    let mut made = Sheets { pages: Vec::new(), unreadable: Vec::new() };
    for (nth, cells) in pages.enumerate() {
        let sources: Vec<Vec<u8>> = cells.iter().map(|cell| read(&cell.source)).collect::<Result<_, _>>()?;
        let named: Vec<Cell<'_>> =
            sources.iter().zip(cells).map(|(source, cell)| Cell { source, name: &cell.name }).collect();
        let (page, unreadable) = media::sheet(&named, &layout, (nth + 1, count), &LIMITS)
            .map_err(|error| failed(error.code(), error.to_string(), error.is_permanent()))?;
        made.unreadable.extend(unreadable.into_iter().map(|cell| nth * layout.on_a_page() + cell));
        let path = request.folder.join(format!("page-{nth}.jpg"));
        std::fs::write(&path, page)
            .map_err(|error| failed("scratch", format!("could not write a page: {error}"), false))?;
        made.pages.push(path);
    }
    Ok(Answer::Sheets(made))
}

fn brand(request: &BrandRequest) -> Result<Brand, Answer> {
    Ok(Brand {
        mark: read(&request.mark)?,
        corner: request.corner,
        width_percent: request.width_percent,
        opacity_percent: request.opacity_percent,
    })
}

fn render(request: &PictureRequest, answers: &mut impl Write) -> Answer {
    let source = match read(&request.source) {
        Ok(source) => source,
        Err(answer) => return answer,
    };
    let brand = match request.brand.as_ref().map(brand).transpose() {
        Ok(brand) => brand,
        Err(answer) => return answer,
    };
    // A parent that is gone shows at the next answer; until then there is nobody to tell.
    let mut progress = |percent: u8, message: &str| {
        let _ = say(answers, &Answer::Progress { percent, message: message.to_owned() });
    };
    let never = AtomicBool::new(false);
    let rendered =
        match media::render(&source, &request.ladder, brand.as_ref(), &LIMITS, &never, &mut progress) {
            Ok(rendered) => rendered,
            Err(error) => return failed(error.code(), error.to_string(), error.is_permanent()),
        };
    let mut pictures = Vec::with_capacity(rendered.outputs.len());
    for output in rendered.outputs {
        let path = request.folder.join(format!("{}.{}", output.rung, output.format.extension()));
        if let Err(error) = std::fs::write(&path, &output.bytes) {
            return failed("scratch", format!("could not write a picture: {error}"), false);
        }
        pictures.push(Picture {
            rung: output.rung,
            format: output.format,
            width: output.width,
            height: output.height,
            bytes: output.bytes.len() as u64,
            path,
        });
    }
    Answer::Pictures(Box::new(Ladders {
        probe: rendered.probe,
        thumbhash: BASE64_STANDARD.encode(rendered.thumbhash),
        degraded: rendered.degraded,
        pictures,
    }))
}
