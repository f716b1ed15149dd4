use std::{fmt, io, path::PathBuf};

use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};

use crate::Key;

/// What went wrong, named for the operation that was tried.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The options cannot be used.
    #[error("the options for S3 cannot be used: {reason}")]
    Configure {
        /// Which, and why.
        reason: String,
    },
    /// The bucket could not be reached.
    #[error("could not reach the bucket {bucket}")]
    Check {
        /// The bucket.
        bucket: String,
        /// Why.
        #[source]
        source: Fault,
    },
    /// The bucket could not be made.
    #[error("could not create the bucket {bucket}")]
    EnsureBucket {
        /// The bucket.
        bucket: String,
        /// Why.
        #[source]
        source: Fault,
    },
    /// The object could not be described.
    #[error("could not look up {key}")]
    Head {
        /// The object.
        key: Key,
        /// Why.
        #[source]
        source: Fault,
    },
    /// The object could not be read.
    #[error("could not read {key}")]
    Get {
        /// The object.
        key: Key,
        /// Why.
        #[source]
        source: Fault,
    },
    /// The object is larger than the caller accepts. Nothing of it was read.
    #[error("{key} has {bytes} bytes, more than the {bytes_max} accepted")]
    TooLarge {
        /// The object.
        key: Key,
        /// Its size.
        bytes: u64,
        /// What the caller accepts.
        bytes_max: u64,
    },
    /// S3 holds, or delivered, another number of bytes than were sent or announced.
    #[error("{key} came to {bytes} bytes where {bytes_expected} were expected")]
    Length {
        /// The object.
        key: Key,
        /// What was counted.
        bytes: u64,
        /// What should have been.
        bytes_expected: u64,
    },
    /// The object could not be written.
    #[error("could not write {key}")]
    Put {
        /// The object.
        key: Key,
        /// Why.
        #[source]
        source: Fault,
    },
    /// The object could not be copied.
    #[error("could not copy {from} to {to}")]
    Copy {
        /// What was to be copied.
        from: Key,
        /// The name of the copy.
        to: Key,
        /// Why.
        #[source]
        source: Fault,
    },
    /// The object could not be deleted.
    #[error("could not delete {key}")]
    Delete {
        /// The object.
        key: Key,
        /// Why.
        #[source]
        source: Fault,
    },
    /// The objects could not be listed.
    #[error("could not list what is under {prefix:?}")]
    List {
        /// The prefix asked for.
        prefix: String,
        /// Why.
        #[source]
        source: Fault,
    },
    /// A URL could not be signed.
    #[error("could not sign a URL for {key}")]
    Presign {
        /// The object.
        key: Key,
        /// Why.
        #[source]
        source: Fault,
    },
    /// A step of a multipart upload failed.
    #[error("could not {step} the multipart upload of {key}")]
    Multipart {
        /// The object.
        key: Key,
        /// The step, as a verb.
        step: &'static str,
        /// Why.
        #[source]
        source: Fault,
    },
    /// Part numbers run from 1 to 10,000, each once, and there is at least one.
    #[error("{key} cannot be put together from the parts given: {reason}")]
    Parts {
        /// The object.
        key: Key,
        /// What is wrong with them.
        reason: String,
    },
    /// Not the id of a multipart upload.
    #[error("this is not the id of a multipart upload")]
    UploadId,
    /// The file at this end could not be read or written.
    #[error("could not {step} the file {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was tried, as a verb.
        step: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl BlobError {
    /// Whether the same call may succeed later: timeouts, lost connections, throttling, errors of the server.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Length { .. })
            || self.fault().is_some_and(|fault| fault.class == Class::Transient)
    }

    /// Whether the object, bucket or upload does not exist.
    pub fn is_not_found(&self) -> bool {
        self.fault().is_some_and(|fault| fault.class == Class::NotFound)
    }

    fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Check { source, .. }
            | Self::EnsureBucket { source, .. }
            | Self::Head { source, .. }
            | Self::Get { source, .. }
            | Self::Put { source, .. }
            | Self::Copy { source, .. }
            | Self::Delete { source, .. }
            | Self::List { source, .. }
            | Self::Presign { source, .. }
            | Self::Multipart { source, .. } => Some(source),
            Self::Configure { .. }
            | Self::TooLarge { .. }
            | Self::Length { .. }
            | Self::Parts { .. }
            | Self::UploadId
            | Self::File { .. } => None,
        }
    }
}

/// What S3 or the way to it did, kept with its cause and without the SDK's types.
#[derive(Debug)]
pub struct Fault {
    class: Class,
    status: Option<u16>,
    summary: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Transient,
    NotFound,
    Permanent,
}

const TRANSIENT_CODES: [&str; 8] = [
    "SlowDown",
    "InternalError",
    "ServiceUnavailable",
    "RequestTimeout",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "OperationAborted",
];
const NOT_FOUND_CODES: [&str; 4] = ["NoSuchKey", "NoSuchBucket", "NoSuchUpload", "NotFound"];

impl Fault {
    pub(crate) fn status(&self) -> Option<u16> {
        self.status
    }

    pub(crate) fn is_not_found(&self) -> bool {
        self.class == Class::NotFound
    }

    /// The body stopped arriving, or arrived damaged.
    pub(crate) fn body(source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::new(Class::Transient, "the body broke off").with(source)
    }

    /// The body has been silent for too long.
    pub(crate) fn silent(idle_timeout_s: u64) -> Self {
        Self::new(Class::Transient, format!("the body was silent for {idle_timeout_s} s"))
    }

    /// The server confirmed something else than was asked for.
    pub(crate) fn answer(summary: impl Into<String>) -> Self {
        Self::new(Class::Transient, summary)
    }

    /// Our own request does not make sense.
    pub(crate) fn request(source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::new(Class::Permanent, "the request could not be built").with(source)
    }

    pub(crate) fn of<E>(error: SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let status = error.raw_response().map(|response| response.status().as_u16());
        let code = error.as_service_error().and_then(|service| service.code()).map(str::to_owned);
        let (class, summary) = match &error {
            SdkError::TimeoutError(_) => (Class::Transient, "S3 did not answer in time".to_owned()),
            SdkError::DispatchFailure(failure) if failure.is_user() => {
                (Class::Permanent, "the request could not be sent".to_owned())
            }
            SdkError::DispatchFailure(_) => (Class::Transient, "the connection to S3 failed".to_owned()),
            SdkError::ResponseError(_) => (Class::Transient, "S3 answered what could not be read".to_owned()),
            SdkError::ServiceError(_) => {
                let text = code.as_deref().unwrap_or("no code");
                (
                    classify(status, code.as_deref()),
                    format!("S3 answered {} ({text})", status.unwrap_or_default()),
                )
            }
            _ => (Class::Permanent, "the request could not be built".to_owned()),
        };
        Self { status, ..Self::new(class, summary).with(error) }
    }

    fn new(class: Class, summary: impl Into<String>) -> Self {
        Self { class, status: None, summary: summary.into(), source: None }
    }

    fn with(self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self { source: Some(Box::new(source)), ..self }
    }
}

fn classify(status: Option<u16>, code: Option<&str>) -> Class {
    let is_one_of = |codes: &[&str]| code.is_some_and(|code| codes.contains(&code));
    match status {
        Some(408 | 429 | 500 | 502..=599) => Class::Transient,
        _ if is_one_of(&TRANSIENT_CODES) => Class::Transient,
        Some(404) => Class::NotFound,
        _ if is_one_of(&NOT_FOUND_CODES) => Class::NotFound,
        _ => Class::Permanent,
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.summary)
    }
}

impl std::error::Error for Fault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::{Class, classify};

    #[test]
    fn only_what_may_pass_is_transient() {
        for (status, code, class) in [
            (503, "SlowDown", Class::Transient),
            (500, "InternalError", Class::Transient),
            (429, "TooManyRequests", Class::Transient),
            (409, "OperationAborted", Class::Transient),
            (400, "RequestTimeout", Class::Transient),
            (501, "NotImplemented", Class::Permanent),
            (404, "NoSuchKey", Class::NotFound),
            (403, "AccessDenied", Class::Permanent),
            (400, "BadDigest", Class::Permanent),
        ] {
            assert_eq!(classify(Some(status), Some(code)), class, "{status} {code}");
        }
    }
}
