//! Does `media.contact_sheet`: small pictures from S3, pages back to it, and an asset for each page.

use std::path::Path;

use blob::Key;
use jobs::{
    AssetId, Classify, Failure, Outcome,
    kinds::media_contact_sheet::{ContactSheet, MediaContactSheet, SheetPage},
};
use sha2::{Digest, Sha256};
use store::{
    media::{self, Asset, NewAsset},
    verdict::Write,
};

use crate::{
    cx::Cx,
    faults::Point,
    media_pool::MediaFailure,
    originals::{IMMUTABLE, fetch, need_clean, stored},
    picture_child::{LIMITS, SheetCell, SheetRequest},
    registry::Handle,
};

/// The rung that is large enough for a page, where it is made already.
const SMALL: (&str, &str, &str) = ("listing@1", "grid_640", "jpeg");
/// Percent of the work that is done when every picture is fetched.
const FETCHED_PERCENT: usize = 60;

impl Handle for MediaContactSheet {
    async fn run(self, cx: &Cx<'_>) -> Outcome<ContactSheet> {
        let room = cx.deps.scratch.room().retry("scratch")?;
        let mut cells = Vec::with_capacity(self.assets.len());
        for (nth, asset) in self.assets.iter().enumerate() {
            let asset = media::asset(&cx.deps.db, cx.tenant(), *asset).await?.ok_or_else(|| {
                Failure::discard("asset_not_found", format!("{asset} was deleted or never existed"))
            })?;
            need_clean(&asset)?;
            let source = room.path().join(format!("{nth}"));
            fetch_small(cx, &asset, &source).await?;
            let name = asset.filename.clone().unwrap_or_else(|| asset.id().to_string());
            cells.push(SheetCell { source, name });
            cx.progress((nth * FETCHED_PERCENT / self.assets.len()) as u8, "fetching the photographs");
        }
        let request = SheetRequest {
            cells,
            folder: room.path().to_path_buf(),
            title: self.title.trim().to_owned(),
            columns: self.columns,
        };
        let made = cx.deps.media.sheets(request).await.map_err(MediaFailure::into_failure)?;
        let (mut pages, mut assets) = (Vec::new(), Vec::new());
        for (nth, path) in made.pages.iter().enumerate() {
            let filename = format!("{} {}.jpg", self.title.trim(), nth + 1);
            let asset = put(cx, path, filename).await?;
            pages.push(SheetPage { asset: asset.id, bytes: asset.bytes, key: asset.object_key.clone() });
            assets.push(asset);
        }
        cx.write(Write::Made(assets));
        let unreadable = made.unreadable.iter().filter_map(|nth| self.assets.get(*nth).copied()).collect();
        Ok(ContactSheet { pages, unreadable })
    }
}

/// Fetches the picture that is small enough already, else the original.
async fn fetch_small(cx: &Cx<'_>, asset: &Asset, to: &Path) -> Outcome<()> {
    let made = media::renditions(&cx.deps.db, cx.tenant(), asset.id()).await?;
    let is_small =
        |made: &&media::Rendition| (made.preset.as_str(), made.rung.as_str(), made.format.as_str()) == SMALL;
    let Some(small) = made.iter().find(is_small) else {
        return fetch(cx, asset, to, LIMITS.bytes_max).await;
    };
    let key = Key::parse(&small.object_key).discard("bad_key")?;
    cx.deps.blobs.download(&key, to, LIMITS.bytes_max).await.map_err(stored)?;
    Ok(())
}

async fn put(cx: &Cx<'_>, path: &Path, filename: String) -> Outcome<NewAsset> {
    let bytes = tokio::fs::read(path).await.retry("scratch")?;
    let sha256 = hex::encode(Sha256::digest(&bytes));
    let key = Key::original(&cx.tenant().to_string(), &sha256).discard("bad_key")?;
    cx.reach(Point::BeforePut);
    cx.deps.blobs.put_file(&key, path, "image/jpeg", IMMUTABLE).await.map_err(stored)?;
    cx.reach(Point::AfterPut);
    Ok(NewAsset {
        id: AssetId::new(),
        bytes: bytes.len() as u64,
        media_type: "image/jpeg",
        filename: Some(filename),
        object_key: key.to_string(),
        sha256,
    })
}
