//! Does `delivery.zip`: the files of a delivery into one object.

use blob::Key;
use jobs::{
    Classify, Failure, Outcome, Variant,
    failure::Problem,
    kinds::delivery_zip::{Archive, DeliveryZip},
};
use store::{
    deliveries::{self, Archived, File, Manifest, NewArchive},
    verdict::Write,
};

use crate::{
    archive::{self, ArchiveError, Entry},
    cx::Cx,
    registry::Handle,
};

impl Handle for DeliveryZip {
    async fn run(self, cx: &Cx<'_>) -> Outcome<Archive> {
        let (db, tenant) = (&cx.deps.db, cx.tenant());
        let delivery = deliveries::delivery(db, tenant, self.delivery).await?;
        let delivery =
            delivery.ok_or_else(|| Failure::discard("delivery_not_found", "the delivery was removed"))?;
        let (Some(manifest), Some(sha256)) = (delivery.manifest, delivery.manifest_sha256) else {
            return Err(Failure::discard("not_published", "publish the delivery first: delivery.publish"));
        };
        if self.manifest_sha256.as_ref().is_some_and(|wanted| *wanted != sha256) {
            let message = "something else was published since, and archives of that are packed";
            return Err(Failure::Cancel { problem: Problem::new("published_again", message) });
        }
        let mut manifest = manifest.0;
        deliveries::withhold(db, tenant, &mut manifest).await?;
        let entries = entries(&manifest, self.variant)?;
        let (whose, of) = (tenant.to_string(), self.delivery.to_string());
        let key = Key::archive(&whose, &of, &sha256, self.variant.name()).discard("bad_key")?;
        if let Some(there) = deliveries::archive(db, tenant, self.delivery, self.variant).await?
            && cx.deps.blobs.head(&key).await?.is_some()
        {
            return Ok(reused(&self, there));
        }
        deliveries::announce_archive(db, tenant, self.delivery, key.as_str()).await?;
        let total = entries.iter().map(|entry| entry.bytes).sum::<u64>().max(1);
        let said = format!("packing {} files", entries.len());
        let progress = |done: u64| cx.progress((done * 99 / total) as u8, said.as_str());
        let head = archive::write(&cx.deps.blobs, &entries, &key, progress).await.map_err(refusal)?;
        let made = Archive {
            delivery: self.delivery,
            variant: self.variant,
            key: key.to_string(),
            bytes: head.size,
            files: entries.len() as u32,
            sha256: head.checksum_sha256.unwrap_or_default(),
            reused: false,
        };
        cx.write(Write::Archive(Box::new(NewArchive {
            delivery: self.delivery,
            variant: self.variant,
            manifest_sha256: sha256,
            object_key: made.key.clone(),
            bytes: made.bytes,
            files: made.files,
            sha256: made.sha256.clone(),
            assets: manifest.files.iter().map(|file| file.asset).collect(),
        })));
        Ok(made)
    }
}

fn reused(wanted: &DeliveryZip, there: Archived) -> Archive {
    Archive {
        delivery: wanted.delivery,
        variant: wanted.variant,
        key: there.object_key,
        bytes: there.bytes as u64,
        files: there.files as u32,
        sha256: there.sha256,
        reused: true,
    }
}

fn entries(manifest: &Manifest, variant: Variant) -> Outcome<Vec<Entry<'_>>> {
    let entry = |file| entry(file, variant);
    manifest.files.iter().map(entry).collect()
}

fn entry(file: &File, variant: Variant) -> Outcome<Entry<'_>> {
    if file.is_withheld {
        let message = format!("{} was deleted, or is held, since it was published", file.name);
        return Err(Failure::discard("file_held", message));
    }
    let stored = file.in_variant(variant).ok_or_else(|| {
        let message = format!(
            "{} was published without a file for {variant}; publish the delivery again with that archive",
            file.name
        );
        Failure::discard("variant_not_made", message)
    })?;
    Ok(Entry {
        name: &file.name,
        extension: file.extension(variant),
        key: Key::parse(&stored.key).discard("bad_key")?,
        bytes: stored.bytes,
    })
}

/// A file that is gone stays gone; everything else may pass.
fn refusal(error: ArchiveError) -> Failure {
    match error {
        ArchiveError::Missing { .. } => Failure::discard("file_missing", error.to_string()),
        ArchiveError::Changed { .. } => Failure::discard("file_changed", error.to_string()),
        ArchiveError::Blob(error) => error.into(),
        other => other.into(),
    }
}
