use std::{sync::Arc, time::Duration};

use aws_sdk_s3::{
    Client,
    config::{
        Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation, SharedHttpClient,
        StalledStreamProtectionConfig, retry::RetryConfig, timeout::TimeoutConfig,
    },
};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use secrecy::ExposeSecret;

use crate::{BlobError, Fault, Options, multipart::PART_BYTES_MIN};

const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_LONGEST: Duration = Duration::from_secs(2);

/// One bucket. Cheap to clone; clones share their connections.
#[derive(Clone, Debug)]
pub struct Blobs {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) s3: Client,
    // Signs for the address that clients use. Never sends anything.
    pub(crate) signer: Client,
    pub(crate) bucket: String,
    pub(crate) idle_timeout_s: u64,
    pub(crate) part_bytes: u64,
}

impl Blobs {
    /// Prepares a client. Touches nothing outside the process; [`Blobs::check`] does.
    pub fn connect(options: &Options) -> Result<Self, BlobError> {
        check_options(options)?;
        let s3 = config(options, options.endpoint.as_deref()).build();
        // A signature over a checksum that the client does not send would refuse every upload.
        let signer = config(options, options.public_endpoint.as_deref().or(options.endpoint.as_deref()))
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .build();
        Ok(Self {
            inner: Arc::new(Inner {
                s3: Client::from_conf(s3),
                signer: Client::from_conf(signer),
                bucket: options.bucket.clone(),
                idle_timeout_s: options.idle_timeout_s,
                part_bytes: options.part_bytes,
            }),
        })
    }

    /// Whether the bucket can be reached with our keys. Cheap enough for a readiness probe.
    pub async fn check(&self) -> Result<(), BlobError> {
        match self.inner.s3.head_bucket().bucket(&self.inner.bucket).send().await {
            Ok(_) => Ok(()),
            Err(error) => {
                Err(BlobError::Check { bucket: self.inner.bucket.clone(), source: Fault::of(error) })
            }
        }
    }

    /// Makes the bucket unless it is there. For development and tests: in production the bucket is given.
    pub async fn ensure_bucket(&self) -> Result<(), BlobError> {
        match self.check().await {
            Err(error) if error.is_not_found() => {}
            other => return other,
        }
        match self.inner.s3.create_bucket().bucket(&self.inner.bucket).send().await {
            Ok(_) => Ok(()),
            // Somebody else may have made it in between; then it can be reached now.
            Err(error) => self.check().await.map_err(|_| BlobError::EnsureBucket {
                bucket: self.inner.bucket.clone(),
                source: Fault::of(error),
            }),
        }
    }

    /// The bucket's name.
    pub fn bucket(&self) -> &str {
        &self.inner.bucket
    }
}

fn check_options(options: &Options) -> Result<(), BlobError> {
    let refuse = |reason: String| Err(BlobError::Configure { reason });
    for (name, endpoint) in [("endpoint", &options.endpoint), ("public_endpoint", &options.public_endpoint)] {
        if endpoint.as_ref().is_some_and(|url| !url.starts_with("http://") && !url.starts_with("https://")) {
            return refuse(format!("{name} has to begin with http:// or https://"));
        }
    }
    if options.bucket.is_empty() || options.region.is_empty() {
        return refuse("bucket and region have to be given".to_owned());
    }
    if options.attempts_max == 0 {
        return refuse("attempts_max counts the first attempt, so it is at least 1".to_owned());
    }
    if options.part_bytes < PART_BYTES_MIN {
        return refuse(format!(
            "part_bytes is {}, S3 takes no less than {PART_BYTES_MIN}",
            options.part_bytes
        ));
    }
    if options.attempt_timeout_s > options.operation_timeout_s {
        return refuse(format!(
            "one attempt may take {} s but the whole operation only {} s",
            options.attempt_timeout_s, options.operation_timeout_s
        ));
    }
    let timeouts = [
        options.connect_timeout_s,
        options.attempt_timeout_s,
        options.operation_timeout_s,
        options.idle_timeout_s,
    ];
    if timeouts.contains(&0) {
        return refuse("a timeout of 0 s would refuse everything".to_owned());
    }
    Ok(())
}

fn config(options: &Options, endpoint: Option<&str>) -> aws_sdk_s3::config::Builder {
    let (access, secret) = (options.access_key.expose_secret(), options.secret_key.expose_secret());
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(options.connect_timeout_s))
        .read_timeout(Duration::from_secs(options.attempt_timeout_s))
        .operation_attempt_timeout(Duration::from_secs(options.attempt_timeout_s))
        .operation_timeout(Duration::from_secs(options.operation_timeout_s))
        .build();
    let retries = RetryConfig::standard()
        .with_max_attempts(options.attempts_max)
        .with_initial_backoff(RETRY_FIRST)
        .with_max_backoff(RETRY_LONGEST);
    let stalls = StalledStreamProtectionConfig::enabled()
        .grace_period(Duration::from_secs(options.idle_timeout_s))
        .build();
    let mut config = aws_sdk_s3::Config::builder()
        .region(Region::new(options.region.clone()))
        .credentials_provider(Credentials::new(access, secret, None, None, "options"))
        .force_path_style(options.path_style)
        .timeout_config(timeouts)
        .retry_config(retries)
        .stalled_stream_protection(stalls)
        .http_client(http_client(endpoint));
    config.set_endpoint_url(endpoint.map(str::to_owned));
    config
}

fn http_client(endpoint: Option<&str>) -> SharedHttpClient {
    let builder = aws_smithy_http_client::Builder::new();
    // Reading the system's certificates is slow and logs when there are none; a plain address needs none.
    if endpoint.is_some_and(|url| url.starts_with("http://")) {
        builder.build_http()
    } else {
        builder.tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https()
    }
}
