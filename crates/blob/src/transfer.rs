use std::{io, path::Path, time::Duration};

use aws_sdk_s3::{
    operation::get_object::GetObjectOutput,
    primitives::ByteStream,
    types::{ChecksumAlgorithm, CompletedPart},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncWriteExt, BufWriter},
};

use crate::{
    BlobError, Blobs, Fault, Head, Key, UploadId,
    multipart::{PART_NUMBER_MAX, part_error},
    objects::unquoted,
};

const FILE_BUFFER_BYTES: usize = 256 * 1024;
const HASH_PIECE_BYTES: usize = 256 * 1024;

/// What [`Blobs::download`] wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Downloaded {
    /// Bytes in the file.
    pub size: u64,
    /// Their SHA-256 in hexadecimal.
    pub sha256_hex: String,
}

impl Blobs {
    /// Streams an object into a file, replacing it, and hashes it on the way. Leaves no file when it fails.
    pub async fn download(&self, key: &Key, path: &Path, bytes_max: u64) -> Result<Downloaded, BlobError> {
        let body = self.open(key, bytes_max).await?;
        let written = write_file(body, path).await;
        if written.is_err()
            && let Err(error) = tokio::fs::remove_file(path).await
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %path.display(), %error, "Could not remove the rest of a failed download");
        }
        written
    }

    /// The SHA-256 in hexadecimal and the size of an object, read as a stream.
    pub async fn sha256(&self, key: &Key, bytes_max: u64) -> Result<(String, u64), BlobError> {
        let mut body = self.open(key, bytes_max).await?;
        let mut hash = Sha256::new();
        while let Some(chunk) = body.next().await? {
            hash.update(&chunk);
        }
        Ok((hex::encode(hash.finalize()), body.bytes_read))
    }

    /// Writes an object from a file: in one request, or in parts where it is larger than `part_bytes`.
    ///
    /// Every request carries the SHA-256 of what it holds. Memory stays at one part.
    pub async fn put_file(
        &self,
        key: &Key,
        path: &Path,
        content_type: &str,
        cache_control: &str,
    ) -> Result<Head, BlobError> {
        let failed = |step| move |source| BlobError::File { path: path.to_owned(), step, source };
        let mut file = File::open(path).await.map_err(failed("open"))?;
        let size = file.metadata().await.map_err(failed("look at"))?.len();
        if size <= self.inner.part_bytes {
            let body = read_part(&mut file, size).await.map_err(failed("read"))?;
            return self.put(key, body, content_type, cache_control).await;
        }
        let upload =
            self.create(key, content_type, Some(cache_control), Some(ChecksumAlgorithm::Sha256)).await?;
        let put = async {
            let (parts, sha256_hex) = self.put_parts(key, &upload, &mut file, path, size).await?;
            let head = self.complete(key, &upload, parts).await?;
            if head.size != size {
                return Err(BlobError::Length { key: key.clone(), bytes: head.size, bytes_expected: size });
            }
            Ok(Head { checksum_sha256: Some(sha256_hex), ..head })
        };
        match put.await {
            Ok(head) => Ok(head),
            Err(error) => {
                if let Err(abort) = self.multipart_abort(key, &upload).await {
                    tracing::warn!(blob.key = %key, error = %abort, "Could not abort the upload of {key}");
                }
                Err(error)
            }
        }
    }

    async fn put_parts(
        &self,
        key: &Key,
        upload: &UploadId,
        file: &mut File,
        path: &Path,
        size: u64,
    ) -> Result<(Vec<CompletedPart>, String), BlobError> {
        let part_bytes = self.inner.part_bytes.max(size.div_ceil(PART_NUMBER_MAX as u64));
        let (mut parts, mut hash, mut left) = (Vec::new(), Sha256::new(), size);
        while left > 0 {
            let read = read_part(file, part_bytes.min(left)).await;
            let body =
                read.map_err(|source| BlobError::File { path: path.to_owned(), step: "read", source })?;
            left -= body.len() as u64;
            parts.push(self.put_part(key, upload, parts.len() as i32 + 1, body, &mut hash).await?);
        }
        Ok((parts, hex::encode(hash.finalize())))
    }

    /// Sends one part with the SHA-256 of what it holds, and adds it to the hash of the whole.
    pub(crate) async fn put_part(
        &self,
        key: &Key,
        upload: &UploadId,
        number: i32,
        body: Bytes,
        whole: &mut Sha256,
    ) -> Result<CompletedPart, BlobError> {
        let mut hash = Sha256::new();
        hash_all(&mut [whole, &mut hash], &body).await;
        let sha256 = STANDARD.encode(hash.finalize());
        let request = self.inner.s3.upload_part().bucket(&self.inner.bucket).key(key.as_str());
        let sent = request
            .upload_id(upload.as_str())
            .part_number(number)
            .content_length(body.len() as i64)
            .checksum_sha256(&sha256)
            .body(ByteStream::from(body))
            .send()
            .await;
        let etag = unquoted(sent.map_err(part_error(key, "send a part of"))?.e_tag());
        Ok(CompletedPart::builder().part_number(number).e_tag(etag).checksum_sha256(sha256).build())
    }
}

// A megabyte takes milliseconds to hash; other tasks get their turn in between.
pub(crate) async fn hash_all(hashes: &mut [&mut Sha256], body: &Bytes) {
    for piece in body.chunks(HASH_PIECE_BYTES) {
        for hash in &mut *hashes {
            hash.update(piece);
        }
        tokio::task::yield_now().await;
    }
}

// Exactly `bytes`, or an error: a file that shrinks while it is sent must not become a shorter object.
async fn read_part(file: &mut File, bytes: u64) -> io::Result<Bytes> {
    let mut part = vec![0; usize::try_from(bytes).map_err(io::Error::other)?];
    file.read_exact(&mut part).await?;
    Ok(part.into())
}

async fn write_file(mut body: Body, path: &Path) -> Result<Downloaded, BlobError> {
    let failed = |step| move |source| BlobError::File { path: path.to_owned(), step, source };
    let mut file =
        BufWriter::with_capacity(FILE_BUFFER_BYTES, File::create(path).await.map_err(failed("create"))?);
    let mut hash = Sha256::new();
    while let Some(chunk) = body.next().await? {
        hash.update(&chunk);
        file.write_all(&chunk).await.map_err(failed("write"))?;
    }
    file.flush().await.map_err(failed("write"))?;
    Ok(Downloaded { size: body.bytes_read, sha256_hex: hex::encode(hash.finalize()) })
}

/// The content of an object as it arrives: bounded in size, in silence, and complete or an error.
#[derive(Debug)]
pub struct Body {
    key: Key,
    stream: ByteStream,
    bytes_read: u64,
    bytes_expected: u64,
    idle_timeout_s: u64,
}

impl Body {
    pub(crate) fn new(
        key: &Key,
        output: GetObjectOutput,
        bytes_max: u64,
        idle_timeout_s: u64,
    ) -> Result<Self, BlobError> {
        let announced = output.content_length().and_then(|bytes| u64::try_from(bytes).ok());
        let bytes_expected = announced.ok_or_else(|| BlobError::Get {
            key: key.clone(),
            source: Fault::answer("S3 did not say how long it is"),
        })?;
        if bytes_expected > bytes_max {
            return Err(BlobError::TooLarge { key: key.clone(), bytes: bytes_expected, bytes_max });
        }
        Ok(Self { key: key.clone(), stream: output.body, bytes_read: 0, bytes_expected, idle_timeout_s })
    }

    /// How long it is.
    pub fn bytes_expected(&self) -> u64 {
        self.bytes_expected
    }

    /// The next piece, `None` after the last one. Never more in all than was announced.
    pub async fn next(&mut self) -> Result<Option<Bytes>, BlobError> {
        let idle = Duration::from_secs(self.idle_timeout_s);
        let broken = |source| BlobError::Get { key: self.key.clone(), source };
        let chunk = match tokio::time::timeout(idle, self.stream.next()).await {
            Err(_) => return Err(broken(Fault::silent(self.idle_timeout_s))),
            Ok(Some(Err(error))) => return Err(broken(Fault::body(error))),
            Ok(Some(Ok(chunk))) => Some(chunk),
            Ok(None) => None,
        };
        self.bytes_read += chunk.as_ref().map_or(0, Bytes::len) as u64;
        let is_short = chunk.is_none() && self.bytes_read < self.bytes_expected;
        if is_short || self.bytes_read > self.bytes_expected {
            return Err(BlobError::Length {
                key: self.key.clone(),
                bytes: self.bytes_read,
                bytes_expected: self.bytes_expected,
            });
        }
        Ok(chunk)
    }
}
