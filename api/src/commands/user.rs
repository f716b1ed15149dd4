//! `api user`: who may use the dashboard, and for what.

use std::io;

use anyhow::Context;
use api::{UserRole, ops};
use jobs::{TenantId, UserId};
use serde_json::{Value, json};
use store::{
    Db,
    identities::{self, Identity},
    keys, users,
};

use super::{change, note, owner, say};
use crate::config::people::{PlaceArgs, UserArgs, UserCommand};

pub(crate) async fn run(args: &UserArgs) -> anyhow::Result<()> {
    let db = args.masters.give(owner(&args.database)?)?;
    match &args.command {
        UserCommand::Add { email, name, password_stdin } => add(&db, email, name, *password_stdin).await?,
        UserCommand::List => {
            for user in users::list(&db).await? {
                let state = if user.disabled_at.is_some() { "disabled" } else { "active" };
                let factor = if user.has_totp { "code" } else { "-" };
                say(&format!("{}\t{state}\t{factor}\t{}\t{}", user.email, user.roles.join(","), user.name))?;
            }
        }
        UserCommand::Grant { email, place, role, payloads, private } => {
            grant(&db, email, place, *role, (*payloads, *private)).await?;
        }
        UserCommand::Withdraw { email, place } => {
            let (user, tenant) = (users::by_email(&db, email).await?, find(&db, place).await?);
            let said = note("user.withdraw", email, &Value::Null);
            change(&db, tenant, &said, async |tx| {
                anyhow::ensure!(users::withdraw(tx, user, tenant).await?, "{email} has no role there");
                Ok(())
            })
            .await?;
            say("Withdrawn.")?;
        }
        UserCommand::Password { email, password_stdin } => {
            let (user, password) = (users::by_email(&db, email).await?, password(*password_stdin)?);
            let (hash, said) = (hashed(&password)?, note("user.password", email, &Value::Null));
            change(&db, None, &said, async |tx| Ok(users::set_password(tx, user, &hash).await?)).await?;
            tell(&password, *password_stdin)?;
        }
        UserCommand::Totp { email, off } => totp(&db, email, *off).await?,
        UserCommand::Disable { email } => set_disabled(&db, email, true).await?,
        UserCommand::Enable { email } => set_disabled(&db, email, false).await?,
        UserCommand::Link { email, issuer, subject } => {
            link(&db, email, Identity { issuer, subject }).await?;
        }
        UserCommand::Unlink { email } => {
            let (user, said) = (users::by_email(&db, email).await?, note("user.unlink", email, &Value::Null));
            change(&db, None, &said, async |tx| {
                anyhow::ensure!(identities::unlink(tx, user).await? > 0, "no issuer knows {email}");
                Ok(())
            })
            .await?;
            say("Unlinked.")?;
        }
        UserCommand::Seal => {
            let said = note("user.seal", "*", &Value::Null);
            let sealed = change(&db, None, &said, async |tx| Ok(users::seal(&db, tx).await?)).await?;
            say(&format!("{sealed} secrets were sealed."))?;
        }
    }
    db.close().await;
    Ok(())
}

async fn add(db: &Db, email: &str, name: &str, from_stdin: bool) -> anyhow::Result<()> {
    anyhow::ensure!(ops::is_email(email), "{email:?} is no e-mail address");
    let password = password(from_stdin)?;
    let (hash, said) = (hashed(&password)?, note("user.add", email, &json!({ "name": name })));
    change(db, None, &said, async |tx| {
        let added = users::add(tx, UserId::new(), email, name, &hash).await?;
        anyhow::ensure!(added, "somebody has the address {email} already");
        Ok(())
    })
    .await?;
    tell(&password, from_stdin)
}

async fn grant(
    db: &Db,
    email: &str,
    place: &PlaceArgs,
    role: UserRole,
    (payloads, private): (bool, bool),
) -> anyhow::Result<()> {
    anyhow::ensure!(
        role != UserRole::TenantOperator || place.tenant.is_some(),
        "a tenant_operator is one of a tenant: name it with --tenant"
    );
    anyhow::ensure!(
        role <= UserRole::TenantOperator || place.everywhere,
        "an {} is one everywhere: say --everywhere, or make them a tenant_operator",
        role.name()
    );
    let (user, tenant) = (users::by_email(db, email).await?, find(db, place).await?);
    let said = note(
        "user.grant",
        email,
        &json!({ "role": role.name(), "sees_payloads": payloads, "sees_private": private }),
    );
    change(db, tenant, &said, async |tx| {
        users::grant(tx, user, tenant, role, payloads).await?;
        if private {
            users::show_private(tx, user, tenant).await?;
        }
        Ok(())
    })
    .await?;
    say("Granted.")
}

async fn totp(db: &Db, email: &str, off: bool) -> anyhow::Result<()> {
    let user = users::by_email(db, email).await?;
    let secret = if off {
        None
    } else {
        Some(ops::new_totp_secret().context("the system has no randomness to give")?)
    };
    let said = note("user.totp", email, &json!({ "on": !off }));
    let bytes = secret.as_ref().map(<[u8; 20]>::as_slice);
    change(db, None, &said, async |tx| Ok(users::set_totp(db, tx, user, bytes).await?)).await?;
    match secret {
        Some(secret) => say(&ops::totp_address(&secret, email)),
        None => say("No code is asked for any more."),
    }
}

async fn link(db: &Db, email: &str, identity: Identity<'_>) -> anyhow::Result<()> {
    users::by_email(db, email).await?;
    let said = note("user.link", email, &json!({ "issuer": identity.issuer, "subject": identity.subject }));
    change(db, None, &said, async |tx| {
        let is_linked = identities::link(tx, identity, &email.to_lowercase()).await?;
        anyhow::ensure!(
            is_linked,
            "{email} is disabled or has another subject there, or the subject is somebody else's; see api user unlink"
        );
        Ok(())
    })
    .await?;
    say("Linked.")
}

async fn set_disabled(db: &Db, email: &str, is_disabled: bool) -> anyhow::Result<()> {
    let user = users::by_email(db, email).await?;
    let said = note(if is_disabled { "user.disable" } else { "user.enable" }, email, &Value::Null);
    change(db, None, &said, async |tx| Ok(users::set_disabled(tx, user, is_disabled).await?)).await?;
    say(if is_disabled { "Disabled." } else { "Enabled." })
}

async fn find(db: &Db, place: &PlaceArgs) -> anyhow::Result<Option<TenantId>> {
    match &place.tenant {
        Some(slug) => Ok(Some(keys::tenant_by_slug(db, slug).await?)),
        None => Ok(None),
    }
}

fn password(from_stdin: bool) -> anyhow::Result<String> {
    if !from_stdin {
        return ops::new_password().context("the system has no randomness to give");
    }
    let mut line = String::new();
    io::stdin().read_line(&mut line).context("could not read the password")?;
    let password = line.trim_end_matches(['\r', '\n']);
    anyhow::ensure!(
        ops::is_password(password),
        "a password takes 12 characters or more, and up to 256 bytes"
    );
    Ok(password.to_owned())
}

fn hashed(password: &str) -> anyhow::Result<String> {
    ops::hash_password(password).map_err(|error| anyhow::anyhow!("could not hash the password: {error}"))
}

/// The one time that it is shown. On a line of its own, for scripts.
fn tell(password: &str, was_given: bool) -> anyhow::Result<()> {
    if was_given { say("Done.") } else { say(password) }
}
