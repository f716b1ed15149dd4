use std::{fmt, time::Duration};

use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
    types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart, MultipartUpload},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    BlobError, Blobs, Fault, Head, Key, Presigned,
    objects::{LIST_MAX, unquoted},
    presign::presigning,
};

/// S3 takes no smaller part, except as the last one.
pub const PART_BYTES_MIN: u64 = 5 * 1024 * 1024;
/// Parts are numbered from 1 to this.
pub const PART_NUMBER_MAX: i32 = 10_000;

/// Names a multipart upload. Clients hold it, so it is checked when it comes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UploadId(String);

impl UploadId {
    /// Checks that a string can be such an id; only S3 knows whether it is one.
    pub fn parse(text: &str) -> Result<Self, BlobError> {
        if text.is_empty() || text.len() > 1_024 || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(BlobError::UploadId);
        }
        Ok(Self(text.to_owned()))
    }

    /// The id as S3 gave it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for UploadId {
    type Error = BlobError;

    fn try_from(text: String) -> Result<Self, BlobError> {
        Self::parse(&text)
    }
}

impl From<UploadId> for String {
    fn from(id: UploadId) -> Self {
        id.0
    }
}

/// An upload in parts that was neither completed nor aborted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// What it is to become.
    pub key: Key,
    /// Which it is.
    pub upload_id: UploadId,
    /// When it began.
    pub begun_at: Option<DateTime<Utc>>,
}

impl Begun {
    fn of(upload: &MultipartUpload) -> Option<Self> {
        let begun = upload.initiated().and_then(|at| DateTime::from_timestamp(at.secs(), at.subsec_nanos()));
        Some(Self {
            key: Key::parse(upload.key()?).ok()?,
            upload_id: UploadId::parse(upload.upload_id()?).ok()?,
            begun_at: begun,
        })
    }
}

impl Blobs {
    /// The first `max` uploads in parts, at most 1,000, that are under way to names that begin with `prefix`. Some stores, MinIO
    /// among them, tell of none unless `prefix` is a whole name; they abort old ones by themselves.
    pub async fn multipart_list(&self, prefix: &str, max: u32) -> Result<Vec<Begun>, BlobError> {
        let request = self.inner.s3.list_multipart_uploads().bucket(&self.inner.bucket).prefix(prefix);
        let sent = request.max_uploads(max.clamp(1, LIST_MAX) as i32).send().await;
        let output =
            sent.map_err(|error| BlobError::List { prefix: prefix.to_owned(), source: Fault::of(error) })?;
        Ok(output.uploads().iter().filter_map(Begun::of).collect())
    }

    /// Begins an upload in parts. One that is neither completed nor aborted keeps its parts, and costs, for ever.
    pub async fn multipart_create(&self, key: &Key, content_type: &str) -> Result<UploadId, BlobError> {
        self.create(key, content_type, None, None).await
    }

    /// Lets a client put one part of exactly this length. It answers with the part's `ETag`.
    pub async fn multipart_presign_part(
        &self,
        key: &Key,
        upload_id: &UploadId,
        part_number: i32,
        content_length: u64,
        expires: Duration,
    ) -> Result<Presigned, BlobError> {
        check_number(key, part_number)?;
        let (config, expires_at) = presigning(key, expires)?;
        let request = self.inner.signer.upload_part().bucket(&self.inner.bucket).key(key.as_str());
        let request = request.upload_id(upload_id.as_str()).part_number(part_number);
        let signed = request.content_length(content_length as i64).presigned(config).await;
        let signed =
            signed.map_err(|error| BlobError::Presign { key: key.clone(), source: Fault::of(error) })?;
        Ok(Presigned::of(&signed, expires_at))
    }

    /// Makes the object from its parts, in the order of their numbers.
    ///
    /// An upload that is not found may have been completed by an earlier try whose answer was lost: [`Blobs::head`]
    /// tells.
    pub async fn multipart_complete(
        &self,
        key: &Key,
        upload_id: &UploadId,
        parts: &[(i32, String)],
    ) -> Result<Head, BlobError> {
        let refuse = |reason: &str| Err(BlobError::Parts { key: key.clone(), reason: reason.to_owned() });
        if parts.is_empty() {
            return refuse("there are none");
        }
        let mut in_order: Vec<&(i32, String)> = parts.iter().collect();
        in_order.sort_by_key(|(number, _)| *number);
        let mut numbered: Vec<CompletedPart> = Vec::with_capacity(parts.len());
        for (number, etag) in in_order {
            check_number(key, *number)?;
            if numbered.last().and_then(CompletedPart::part_number) == Some(*number) {
                return refuse("a number is there twice");
            }
            let etag = unquoted(Some(etag));
            numbered.push(CompletedPart::builder().part_number(*number).e_tag(etag).build());
        }
        self.complete(key, upload_id, numbered).await
    }

    /// Ends an upload and frees its parts. One that does not exist has ended already.
    pub async fn multipart_abort(&self, key: &Key, upload_id: &UploadId) -> Result<(), BlobError> {
        let request = self.inner.s3.abort_multipart_upload().bucket(&self.inner.bucket).key(key.as_str());
        match request.upload_id(upload_id.as_str()).send().await {
            Ok(_) => Ok(()),
            Err(error) => match part_error(key, "abort")(error) {
                gone if gone.is_not_found() => Ok(()),
                other => Err(other),
            },
        }
    }

    pub(crate) async fn create(
        &self,
        key: &Key,
        content_type: &str,
        cache_control: Option<&str>,
        checksum: Option<ChecksumAlgorithm>,
    ) -> Result<UploadId, BlobError> {
        let request = self.inner.s3.create_multipart_upload().bucket(&self.inner.bucket).key(key.as_str());
        let sent = request
            .content_type(content_type)
            .set_cache_control(cache_control.map(str::to_owned))
            .set_checksum_algorithm(checksum)
            .send()
            .await;
        UploadId::parse(sent.map_err(part_error(key, "begin"))?.upload_id().unwrap_or_default())
    }

    pub(crate) async fn complete(
        &self,
        key: &Key,
        upload_id: &UploadId,
        parts: Vec<CompletedPart>,
    ) -> Result<Head, BlobError> {
        let request = self.inner.s3.complete_multipart_upload().bucket(&self.inner.bucket).key(key.as_str());
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let sent = request.upload_id(upload_id.as_str()).multipart_upload(parts).send().await;
        sent.map_err(part_error(key, "complete"))?;
        let missing = || Fault::answer("S3 does not have the object it has just completed");
        let head = self.head(key).await?;
        head.ok_or_else(|| BlobError::Multipart { key: key.clone(), step: "complete", source: missing() })
    }
}

fn check_number(key: &Key, number: i32) -> Result<(), BlobError> {
    if (1..=PART_NUMBER_MAX).contains(&number) {
        return Ok(());
    }
    Err(BlobError::Parts { key: key.clone(), reason: format!("there is no part number {number}") })
}

pub(crate) fn part_error<'a, E>(
    key: &'a Key,
    step: &'static str,
) -> impl FnOnce(SdkError<E, HttpResponse>) -> BlobError + use<'a, E>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    move |error| BlobError::Multipart { key: key.clone(), step, source: Fault::of(error) }
}
