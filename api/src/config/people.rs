//! `api user` and `api audit`.

use api::UserRole;
use clap::{Args, Subcommand};
use settings::{DatabaseArgs, MasterKeyArgs};

/// `api user`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  api user add ann@acme.test --name Ann\n  api user grant ann@acme.test --tenant acme --role tenant_operator --payloads"
)]
pub(crate) struct UserArgs {
    /// What to do
    #[command(subcommand)]
    pub(crate) command: UserCommand,
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,
    #[command(flatten)]
    pub(crate) masters: MasterKeyArgs,
}

/// What to do with the people who use the dashboard.
#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Add somebody and print their password, once
    Add {
        /// What they sign in with
        email: String,
        /// What they are called
        #[arg(long)]
        name: String,
        /// Read the password from the first line of standard input, instead of making one
        #[arg(long)]
        password_stdin: bool,
    },
    /// List everybody, with what they may do where
    List,
    /// Give somebody a role in a tenant, or in all of them, instead of the one they have there
    Grant {
        /// What they sign in with
        email: String,
        #[command(flatten)]
        place: PlaceArgs,
        /// A viewer sees; a `tenant_operator` steers one tenant; an operator steers all of them; an admin may do everything
        #[arg(long)]
        role: UserRole,
        /// Let them see arguments, results and log lines
        #[arg(long)]
        payloads: bool,
        /// Let them see what of those is private: addresses, what is said to people
        #[arg(long, requires = "payloads")]
        private: bool,
    },
    /// Take away the role that somebody has in a tenant, or in all of them
    Withdraw {
        /// What they sign in with
        email: String,
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// Give somebody another password and print it, once; their sessions end
    Password {
        /// What they sign in with
        email: String,
        /// Read it from the first line of standard input, instead of making one
        #[arg(long)]
        password_stdin: bool,
    },
    /// Have somebody sign in with a code of a generator, too, and print what the generator reads, once
    Totp {
        /// What they sign in with
        email: String,
        /// Ask for no code any more
        #[arg(long)]
        off: bool,
    },
    /// Take somebody out: their sessions end, and they cannot sign in
    Disable {
        /// What they sign in with
        email: String,
    },
    /// Let somebody in again who was taken out
    Enable {
        /// What they sign in with
        email: String,
    },
    /// Take an issuer's word for somebody, whom it calls by this subject: where it does not say that addresses are verified
    Link {
        /// What they sign in with here
        email: String,
        /// The issuer, as CREWLINE_OIDC_ISSUER says
        #[arg(long)]
        issuer: String,
        /// What it calls them; the log of who was refused says it
        #[arg(long)]
        subject: String,
    },
    /// Forget who somebody is at issuers; their sessions end
    Unlink {
        /// What they sign in with here
        email: String,
    },
    /// Seal the secrets of code generators that were made when there was no master key, or by a version that sealed them otherwise
    Seal,
}

/// Where somebody has a role.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct PlaceArgs {
    /// In this tenant: its short name
    #[arg(long)]
    pub(crate) tenant: Option<String>,
    /// In every tenant, and in the installation
    #[arg(long)]
    pub(crate) everywhere: bool,
}

/// `api audit`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  api audit verify")]
pub(crate) struct AuditArgs {
    /// What to do
    #[command(subcommand)]
    pub(crate) command: AuditCommand,
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,
}

/// What to do with the log of what people did.
#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Follow every chain from its beginning, and print how long it is and its last hash; note that hash elsewhere
    Verify {
        /// Only the chain of this tenant: its short name
        #[arg(long)]
        tenant: Option<String>,
    },
}
