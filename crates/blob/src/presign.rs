use std::{fmt, fmt::Write as _, time::Duration, time::SystemTime};

use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use chrono::{DateTime, Utc};

use crate::{BlobError, Blobs, Fault, Key};

/// A request that its holder may send to S3 until it expires, exactly as it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Presigned {
    /// Where to. Whoever has it has the access it gives: never log it.
    pub url: String,
    /// The method, `GET` or `PUT`.
    pub method: String,
    /// Headers that are signed and have to be sent with these values. A browser sets `content-length` by itself, from
    /// the body, and lets no page do it.
    pub headers: Vec<(String, String)>,
    /// From when on S3 refuses it.
    pub expires_at: DateTime<Utc>,
}

impl fmt::Debug for Presigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.url.split('?').next().unwrap_or_default();
        f.debug_struct("Presigned")
            .field("url", &format_args!("{url}?[signature]"))
            .field("method", &self.method)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

const DOWNLOAD_NAME_CHARS_MAX: usize = 150;

impl Blobs {
    /// Lets a client put one object of exactly this media type and length.
    pub async fn presign_put(
        &self,
        key: &Key,
        content_type: &str,
        content_length: u64,
        expires: Duration,
    ) -> Result<Presigned, BlobError> {
        let (config, expires_at) = presigning(key, expires)?;
        let request = self.inner.signer.put_object().bucket(&self.inner.bucket).key(key.as_str());
        let request = request.content_type(content_type).content_length(content_length as i64);
        let signed = request.presigned(config).await;
        let signed =
            signed.map_err(|error| BlobError::Presign { key: key.clone(), source: Fault::of(error) })?;
        Ok(Presigned::of(&signed, expires_at))
    }

    /// Lets a client read one object, saved as `download_name` where one is given.
    pub async fn presign_get(
        &self,
        key: &Key,
        expires: Duration,
        download_name: Option<&str>,
    ) -> Result<Presigned, BlobError> {
        let (config, expires_at) = presigning(key, expires)?;
        let request = self.inner.signer.get_object().bucket(&self.inner.bucket).key(key.as_str());
        let request = request.set_response_content_disposition(download_name.map(content_disposition));
        let signed = request.presigned(config).await;
        let signed =
            signed.map_err(|error| BlobError::Presign { key: key.clone(), source: Fault::of(error) })?;
        Ok(Presigned::of(&signed, expires_at))
    }
}

impl Presigned {
    pub(crate) fn of(signed: &PresignedRequest, expires_at: DateTime<Utc>) -> Self {
        Self {
            url: signed.uri().to_owned(),
            method: signed.method().to_owned(),
            headers: signed.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            expires_at,
        }
    }
}

pub(crate) fn presigning(
    key: &Key,
    expires: Duration,
) -> Result<(PresigningConfig, DateTime<Utc>), BlobError> {
    let now = SystemTime::now();
    match PresigningConfig::builder().start_time(now).expires_in(expires).build() {
        // A signature counts whole seconds.
        Ok(config) => Ok((config, DateTime::from(now + Duration::from_secs(expires.as_secs())))),
        Err(error) => Err(BlobError::Presign { key: key.clone(), source: Fault::request(error) }),
    }
}

// Two names, as RFC 6266 has it: a plain one that every client reads, and the real one for those that can.
fn content_disposition(name: &str) -> String {
    let name: String = name.chars().filter(|c| !c.is_control()).take(DOWNLOAD_NAME_CHARS_MAX).collect();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ' ');
    let plain: String = name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    let mut value = format!("attachment; filename=\"{plain}\"");
    if plain != name {
        value.push_str("; filename*=UTF-8''");
        for byte in name.bytes() {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-') {
                value.push(char::from(byte));
            } else {
                let _ = write!(value, "%{byte:02X}");
            }
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::content_disposition;

    #[test]
    fn a_download_name_cannot_end_its_quotes() {
        assert_eq!(content_disposition("a b.jpg"), r#"attachment; filename="a b.jpg""#);
        assert_eq!(
            content_disposition("é\"\r\n; x.jpg"),
            r#"attachment; filename="___ x.jpg"; filename*=UTF-8''%C3%A9%22%3B%20x.jpg"#
        );
    }
}
