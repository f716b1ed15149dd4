//! `api user`: who may use the dashboard, and for what.

use std::io;

use anyhow::Context;
use api::{UserRole, ops};
use jobs::{TenantId, UserId};
use serde_json::{Value, json};
use store::{Db, audit, keys, users};

use super::{owner, say};
use crate::config::people::{PlaceArgs, UserArgs, UserCommand};

pub(crate) async fn run(args: &UserArgs) -> anyhow::Result<()> {
    let db = owner(&args.database)?;
    match &args.command {
        UserCommand::Add { email, name, password_stdin } => add(&db, email, name, *password_stdin).await?,
        UserCommand::List => {
            for user in users::list(&db).await? {
                let state = if user.disabled_at.is_some() { "disabled" } else { "active" };
                let factor = if user.has_totp { "code" } else { "-" };
                say(&format!("{}\t{state}\t{factor}\t{}\t{}", user.email, user.roles.join(","), user.name))?;
            }
        }
        UserCommand::Grant { email, place, role, payloads } => {
            grant(&db, email, place, *role, *payloads).await?;
        }
        UserCommand::Withdraw { email, place } => {
            let (user, tenant) = (users::by_email(&db, email).await?, find(&db, place).await?);
            anyhow::ensure!(users::withdraw(&db, user, tenant).await?, "{email} has no role there");
            note(&db, tenant, "user.withdraw", email, &Value::Null).await?;
            say("Withdrawn.")?;
        }
        UserCommand::Password { email, password_stdin } => {
            let (user, password) = (users::by_email(&db, email).await?, password(*password_stdin)?);
            users::set_password(&db, user, &hashed(&password)?).await?;
            note(&db, None, "user.password", email, &Value::Null).await?;
            tell(&password, *password_stdin)?;
        }
        UserCommand::Totp { email, off } => totp(&db, email, *off).await?,
        UserCommand::Disable { email } => set_disabled(&db, email, true).await?,
        UserCommand::Enable { email } => set_disabled(&db, email, false).await?,
    }
    db.close().await;
    Ok(())
}

async fn add(db: &Db, email: &str, name: &str, from_stdin: bool) -> anyhow::Result<()> {
    anyhow::ensure!(ops::is_email(email), "{email:?} is no e-mail address");
    let password = password(from_stdin)?;
    let added = users::add(db, UserId::new(), email, name, &hashed(&password)?).await?;
    anyhow::ensure!(added, "somebody has the address {email} already");
    note(db, None, "user.add", email, &json!({ "name": name })).await?;
    tell(&password, from_stdin)
}

async fn grant(
    db: &Db,
    email: &str,
    place: &PlaceArgs,
    role: UserRole,
    payloads: bool,
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
    users::grant(db, user, tenant, role, payloads).await?;
    note(db, tenant, "user.grant", email, &json!({ "role": role.name(), "sees_payloads": payloads })).await?;
    say("Granted.")
}

async fn totp(db: &Db, email: &str, off: bool) -> anyhow::Result<()> {
    let user = users::by_email(db, email).await?;
    let secret = if off {
        None
    } else {
        Some(ops::new_totp_secret().context("the system has no randomness to give")?)
    };
    users::set_totp(db, user, secret.as_ref().map(<[u8; 20]>::as_slice)).await?;
    note(db, None, "user.totp", email, &json!({ "on": !off })).await?;
    match secret {
        Some(secret) => say(&ops::totp_address(&secret, email)),
        None => say("No code is asked for any more."),
    }
}

async fn set_disabled(db: &Db, email: &str, is_disabled: bool) -> anyhow::Result<()> {
    users::set_disabled(db, users::by_email(db, email).await?, is_disabled).await?;
    let word = if is_disabled { "user.disable" } else { "user.enable" };
    note(db, None, word, email, &Value::Null).await?;
    say(if is_disabled { "Disabled." } else { "Enabled." })
}

async fn find(db: &Db, place: &PlaceArgs) -> anyhow::Result<Option<TenantId>> {
    match &place.tenant {
        Some(slug) => Ok(Some(keys::tenant_by_slug(db, slug).await?)),
        None => Ok(None),
    }
}

/// Writes down what was done, in the chain of whom it concerns.
async fn note(
    db: &Db,
    tenant: Option<TenantId>,
    action: &str,
    email: &str,
    after: &Value,
) -> anyhow::Result<()> {
    let said = json!({ "by": "the command line", "action": action, "target": email, "after": after, "outcome": "done" });
    audit::append(db, tenant, &said).await?;
    Ok(())
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
