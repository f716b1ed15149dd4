//! `api key`.

use anyhow::Context;
use chrono::{DateTime, Utc};
use jobs::ApiKeyId;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use store::keys::NewKey;

use super::{change, note, owner, say};
use crate::config::{KeyArgs, KeyCommand};

pub(crate) async fn run(args: &KeyArgs) -> anyhow::Result<()> {
    let db = owner(&args.database)?;
    match &args.command {
        KeyCommand::Create { tenant, name, scopes, person } => {
            let tenant = store::keys::tenant_by_slug(&db, tenant).await?;
            let holder = match person {
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
            let after = json!({ "name": name, "scopes": scopes, "person": person });
            let said = note("key.create", &key.id.to_string(), &after);
            change(&db, Some(tenant), &said, async |tx| {
                Ok(store::keys::create_key(tx, tenant, &key, holder).await?)
            })
            .await?;
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
            let found = store::keys::find(&db, prefix).await?;
            let found = found.with_context(|| format!("no valid key has the prefix {prefix}"))?;
            let said = note("key.revoke", &found.id.to_string(), &Value::Null);
            change(&db, Some(found.tenant), &said, async |tx| {
                let was_valid = store::keys::revoke(tx, prefix).await?;
                anyhow::ensure!(was_valid, "no valid key has the prefix {prefix}");
                Ok(())
            })
            .await?;
            say("Revoked. Running servers stop taking it within 10 seconds.")?;
        }
    }
    db.close().await;
    Ok(())
}

fn shown(at: Option<DateTime<Utc>>) -> String {
    at.map_or_else(|| "never".to_owned(), |at| at.format("%Y-%m-%dT%H:%M:%SZ").to_string())
}
