//! Looking for jobs, by whatever they are looked for. The dashboard and the API look in the same way.

use jobs::{JobId, TenantId};
use store::{
    Db,
    listing::{self, Filter, Page},
    looking_into::{self, Held},
    observing,
};

use crate::{
    limits::{FIELD_BYTES_MAX, FIELD_TEXT_BYTES_MAX, WORDS_CHARS_MAX},
    problem::{Code, Problem},
    seeing::Sight,
};

/// Which jobs are looked for.
#[derive(Debug, Default)]
pub(crate) struct Search {
    pub(crate) filter: Filter,
    /// Words of an error, or the id of a job; empty for any.
    pub(crate) words: String,
    /// What the arguments have to hold.
    pub(crate) held: Option<Held>,
}

impl Search {
    /// Up to `rows` of the tenant's, newest first, and from where to look on.
    pub(crate) async fn page(self, db: &Db, tenant: TenantId, rows: usize) -> Result<Page, Problem> {
        let Self { mut filter, words, held } = self;
        let words = words.trim();
        let mut next = None;
        if let Ok(id) = words.parse::<JobId>() {
            filter.among = Some(vec![id]);
        } else if !words.is_empty() {
            let found = observing::failures_with(db, tenant, words, filter.before, rows as i32).await?;
            next = found.last().copied().filter(|_| found.len() == rows);
            filter.among = Some(found);
        }
        let page = match &held {
            Some(held) => looking_into::list(db, tenant, &filter, held, rows).await?,
            None => listing::list(db, tenant, &filter, rows).await?,
        };
        Ok(Page { next: page.next.or(next), ..page })
    }
}

/// Words that can be looked for.
pub(crate) fn words(words: &str) -> Result<&str, Problem> {
    if words.chars().count() > WORDS_CHARS_MAX || words.contains('\0') {
        return Err(unusable());
    }
    Ok(words)
}

/// What a field of the arguments has to hold; none when neither was said.
pub(crate) fn held(field: &str, holds: &str, sight: Sight) -> Result<Option<Held>, Problem> {
    if field.len() > FIELD_BYTES_MAX || holds.len() > FIELD_TEXT_BYTES_MAX {
        return Err(unusable());
    }
    match (field.is_empty(), holds.is_empty()) {
        (true, true) => Ok(None),
        _ if field.contains('\0') || holds.contains('\0') => Err(unusable()),
        (false, false) if sight.private => Ok(Some(Held::new(field, holds))),
        (false, false) => Ok(Some(Held::new(field, holds).but_private())),
        _ => Err(Problem::new(Code::InvalidParameter, "a field, and what it holds: both, or neither")),
    }
}

fn unusable() -> Problem {
    Problem::new(Code::InvalidParameter, "a filter is too long, or holds a character that no text has")
}

#[cfg(test)]
mod tests {
    use super::{Sight, words};

    fn held(field: &str, holds: &str) -> Result<Option<super::Held>, super::Problem> {
        super::held(field, holds, Sight { payloads: true, private: true })
    }

    #[test]
    fn a_field_and_what_it_holds_belong_together() {
        assert!(held("", "").unwrap().is_none());
        assert!(held("asset", "ast_1").unwrap().is_some());
        let long = "x".repeat(200);
        for (field, holds) in [("asset", ""), ("", "ast_1"), ("a\0", "b"), (&long, "b"), ("a", &long)] {
            assert!(held(field, holds).is_err(), "{field:?} {holds:?}");
        }
    }

    #[test]
    fn words_are_bounded() {
        assert!(words(&"ä".repeat(200)).is_ok());
        assert!(words(&"ä".repeat(201)).is_err());
        assert!(words("a\0").is_err());
    }
}
