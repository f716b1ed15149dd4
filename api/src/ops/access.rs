//! What people may do. The one place that decides it: every route names a right, and the guard asks here.

use store::users::UserRole;

use crate::auth::Scope;

/// Something that not everybody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// Be signed in, and no more.
    SignedIn,
    /// See how things stand in a tenant.
    See,
    /// Steer its work, and read who did.
    Operate,
    /// Steer it by what jobs are given, which takes seeing that.
    OperatePayloads,
    /// See the whole installation.
    SeeAll,
    /// Steer what tenants have of the whole, and read who did.
    OperateAll,
}

/// Whether somebody with this role may. The role is the highest that they have where they ask for it: in a tenant, or, for
/// rights to the whole installation, everywhere.
pub(crate) fn may(role: UserRole, sees_payloads: bool, right: Right) -> bool {
    match right {
        Right::SignedIn | Right::See | Right::SeeAll => true,
        Right::Operate => role >= UserRole::TenantOperator,
        Right::OperatePayloads => role >= UserRole::TenantOperator && sees_payloads,
        Right::OperateAll => role >= UserRole::Operator,
    }
}

/// What the API lets them do in a tenant, in its own words.
pub(crate) fn scopes(role: UserRole) -> &'static [Scope] {
    match role {
        UserRole::Viewer => &[Scope::JobsRead],
        UserRole::TenantOperator | UserRole::Operator => {
            &[Scope::JobsRead, Scope::JobsWrite, Scope::QueueOperate]
        }
        UserRole::Admin => &[Scope::Admin],
    }
}

#[cfg(test)]
mod tests {
    use store::users::UserRole;

    use super::{Right, may};

    #[test]
    fn each_role_may_what_it_is_for() {
        let rights = [Right::See, Right::Operate, Right::SeeAll, Right::OperateAll];
        let of = |role| rights.map(|right| may(role, false, right));
        assert_eq!(of(UserRole::Viewer), [true, false, true, false]);
        assert_eq!(of(UserRole::TenantOperator), [true, true, true, false]);
        assert_eq!(of(UserRole::Operator), [true; 4]);
        assert_eq!(of(UserRole::Admin), [true; 4]);
        assert!(UserRole::ALL.iter().all(|role| !may(*role, false, Right::OperatePayloads)));
        assert!(may(UserRole::TenantOperator, true, Right::OperatePayloads));
        assert!(!may(UserRole::Viewer, true, Right::OperatePayloads));
    }
}
