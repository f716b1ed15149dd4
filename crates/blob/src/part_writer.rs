use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedPart};
use bytes::{Bytes, BytesMut};
use sha2::{Digest, Sha256};

use crate::{BlobError, Blobs, Head, Key, UploadId, multipart::PART_NUMBER_MAX};

/// An object that is written as its content comes into being, in parts. Memory stays at one part.
///
/// There is no object until [`PartWriter::finish`]: whoever stops before it leaves nothing behind, because a writer that
/// is dropped frees its parts.
#[derive(Debug)]
pub struct PartWriter {
    blobs: Blobs,
    key: Key,
    /// Taken when the upload has ended.
    upload: Option<UploadId>,
    part_bytes: usize,
    part: BytesMut,
    sent: Vec<CompletedPart>,
    hash: Sha256,
    size: u64,
}

impl Blobs {
    /// Begins an object of at most `bytes_max` bytes.
    ///
    /// # Errors
    /// When S3 refuses.
    pub async fn write(
        &self,
        key: &Key,
        bytes_max: u64,
        content_type: &str,
        cache_control: &str,
    ) -> Result<PartWriter, BlobError> {
        let upload =
            self.create(key, content_type, Some(cache_control), Some(ChecksumAlgorithm::Sha256)).await?;
        let part_bytes = self.inner.part_bytes.max(bytes_max.div_ceil(PART_NUMBER_MAX as u64));
        Ok(PartWriter {
            blobs: self.clone(),
            key: key.clone(),
            upload: Some(upload),
            part_bytes: usize::try_from(part_bytes).unwrap_or(usize::MAX),
            part: BytesMut::new(),
            sent: Vec::new(),
            hash: Sha256::new(),
            size: 0,
        })
    }
}

impl PartWriter {
    /// Adds `piece` to the object.
    ///
    /// # Errors
    /// When S3 refuses a part, or there are too many of them: more came than was announced.
    pub async fn write(&mut self, mut piece: Bytes) -> Result<(), BlobError> {
        self.size += piece.len() as u64;
        while !piece.is_empty() {
            let room = self.part_bytes - self.part.len();
            self.part.extend_from_slice(&piece.split_to(room.min(piece.len())));
            if self.part.len() == self.part_bytes {
                self.send().await?;
            }
        }
        Ok(())
    }

    async fn send(&mut self) -> Result<(), BlobError> {
        let Some(upload) = &self.upload else { return Ok(()) };
        let number = self.sent.len() as i32 + 1;
        if number > PART_NUMBER_MAX {
            let reason = format!("it came to more than {PART_NUMBER_MAX} parts");
            return Err(BlobError::Parts { key: self.key.clone(), reason });
        }
        let part = self.part.split().freeze();
        let sent = self.blobs.put_part(&self.key, upload, number, part, &mut self.hash).await?;
        self.sent.push(sent);
        Ok(())
    }

    /// Makes the object of what was written.
    ///
    /// # Errors
    /// When S3 refuses, or has another number of bytes than were written.
    pub async fn finish(mut self) -> Result<Head, BlobError> {
        if !self.part.is_empty() || self.sent.is_empty() {
            self.send().await?;
        }
        let Some(upload) = self.upload.clone() else { return Err(BlobError::UploadId) };
        let head = self.blobs.complete(&self.key, &upload, std::mem::take(&mut self.sent)).await?;
        self.upload = None;
        if head.size != self.size {
            let (key, bytes) = (self.key.clone(), head.size);
            return Err(BlobError::Length { key, bytes, bytes_expected: self.size });
        }
        Ok(Head { checksum_sha256: Some(hex::encode(self.hash.finalize_reset())), ..head })
    }
}

impl Drop for PartWriter {
    fn drop(&mut self) {
        let (Some(upload), Ok(runtime)) = (self.upload.take(), tokio::runtime::Handle::try_current()) else {
            return;
        };
        let (blobs, key) = (self.blobs.clone(), self.key.clone());
        runtime.spawn(async move {
            if let Err(error) = blobs.multipart_abort(&key, &upload).await {
                tracing::warn!(blob.key = %key, %error, "Could not abort the upload of {key}");
            }
        });
    }
}
