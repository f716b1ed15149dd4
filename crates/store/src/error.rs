//! What can go wrong with the database, named for what was being done.

/// A database operation failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No connection, no answer, or an answer that was an error.
    #[error("could not {operation}")]
    Operation {
        /// What was being done, in words that follow "could not".
        operation: &'static str,
        /// What the database or the driver said.
        #[source]
        source: sqlx::Error,
    },
    /// The schema could not be brought up to date.
    #[error("could not apply the migrations")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    /// The database holds something this version cannot read.
    #[error("a row in {table} holds {found:?}, which this version does not know")]
    Unreadable {
        /// The table.
        table: &'static str,
        /// What was found.
        found: String,
    },
    /// The payloads of a tenant are encrypted, and this process does not have the key that opens them.
    #[error(
        "the master key {master} is needed, and neither CREWLINE_MASTER_KEY nor CREWLINE_MASTER_KEY_PREVIOUS is it"
    )]
    NoMasterKey {
        /// The name of the key; it tells nothing of the key.
        master: String,
    },
    /// What is stored is not what was encrypted there.
    #[error("what is stored as {what} cannot be decrypted: it was changed, or belongs elsewhere")]
    Undecipherable {
        /// What.
        what: String,
    },
    /// A tenant with this slug exists already.
    #[error("a tenant called {0:?} exists already")]
    TenantExists(String),
    /// No tenant has this slug.
    #[error("there is no tenant called {0:?}")]
    NoTenant(String),
    /// Nobody has this address.
    #[error("there is no user with the address {0:?}")]
    NoUser(String),
}

impl StoreError {
    /// Whether a row was refused because one with the same key is there.
    pub(crate) fn is_duplicate(&self) -> bool {
        matches!(self, Self::Operation { source: sqlx::Error::Database(error), .. } if error.is_unique_violation())
    }

    /// Whether the database refused a value that its types cannot hold, such as a text with NUL or a year of six digits.
    pub fn is_unstorable(&self) -> bool {
        let Self::Operation { source: sqlx::Error::Database(error), .. } = self else { return false };
        let refused = ["22008", "22021", "22P05"]; // datetime field overflow, characters not in the repertoire, untranslatable
        error.code().is_some_and(|code| refused.contains(&&*code))
    }

    /// Whether the database was out of reach or overloaded, so that the same call may work in a moment.
    pub fn is_transient(&self) -> bool {
        let Self::Operation { source, .. } = self else { return false };
        match source {
            sqlx::Error::Io(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::Protocol(_) => true,
            // Connection exceptions, resources, operator intervention, serialisation and deadlock.
            sqlx::Error::Database(error) => error
                .code()
                .is_some_and(|code| ["08", "53", "57", "40"].iter().any(|class| code.starts_with(class))),
            _ => false,
        }
    }
}

/// Names the operation that failed: `query.fetch_one(db).await.or_failed("claim jobs")?`.
pub(crate) trait OrFailed<T> {
    fn or_failed(self, operation: &'static str) -> Result<T, StoreError>;
}

impl<T> OrFailed<T> for Result<T, sqlx::Error> {
    fn or_failed(self, operation: &'static str) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::Operation { operation, source })
    }
}
