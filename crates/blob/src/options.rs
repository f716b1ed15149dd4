use secrecy::SecretString;

/// Everything there is to decide about talking to S3. No defaults: each number is chosen, and seen, at the caller.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where S3 is. `None` means the AWS endpoint of the region.
    pub endpoint: Option<String>,
    /// The region that signatures name.
    pub region: String,
    /// The one bucket this process uses.
    pub bucket: String,
    /// Access key id.
    pub access_key: SecretString,
    /// Secret access key.
    pub secret_key: SecretString,
    /// `http://host/bucket/key` instead of `http://bucket.host/key`. Most servers that are not AWS want this.
    pub path_style: bool,
    /// The address in signed URLs, where clients reach S3 under another name than we do. `None` means `endpoint`.
    pub public_endpoint: Option<String>,
    /// Longest wait for a connection.
    pub connect_timeout_s: u64,
    /// Longest wait for one attempt to be answered, up to the response's headers.
    pub attempt_timeout_s: u64,
    /// Longest wait for an operation with all its attempts, up to the response's headers.
    pub operation_timeout_s: u64,
    /// Longest silence while a body is read or written.
    pub idle_timeout_s: u64,
    /// Attempts per operation, the first included.
    pub attempts_max: u32,
    /// Files up to this size are put in one request, larger ones in parts of it. Held in memory per upload.
    pub part_bytes: u64,
}
