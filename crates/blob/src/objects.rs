use aws_sdk_s3::{
    operation::head_object::HeadObjectOutput,
    primitives::ByteStream,
    types::{ChecksumMode, Object},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use crate::{
    BlobError, Blobs, Fault, Key,
    transfer::{Body, hash_all},
};

/// What S3 says about an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Its length in bytes.
    pub size: u64,
    /// The entity tag, without quotes.
    pub etag: String,
    /// The media type it was stored with.
    pub content_type: Option<String>,
    /// SHA-256 of the content in hexadecimal, where S3 has it. Objects put together from parts have none.
    pub checksum_sha256: Option<String>,
    /// The `Cache-Control` it is served with.
    pub cache_control: Option<String>,
}

/// One object of a [`Listing`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub key: Key,
    /// Its length in bytes.
    pub size: u64,
    /// When it was last written.
    pub modified_at: Option<DateTime<Utc>>,
}

/// A page of objects in the order of their keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The objects.
    pub objects: Vec<Listed>,
    /// Whether there are more. Continue with [`Blobs::list_after`] and `last_key`.
    pub has_more: bool,
    /// The last name seen on this page, also when it is not one of ours.
    pub last_key: Option<String>,
    /// Objects left out because their names are no [`Key`]: somebody else wrote into the bucket.
    pub foreign: usize,
}

pub(crate) const LIST_MAX: u32 = 1_000;

impl Blobs {
    /// Describes an object, `None` where there is none.
    pub async fn head(&self, key: &Key) -> Result<Option<Head>, BlobError> {
        let request = self.inner.s3.head_object().bucket(&self.inner.bucket).key(key.as_str());
        match request.checksum_mode(ChecksumMode::Enabled).send().await {
            Ok(output) => Ok(Some(Head::of(output))),
            Err(error) => match Fault::of(error) {
                fault if fault.is_not_found() => Ok(None),
                source => Err(BlobError::Head { key: key.clone(), source }),
            },
        }
    }

    /// Reads an object into memory. One of more than `bytes_max` is refused before its content is read.
    pub async fn get(&self, key: &Key, bytes_max: u64) -> Result<Bytes, BlobError> {
        let mut body = self.open(key, bytes_max).await?;
        let mut content = Vec::with_capacity(usize::try_from(body.bytes_expected()).unwrap_or_default());
        while let Some(chunk) = body.next().await? {
            content.extend_from_slice(&chunk);
        }
        Ok(content.into())
    }

    /// Reads the first `bytes` bytes, or all where there are fewer: enough to tell what a file is.
    pub async fn get_prefix(&self, key: &Key, bytes: u64) -> Result<Bytes, BlobError> {
        let Some(last) = bytes.checked_sub(1) else { return Ok(Bytes::new()) };
        let request = self.inner.s3.get_object().bucket(&self.inner.bucket).key(key.as_str());
        let output = match request.range(format!("bytes=0-{last}")).send().await {
            Ok(output) => output,
            Err(error) => match Fault::of(error) {
                // An empty object has no first byte.
                fault if fault.status() == Some(416) => return Ok(Bytes::new()),
                source => return Err(BlobError::Get { key: key.clone(), source }),
            },
        };
        let mut body = Body::new(key, output, bytes, self.inner.idle_timeout_s)?;
        let mut content = Vec::new();
        while let Some(chunk) = body.next().await? {
            content.extend_from_slice(&chunk);
        }
        Ok(content.into())
    }

    /// Writes an object. S3 gets the SHA-256 with it and refuses what does not match.
    pub async fn put(
        &self,
        key: &Key,
        body: Bytes,
        content_type: &str,
        cache_control: &str,
    ) -> Result<Head, BlobError> {
        let mut hash = Sha256::new();
        hash_all(&mut [&mut hash], &body).await;
        let (size, sha256) = (body.len() as u64, hash.finalize());
        let request = self.inner.s3.put_object().bucket(&self.inner.bucket).key(key.as_str());
        let sent = request
            .content_type(content_type)
            .cache_control(cache_control)
            .content_length(size as i64)
            .checksum_sha256(STANDARD.encode(sha256))
            .body(ByteStream::from(body))
            .send()
            .await;
        let output = sent.map_err(|error| BlobError::Put { key: key.clone(), source: Fault::of(error) })?;
        if output.checksum_sha256().and_then(sha256_hex).is_none() {
            // A server that does not answer the checksum may not have looked at it.
            self.confirm_size(key, size).await?;
        }
        Ok(Head {
            size,
            etag: unquoted(output.e_tag()),
            content_type: Some(content_type.to_owned()),
            checksum_sha256: Some(hex::encode(sha256)),
            cache_control: Some(cache_control.to_owned()),
        })
    }

    /// Copies an object of up to 5 GiB inside S3, with its media type and caching. Overwrites.
    pub async fn copy(&self, from: &Key, to: &Key) -> Result<(), BlobError> {
        let source = format!("{}/{from}", self.inner.bucket);
        let request = self.inner.s3.copy_object().bucket(&self.inner.bucket).key(to.as_str());
        match request.copy_source(source).send().await {
            Ok(_) => Ok(()),
            Err(error) => {
                Err(BlobError::Copy { from: from.clone(), to: to.clone(), source: Fault::of(error) })
            }
        }
    }

    /// Deletes an object. One that does not exist is deleted already.
    pub async fn delete(&self, key: &Key) -> Result<(), BlobError> {
        match self.inner.s3.delete_object().bucket(&self.inner.bucket).key(key.as_str()).send().await {
            Ok(_) => Ok(()),
            Err(error) => match Fault::of(error) {
                // Some servers answer 404. A bucket that is missing is another matter; check() tells it.
                fault if fault.is_not_found() => self.check().await,
                source => Err(BlobError::Delete { key: key.clone(), source }),
            },
        }
    }

    /// The first `max` objects whose names begin with `prefix`; at most 1,000.
    pub async fn list(&self, prefix: &str, max: u32) -> Result<Listing, BlobError> {
        self.list_from(prefix, None, max).await
    }

    /// As [`Blobs::list`], from the first name after `after`.
    pub async fn list_after(&self, prefix: &str, after: &str, max: u32) -> Result<Listing, BlobError> {
        self.list_from(prefix, Some(after), max).await
    }

    async fn list_from(&self, prefix: &str, after: Option<&str>, max: u32) -> Result<Listing, BlobError> {
        let request = self.inner.s3.list_objects_v2().bucket(&self.inner.bucket).prefix(prefix);
        let sent = request
            .max_keys(max.clamp(1, LIST_MAX) as i32)
            .set_start_after(after.map(str::to_owned))
            .send()
            .await;
        let output =
            sent.map_err(|error| BlobError::List { prefix: prefix.to_owned(), source: Fault::of(error) })?;
        let objects: Vec<Listed> = output.contents().iter().filter_map(Listed::of).collect();
        Ok(Listing {
            has_more: output.is_truncated().unwrap_or_default(),
            last_key: output.contents().last().and_then(Object::key).map(str::to_owned),
            foreign: output.contents().len() - objects.len(),
            objects,
        })
    }

    /// Reads an object piece by piece. One of more than `bytes_max` is refused before its content is read.
    pub async fn open(&self, key: &Key, bytes_max: u64) -> Result<Body, BlobError> {
        let request = self.inner.s3.get_object().bucket(&self.inner.bucket).key(key.as_str());
        let sent = request.checksum_mode(ChecksumMode::Enabled).send().await;
        let output = sent.map_err(|error| BlobError::Get { key: key.clone(), source: Fault::of(error) })?;
        Body::new(key, output, bytes_max, self.inner.idle_timeout_s)
    }

    pub(crate) async fn confirm_size(&self, key: &Key, bytes_expected: u64) -> Result<Head, BlobError> {
        let missing = || BlobError::Put { key: key.clone(), source: Fault::answer("S3 does not have it") };
        let head = self.head(key).await?.ok_or_else(missing)?;
        if head.size == bytes_expected {
            Ok(head)
        } else {
            Err(BlobError::Length { key: key.clone(), bytes: head.size, bytes_expected })
        }
    }
}

impl Head {
    fn of(output: HeadObjectOutput) -> Self {
        Self {
            size: output.content_length().and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default(),
            etag: unquoted(output.e_tag()),
            checksum_sha256: output.checksum_sha256().and_then(sha256_hex),
            content_type: output.content_type,
            cache_control: output.cache_control,
        }
    }
}

impl Listed {
    fn of(object: &Object) -> Option<Self> {
        let modified =
            object.last_modified().and_then(|at| DateTime::from_timestamp(at.secs(), at.subsec_nanos()));
        Some(Self {
            key: Key::parse(object.key()?).ok()?,
            size: object.size().and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default(),
            modified_at: modified,
        })
    }
}

pub(crate) fn unquoted(etag: Option<&str>) -> String {
    etag.unwrap_or_default().trim_matches('"').to_owned()
}

// The checksum of a multipart object is one of checksums, marked `…-3`, and says nothing about the content by itself.
fn sha256_hex(base64: &str) -> Option<String> {
    STANDARD.decode(base64).ok().filter(|sum| sum.len() == 32).map(hex::encode)
}
