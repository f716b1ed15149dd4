//! People who watch and steer, and what each may do where. All of it needs the owner's role.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use jobs::{TenantId, UserId};
use sqlx::FromRow;
use uuid::Uuid;

use crate::{
    db::{Db, Tx},
    error::{OrFailed, StoreError},
    second_factor,
};

pub use second_factor::seal;

/// What somebody is: a word for what they may do. Later ones may do more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum UserRole {
    /// Sees how things stand.
    Viewer,
    /// Steers the work of one tenant.
    TenantOperator,
    /// Steers the work of every tenant, and what each has of the whole.
    Operator,
    /// May do everything.
    Admin,
}

impl UserRole {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::TenantOperator, Self::Operator, Self::Admin];

    /// The word in rows and commands.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::TenantOperator => "tenant_operator",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// The role of a row.
    pub(crate) fn of(word: &str) -> Result<Self, StoreError> {
        word.parse().map_err(|_| StoreError::Unreadable { table: "user_role", found: word.to_owned() })
    }
}

/// No role is called so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a role is one of viewer, tenant_operator, operator, admin")]
pub struct UnknownRole;

impl FromStr for UserRole {
    type Err = UnknownRole;

    fn from_str(word: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.name() == word).ok_or(UnknownRole)
    }
}

/// A person, for lists.
#[derive(Debug, Clone, FromRow)]
pub struct User {
    id: Uuid,
    /// What they sign in with.
    pub email: String,
    /// What they are called.
    pub name: String,
    /// Whether signing in takes a code, too.
    pub has_totp: bool,
    /// When they were taken out, if they were.
    pub disabled_at: Option<DateTime<Utc>>,
    /// `tenant:role`, with `*` for every tenant and `+payloads` where they see those.
    pub roles: Vec<String>,
}

impl User {
    /// Which they are.
    pub fn id(&self) -> UserId {
        UserId::from_uuid(self.id)
    }
}

/// Adds somebody; false when the address is taken.
pub async fn add(
    tx: &mut Tx,
    id: UserId,
    email: &str,
    name: &str,
    password_hash: &str,
) -> Result<bool, StoreError> {
    let added = sqlx::query(
        "insert into user_account (id, email, name, password_hash) values ($1, lower($2), $3, $4) on conflict do nothing",
    )
    .bind(id.as_uuid())
    .bind(email)
    .bind(name)
    .bind(password_hash)
    .execute(&mut **tx)
    .await
    .or_failed("add a user")?;
    Ok(added.rows_affected() == 1)
}

/// Everybody, by address.
pub async fn list(db: &Db) -> Result<Vec<User>, StoreError> {
    sqlx::query_as(
        "select u.id, u.email, u.name, u.totp_secret is not null as has_totp, u.disabled_at,
                array(select coalesce(t.slug, '*') || ':' || r.role || case when r.sees_payloads then '+payloads' else '' end
                      || case when r.sees_private then '+private' else '' end
                      from user_role r left join tenant t on t.id = r.tenant_id where r.user_id = u.id
                      order by t.slug nulls first) as roles
         from user_account u order by u.email",
    )
    .fetch_all(db.pool())
    .await
    .or_failed("list users")
}

/// Who has this address.
pub async fn by_email(db: &Db, email: &str) -> Result<UserId, StoreError> {
    let id: Option<Uuid> = sqlx::query_scalar("select id from user_account where email = lower($1)")
        .bind(email)
        .fetch_optional(db.pool())
        .await
        .or_failed("find a user")?;
    id.map(UserId::from_uuid).ok_or_else(|| StoreError::NoUser(email.to_owned()))
}

/// Gives somebody a role in a tenant, or in every one, instead of the one they had there.
pub async fn grant(
    tx: &mut Tx,
    user: UserId,
    tenant: Option<TenantId>,
    role: UserRole,
    sees_payloads: bool,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into user_role (user_id, tenant_id, role, sees_payloads) values ($1, $2, $3, $4)
         on conflict (user_id, coalesce(tenant_id, '00000000-0000-0000-0000-000000000000'))
         do update set role = excluded.role, sees_payloads = excluded.sees_payloads,
                       sees_private = false, granted_at = now()",
    )
    .bind(user.as_uuid())
    .bind(tenant.map(|tenant| tenant.as_uuid()))
    .bind(role.name())
    .bind(sees_payloads)
    .execute(&mut **tx)
    .await
    .or_failed("grant a role")?;
    Ok(())
}

/// Lets somebody who has a role there see what is private in payloads, until they are given another.
pub async fn show_private(tx: &mut Tx, user: UserId, tenant: Option<TenantId>) -> Result<(), StoreError> {
    sqlx::query(
        "update user_role set sees_private = true where user_id = $1 and tenant_id is not distinct from $2",
    )
    .bind(user.as_uuid())
    .bind(tenant.map(|tenant| tenant.as_uuid()))
    .execute(&mut **tx)
    .await
    .or_failed("grant a role")?;
    Ok(())
}

/// Takes the role away that somebody has in a tenant, or in every one; false when they have none there.
pub async fn withdraw(tx: &mut Tx, user: UserId, tenant: Option<TenantId>) -> Result<bool, StoreError> {
    let gone = sqlx::query("delete from user_role where user_id = $1 and tenant_id is not distinct from $2")
        .bind(user.as_uuid())
        .bind(tenant.map(|tenant| tenant.as_uuid()))
        .execute(&mut **tx)
        .await
        .or_failed("withdraw a role")?;
    Ok(gone.rows_affected() == 1)
}

/// Gives somebody another password, and ends their sessions.
pub async fn set_password(tx: &mut Tx, user: UserId, password_hash: &str) -> Result<(), StoreError> {
    sqlx::query("update user_account set password_hash = $2 where id = $1")
        .bind(user.as_uuid())
        .bind(password_hash)
        .execute(&mut **tx)
        .await
        .or_failed("set a password")?;
    sign_out(tx, user).await
}

/// Makes signing in take a code made from `secret`, or none any more; ends their sessions. `db` has the master key.
pub async fn set_totp(db: &Db, tx: &mut Tx, user: UserId, secret: Option<&[u8]>) -> Result<(), StoreError> {
    second_factor::set(db, tx, user, secret).await?;
    sqlx::query("update user_account set totp_step = 0 where id = $1")
        .bind(user.as_uuid())
        .execute(&mut **tx)
        .await
        .or_failed("set the second factor")?;
    sign_out(tx, user).await
}

/// Takes somebody out, or lets them in again. Their sessions end.
pub async fn set_disabled(tx: &mut Tx, user: UserId, is_disabled: bool) -> Result<(), StoreError> {
    sqlx::query("update user_account set disabled_at = case when $2 then now() end where id = $1")
        .bind(user.as_uuid())
        .bind(is_disabled)
        .execute(&mut **tx)
        .await
        .or_failed("take a user out")?;
    sign_out(tx, user).await
}

pub(crate) async fn sign_out(tx: &mut Tx, user: UserId) -> Result<(), StoreError> {
    sqlx::query("delete from user_session where user_id = $1")
        .bind(user.as_uuid())
        .execute(&mut **tx)
        .await
        .or_failed("end sessions")?;
    Ok(())
}
