use blob::{BlobError, KeyError};
use store::{StoreError, payload::Field};

/// Why a payload could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// Larger than is taken at all.
    #[error("the {name} takes {bytes} bytes, and at most {bytes_max} are kept", name = field.name())]
    TooLarge {
        /// Which payload.
        field: Field,
        /// Its size.
        bytes: usize,
        /// The most.
        bytes_max: usize,
    },
    /// It is encrypted, and this process has no key; or a newer program wrote it.
    #[error("the payload is in a form that this process cannot open")]
    Closed,
    /// The object does not hold what its name says.
    #[error("{key} does not hold what its name says")]
    Damaged {
        /// The object.
        key: String,
    },
    /// The name of an object cannot be one.
    #[error("the name of a payload's object cannot be read")]
    Name(#[from] KeyError),
    /// The object store refused, or does not answer.
    #[error("could not reach a payload")]
    Blob(#[from] BlobError),
    /// A key could not be read, or does not fit.
    #[error("could not seal or open a payload")]
    Store(#[from] StoreError),
}

impl PayloadError {
    /// Whether the same call may work in a moment.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Blob(error) => error.is_transient(),
            Self::Store(error) => error.is_transient(),
            _ => false,
        }
    }

    /// Whether another process may be able to do it: one that was given the key.
    pub fn is_for_another(&self) -> bool {
        matches!(self, Self::Closed | Self::Store(StoreError::NoMasterKey { .. }))
    }
}
