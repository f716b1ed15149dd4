//! Files: announced to the API, put to S3, completed.

use std::{path::Path, time::Duration};

use bytes::Bytes;
use reqwest::header::ETAG;
use tokio::{fs::File, io::AsyncReadExt};

use crate::{Client, Error, Problem, client::pause, types};

/// The largest file that is taken: a film of 2,000 MiB.
pub const FILE_BYTES_MAX: u64 = 2_000 * 1024 * 1024;
/// Longest time that one part may take.
const PART_LONGEST: Duration = Duration::from_mins(10);
/// The longest answer of S3 that is read.
const REFUSAL_BYTES_MAX: usize = 64 * 1024;

impl Client {
    /// Puts the file at `path` where jobs can name it, and says after each part how many bytes are there. At most one part is
    /// held in memory.
    pub async fn upload(
        &self,
        path: &Path,
        content_type: &str,
        mut told: impl FnMut(u64) + Send,
    ) -> Result<types::Asset, Error> {
        let wrong = |source| Error::File { path: path.display().to_string(), source };
        let mut file = File::open(path).await.map_err(wrong)?;
        let bytes = file.metadata().await.map_err(wrong)?.len();
        if !(1..=FILE_BYTES_MAX).contains(&bytes) {
            return Err(Error::FileSize(path.display().to_string()));
        }
        let filename = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let announce = types::NewUpload {
            filename,
            content_type: content_type.to_owned(),
            bytes: bytes.cast_signed(),
            sha256: None,
        };
        let upload = self.announce_upload(&announce).await?;
        let mut done = 0;
        let mut parts = Vec::new();
        // One PUT is a single part without a number.
        let whole = upload.url.iter().map(|url| (None, bytes, url));
        let many = upload.parts.iter().flatten();
        let many = many.map(|part| (Some(part.number), part.bytes.cast_unsigned(), &part.url));
        for (number, size, url) in whole.chain(many) {
            let mut piece = vec![0; size as usize];
            file.read_exact(&mut piece).await.map_err(wrong)?;
            let etag = self.put(url, upload.headers.iter().flatten(), piece).await?;
            parts.extend(number.map(|number| types::Part { number, etag }));
            done += size;
            told(done);
        }
        let parts = (!parts.is_empty()).then_some(parts);
        self.complete_upload(&upload.id, &types::Completion { parts }).await
    }

    /// Puts `piece` to a signed address, which is told apart by it alone: no key of ours goes there.
    async fn put<'a>(
        &self,
        url: &str,
        headers: impl Iterator<Item = (&'a String, &'a String)>,
        piece: Vec<u8>,
    ) -> Result<String, Error> {
        let headers: Vec<_> = headers.collect();
        let piece = Bytes::from(piece);
        let mut tries = 1;
        loop {
            let request =
                headers.iter().fold(self.http.put(url).timeout(PART_LONGEST), |request, (name, value)| {
                    request.header(*name, *value)
                });
            let error = match request.body(piece.clone()).send().await {
                Ok(response) if response.status().is_success() => {
                    let etag = response.headers().get(ETAG).and_then(|etag| etag.to_str().ok());
                    return Ok(etag.unwrap_or_default().to_owned());
                }
                Ok(response) => {
                    let status = response.status();
                    let body = self.body(response, REFUSAL_BYTES_MAX).await.unwrap_or_default();
                    Error::Refused(Box::new(Problem::read(status, &body, None)))
                }
                Err(source) => self.unanswered(source),
            };
            if tries >= self.options.tries_max || !error.is_passing(true) {
                return Err(error);
            }
            tokio::time::sleep(pause(None, tries)).await;
            tries += 1;
        }
    }
}
