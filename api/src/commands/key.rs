//! `api key`.

use anyhow::Context;
use chrono::{DateTime, Utc};
use jobs::ApiKeyId;
use secrecy::ExposeSecret;
use store::keys::NewKey;

use super::{owner, say};
use crate::config::{KeyArgs, KeyCommand};

pub(crate) async fn run(args: &KeyArgs) -> anyhow::Result<()> {
    let db = owner(&args.database)?;
    match &args.command {
        KeyCommand::Create { tenant, name, scopes, person } => {
            let tenant = store::keys::tenant_by_slug(&db, tenant).await?;
            let person = match person {
                Some(email) => Some(store::users::by_email(&db, email).await?),
                None => None,
            };
            let minted = api::mint().context("the system has no randomness to give")?;
            let scopes: Vec<String> = scopes.iter().map(|scope| scope.name().to_owned()).collect();
            let key = NewKey {
                id: ApiKeyId::new(),
                prefix: &minted.prefix,
                secret_sha256: minted.secret_sha256,
                name,
                scopes: &scopes,
            };
            store::keys::create_key(&db, tenant, &key, person).await?;
            // The one time that it is shown. On a line of its own, for scripts.
            say(minted.text.expose_secret())?;
        }
        KeyCommand::List { tenant } => {
            let tenant = store::keys::tenant_by_slug(&db, tenant).await?;
            for key in store::keys::keys(&db, tenant).await? {
                let state = if key.revoked_at.is_some() { "revoked" } else { "valid" };
                let (scopes, used) = (key.scopes.join(","), shown(key.last_used_at));
                let (made, person) = (shown(Some(key.created_at)), key.person.as_deref().unwrap_or("-"));
                say(&format!("{}\t{state}\t{scopes}\t{made}\t{used}\t{person}\t{}", key.prefix, key.name))?;
            }
        }
        KeyCommand::Revoke { prefix } => {
            let prefix = prefix.strip_prefix("crw_").unwrap_or(prefix);
            let was_valid = store::keys::revoke(&db, prefix).await?;
            anyhow::ensure!(was_valid, "no valid key has the prefix {prefix}");
            say("Revoked. Running servers stop taking it within 10 seconds.")?;
        }
    }
    db.close().await;
    Ok(())
}

fn shown(at: Option<DateTime<Utc>>) -> String {
    at.map_or_else(|| "never".to_owned(), |at| at.format("%Y-%m-%dT%H:%M:%SZ").to_string())
}
