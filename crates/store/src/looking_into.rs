//! Pages of jobs by a field of their arguments.
//!
//! No index knows what arguments hold: every job would pay for it on its way in and out, and what is encrypted it could not hold at
//! all. So the newest jobs that fit the rest of a filter are opened, a bounded number of them and for a bounded time, and the page
//! says how far it looked, as every list does.

use std::time::{Duration, Instant};

use jobs::TenantId;
use serde_json::Value;
use sqlx::types::Json;

use crate::{
    db::Db,
    error::StoreError,
    listing::{self, Filter, Page},
    payload::Field,
    reads::JobRecord,
    sealing::Place,
};

/// Jobs that are opened for a page.
pub const OPENED_MAX: usize = 5_000;
/// Jobs that are read at once for that: each may bring 64 KiB of arguments and as much of a result.
const OPENED_AT_ONCE_MAX: usize = 200;
/// After this no other step begins: whoever asks waits for it.
const LONGEST: Duration = Duration::from_millis(400);

/// What some field of the arguments holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pointer: String,
    text: String,
    /// Whether it is looked for in private fields too.
    in_private: bool,
}

impl Held {
    /// `field` is the name of a member, or a JSON pointer such as `/customer/id`; `text` is what it holds: a text, a number or a
    /// word of JSON as it is written, or one of them in a list.
    pub fn new(field: &str, text: &str) -> Self {
        let pointer = if field.starts_with('/') { field.to_owned() } else { format!("/{field}") };
        Self { pointer, text: text.to_owned(), in_private: true }
    }

    /// The same, but not in fields that kinds call private: whoever may not see them could guess them by asking.
    #[must_use]
    pub fn but_private(self) -> Self {
        Self { in_private: false, ..self }
    }

    fn is_in_job(&self, job: &JobRecord) -> bool {
        let Some(args) = job.args.0.inline() else { return false };
        if self.in_private {
            return self.is_in(args);
        }
        let Some(spec) = jobs::spec(&job.kind) else { return false };
        let mut args = args.clone();
        jobs::private::cover(&spec.args_schema, &mut args);
        self.is_in(&args)
    }

    fn is_in(&self, args: &Value) -> bool {
        args.pointer(&self.pointer).is_some_and(|found| match found {
            Value::Array(all) => all.iter().any(|one| self.is(one)),
            one => self.is(one),
        })
    }

    fn is(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => *text == self.text,
            Value::Array(_) | Value::Object(_) => false,
            word => serde_json::from_str::<Value>(&self.text).is_ok_and(|wanted| wanted == *word),
        }
    }
}

/// Up to `limit` jobs of `tenant` that fit and whose arguments hold `held`, newest first. Arguments that are too large for a row
/// are not looked into.
pub async fn list(
    db: &Db,
    tenant: TenantId,
    filter: &Filter,
    held: &Held,
    limit: usize,
) -> Result<Page, StoreError> {
    let (began, mut filter, mut found) = (Instant::now(), filter.clone(), Page::default());
    let mut opened = 0;
    loop {
        let step = listing::list(db, tenant, &filter, OPENED_AT_ONCE_MAX).await?;
        opened += step.jobs.len();
        for job in step.jobs {
            let job = open(db, tenant, job).await?;
            if !held.is_in_job(&job) {
                continue;
            }
            found.next = Some(job.id());
            found.jobs.push(job);
            if found.jobs.len() == limit {
                return Ok(found);
            }
        }
        found.next = step.next;
        if found.next.is_none() || opened >= OPENED_MAX || began.elapsed() > LONGEST {
            return Ok(found);
        }
        filter.before = found.next;
    }
}

async fn open(db: &Db, tenant: TenantId, mut job: JobRecord) -> Result<JobRecord, StoreError> {
    job.args = Json(db.open(tenant, &Place::of_job(job.id(), Field::Args), job.args.0).await?);
    Ok(job)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Held;

    #[test]
    fn a_field_is_found_by_what_it_holds() {
        let args = json!({"asset": "ast_1", "to": {"zip": "01", "n": 7}, "urgent": true, "rungs": ["s", "m"], "none": null});
        for (field, text) in [
            ("asset", "ast_1"),
            ("/asset", "ast_1"),
            ("/to/zip", "01"),
            ("/to/n", "7"),
            ("urgent", "true"),
            ("rungs", "m"),
            ("/rungs/0", "s"),
            ("none", "null"),
        ] {
            assert!(Held::new(field, text).is_in(&args), "{field} holds {text}");
        }
        for (field, text) in
            [("asset", "ast_"), ("zip", "01"), ("/to/n", "07"), ("to", "{}"), ("", ""), ("/", "")]
        {
            assert!(!Held::new(field, text).is_in(&args), "{field} does not hold {text}");
        }
    }
}
