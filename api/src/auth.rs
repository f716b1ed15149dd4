//! Who is asking: API keys, their cache, and what each may do.
//!
//! A key is `crw_<prefix>_<secret>`. The prefix finds the row, the secret is compared by its SHA-256 in constant time,
//! and is never stored or logged.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use jobs::{ApiKeyId, TenantId, UserId};
use rand::{Rng, TryRngCore, rngs::OsRng};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::{Db, StoreError, keys::FoundKey};
use subtle::ConstantTimeEq;

use crate::{
    AppState, acts,
    limits::{KEY_CACHE, KEY_TOUCH, KEYS_CACHED_MAX},
    problem::{Code, Problem},
    seeing::Sight,
};

/// What a key may do. `admin` may do all of it in its tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
pub enum Scope {
    /// Submit and cancel jobs, upload files.
    #[value(name = "jobs:write")]
    #[serde(rename = "jobs:write")]
    JobsWrite,
    /// See jobs, events, uploads and assets.
    #[value(name = "jobs:read")]
    #[serde(rename = "jobs:read")]
    JobsRead,
    /// See what jobs are given, leave behind and say, where it sees jobs.
    #[value(name = "payloads:read")]
    #[serde(rename = "payloads:read")]
    PayloadsRead,
    /// See what of that is private, where it sees payloads.
    #[value(name = "private:read")]
    #[serde(rename = "private:read")]
    PrivateRead,
    /// Run ended jobs again; set limits and pauses.
    #[value(name = "queue:operate")]
    #[serde(rename = "queue:operate")]
    QueueOperate,
    /// Everything in its tenant, keys too.
    #[value(name = "admin")]
    #[serde(rename = "admin")]
    Admin,
    /// Make tenants, and keys of every tenant; nothing else.
    #[value(name = "installation")]
    #[serde(rename = "installation")]
    Installation,
}

impl Scope {
    /// The word in rows and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::JobsWrite => "jobs:write",
            Self::JobsRead => "jobs:read",
            Self::PayloadsRead => "payloads:read",
            Self::PrivateRead => "private:read",
            Self::QueueOperate => "queue:operate",
            Self::Admin => "admin",
            Self::Installation => "installation",
        }
    }
}

/// A key that was just made. Its text is shown once.
pub struct Minted {
    /// Finds the key.
    pub prefix: String,
    /// SHA-256 of the secret's 64 hexadecimal digits, as it is stored.
    pub secret_sha256: [u8; 32],
    /// What the client sends.
    pub text: SecretString,
}

const PREFIX_CHARS: usize = 12;
const SECRET_BYTES: usize = 32;
const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";

/// Makes a key from the system's randomness.
///
/// # Errors
/// When the system has none to give.
pub fn mint() -> Result<Minted, rand::rand_core::OsError> {
    let mut secret = [0_u8; SECRET_BYTES];
    OsRng.try_fill_bytes(&mut secret)?;
    let secret = hex::encode(secret);
    let mut rng = rand::rng();
    let prefix: String =
        (0..PREFIX_CHARS).map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())])).collect();
    let text = format!("crw_{prefix}_{secret}").into();
    Ok(Minted { prefix, secret_sha256: Sha256::digest(&secret).into(), text })
}

/// Keys that were looked up, for as long as a look-up is trusted.
pub(crate) struct Keys {
    db: Db,
    known: Mutex<HashMap<String, Known>>,
    touched: Mutex<HashMap<ApiKeyId, Instant>>,
}

#[derive(Clone)]
struct Known {
    // None: there is no such key. Remembered too, or guessing would cost us a query each.
    key: Option<FoundKey>,
    at: Instant,
}

impl Keys {
    pub(crate) fn new(db: Db) -> Self {
        Self { db, known: Mutex::default(), touched: Mutex::default() }
    }

    /// Who presented `text`; none when it is no valid key.
    async fn caller(&self, text: &str) -> Result<Option<Caller>, StoreError> {
        let Some((prefix, secret)) = split(text) else { return Ok(None) };
        let Some(key) = self.find(prefix).await? else { return Ok(None) };
        let presented: [u8; 32] = Sha256::digest(secret).into();
        if !bool::from(presented.ct_eq(key.secret_sha256.as_slice())) || key.revoked_at.is_some() {
            return Ok(None);
        }
        self.touch(&key);
        Ok(Some(Caller {
            tenant: key.tenant,
            key: Asker::Key(key.id),
            person: key.person,
            scopes: key.scopes,
        }))
    }

    async fn find(&self, prefix: &str) -> Result<Option<FoundKey>, StoreError> {
        if let Some(known) = self.known().get(prefix).filter(|known| known.at.elapsed() < KEY_CACHE) {
            return Ok(known.key.clone());
        }
        let key = store::keys::find(&self.db, prefix).await?;
        let mut known = self.known();
        if known.len() >= KEYS_CACHED_MAX {
            known.retain(|_, known| known.at.elapsed() < KEY_CACHE);
        }
        if known.len() < KEYS_CACHED_MAX {
            known.insert(prefix.to_owned(), Known { key: key.clone(), at: Instant::now() });
        }
        Ok(key)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes down that the key was used, in the background: no request waits for it or fails with it.
    fn touch(&self, key: &FoundKey) {
        let mut touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        if touched.get(&key.id).is_some_and(|at| at.elapsed() < KEY_TOUCH) {
            return;
        }
        touched.insert(key.id, Instant::now());
        drop(touched);
        let (db, tenant, id) = (self.db.clone(), key.tenant, key.id);
        tokio::spawn(async move {
            if let Err(error) = store::keys::touch(&db, tenant, id).await {
                tracing::debug!(error = %error, "Could not note that {id} was used");
            }
        });
    }
}

fn split(text: &str) -> Option<(&str, &str)> {
    let (prefix, secret) = text.strip_prefix("crw_")?.split_once('_')?;
    let fits = prefix.len() == PREFIX_CHARS
        && prefix.bytes().all(|byte| ALPHABET.contains(&byte))
        && secret.len() == SECRET_BYTES * 2
        && secret.bytes().all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase());
    fits.then_some((prefix, secret))
}

/// Who asks: written down with what they change.
#[derive(Debug, Clone)]
pub(crate) enum Asker {
    /// A program, by its key.
    Key(ApiKeyId),
    /// A person, by the address they sign in with.
    Person(String),
}

impl fmt::Display for Asker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(id) => id.fmt(f),
            Self::Person(email) => f.write_str(email),
        }
    }
}

/// Whose request it is and what it may do.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// Whose.
    pub tenant: TenantId,
    /// By which key, or who of the people at the dashboard.
    pub key: Asker,
    /// Which person that is; none for a key that was made for nobody.
    pub person: Option<UserId>,
    scopes: Vec<String>,
}

impl Caller {
    /// A person at the dashboard, who may do this in `tenant`.
    pub(crate) fn person(tenant: TenantId, user: UserId, email: &str, scopes: &[Scope]) -> Self {
        let scopes = scopes.iter().map(|scope| scope.name().to_owned()).collect();
        Self { tenant, key: Asker::Person(email.to_owned()), person: Some(user), scopes }
    }

    /// Whether it may do everything.
    pub(crate) fn is_admin(&self) -> bool {
        self.may(&[Scope::Admin]).is_ok()
    }

    /// What it may see.
    pub(crate) fn sight(&self) -> Sight {
        let sees = |scope: Scope| match self.key {
            Asker::Key(_) => self.may(&[scope]).is_ok(),
            // Of people that is said apart from their role, however high it is.
            Asker::Person(_) => self.scopes.iter().any(|held| held == scope.name()),
        };
        Sight { payloads: sees(Scope::PayloadsRead), private: sees(Scope::PrivateRead) }
    }

    /// The key that asks; people have none.
    pub(crate) fn key_id(&self) -> Result<ApiKeyId, Problem> {
        match self.key {
            Asker::Key(id) => Ok(id),
            Asker::Person(_) => Err(Problem::new(Code::NotAllowed, "this is for API keys")),
        }
    }

    /// Whether one of its scopes is among these.
    pub(crate) fn may(&self, any_of: &[Scope]) -> Result<(), Problem> {
        let has = |scope: Scope| self.scopes.iter().any(|held| held == scope.name());
        // What is beyond a tenant is beyond those who may do everything in it.
        let is_admin = has(Scope::Admin) && !any_of.contains(&Scope::Installation);
        if is_admin || any_of.iter().any(|scope| has(*scope)) {
            return Ok(());
        }
        let names: Vec<&str> = any_of.iter().map(|scope| scope.name()).collect();
        Err(Problem::new(
            Code::MissingScope,
            format!("this needs a key with the scope {}", names.join(" or ")),
        ))
    }
}

macro_rules! callers {
    ($($(#[$doc:meta])* $name:ident: $($scope:ident),+;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub(crate) struct $name(pub(crate) Caller);

        impl $name {
            /// This caller, if they may.
            pub(crate) fn of(caller: Caller) -> Result<Self, Problem> {
                caller.may(&[$(Scope::$scope),+])?;
                Ok(Self(caller))
            }
        }

        impl<S: Send + Sync> FromRequestParts<S> for $name {
            type Rejection = Problem;

            async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
                Self::of(parts.extensions.get::<Caller>().cloned().ok_or_else(unauthenticated)?)
            }
        }
    )+};
}

callers! {
    /// Somebody who may see jobs.
    Reader: JobsRead;
    /// Somebody who may submit jobs.
    Writer: JobsWrite;
    /// Somebody who steers queues.
    Operator: QueueOperate;
    /// Somebody who may run something again, or hold it.
    Retrier: JobsWrite, QueueOperate;
    /// Somebody who may do everything.
    Admin: Admin;
    /// Somebody who makes tenants.
    Installer: Installation;
}

fn unauthenticated() -> Problem {
    Problem::new(Code::Unauthenticated, "send a valid API key as `Authorization: Bearer crw_…`")
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, key) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
}

/// Lets a request pass whose key is valid and whose tenant has a token left.
pub(crate) async fn authenticate(State(app): State<AppState>, mut request: Request, next: Next) -> Response {
    let caller = match bearer(request.headers()) {
        None => return unauthenticated().into_response(),
        Some(text) => match app.keys.caller(text).await {
            Ok(Some(caller)) => caller,
            Ok(None) => return unauthenticated().into_response(),
            Err(error) => return Problem::from(error).into_response(),
        },
    };
    tracing::Span::current().record(telemetry::fields::TENANT_ID, tracing::field::display(caller.tenant));
    let allowance = app.rates.take(caller.tenant, Instant::now());
    let mut response = if allowance.allowed {
        request.extensions_mut().insert(caller.clone());
        acts::run(&app, caller, request, next).await
    } else {
        let seconds = allowance.next_in_s;
        Problem::new(Code::RateLimited, format!("no request is left for now; wait {seconds} s"))
            .retry_after(seconds)
            .into_response()
    };
    app.rates.describe(allowance, response.headers_mut());
    response
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;
    use sha2::{Digest, Sha256};

    use super::{mint, split};

    #[test]
    fn a_minted_key_splits_into_what_is_stored() {
        let minted = mint().unwrap();
        let (prefix, secret) = split(minted.text.expose_secret()).unwrap();
        assert_eq!(prefix, minted.prefix);
        assert_eq!(<[u8; 32]>::from(Sha256::digest(secret)), minted.secret_sha256);
        assert_ne!(mint().unwrap().prefix, prefix);
    }

    #[test]
    fn what_is_no_key_is_never_looked_up() {
        let text = format!("crw_abcdefghijkl_{}", "0".repeat(64));
        assert!(split(&text).is_some());
        for wrong in [
            "",
            "crw_",
            "abcdefghijkl",
            &text[1..],
            &text[..80],
            &text.to_uppercase(),
            &format!("{text}0"),
            &text.replace("crw_a", "crw_A"),
            &text.replace("crw_a", "crw_'"),
        ] {
            assert!(split(wrong).is_none(), "{wrong:?}");
        }
    }
}
