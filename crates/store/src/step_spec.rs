//! The jobs of a step that are still to be made: what they are, and the results of other steps that they ask for.

use std::collections::BTreeMap;

use jobs::{
    JobId, KindSpec, Priority, Queue, TenantId, WorkflowId, failure::Problem, limits::ARGS_BYTES_MAX,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::types::Json;

use crate::{
    db::Db,
    enqueue::{Member, NewJob},
    error::StoreError,
    payload::Payload,
    sealing::Place,
};

/// The jobs of a step that are still to be made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// `family.thing`.
    pub kind: String,
    /// Version of the arguments, as they were checked.
    #[serde(default = "first")]
    pub version: u16,
    /// Where they run.
    pub queue: Queue,
    /// Who goes first.
    pub priority: Priority,
    /// Runs before one is discarded.
    pub max_attempts: u16,
    /// What they use that others use too.
    pub concurrency_key: Option<String>,
    /// Promised to be done within so many seconds after their step begins.
    pub promise_s: Option<u32>,
    /// Words to find them by.
    pub tags: Vec<String>,
    /// The arguments of each. `{"$result_of": "step"}` and `{"$results_of": "step"}` stand for what other steps left.
    pub args: Vec<Value>,
}

/// What was stored before versions were is of the first.
const fn first() -> u16 {
    1
}

impl Spec {
    /// As its row holds it.
    pub(crate) async fn sealed(
        &self,
        db: &Db,
        tenant: TenantId,
        workflow: WorkflowId,
        ordinal: i16,
    ) -> Result<Json<Payload>, StoreError> {
        let unreadable = |error: serde_json::Error| StoreError::Unreadable {
            table: "workflow_step",
            found: error.to_string(),
        };
        let plain = serde_json::to_value(self).map_err(unreadable)?;
        Ok(Json(match db.ring(tenant).await? {
            Some(ring) => ring.seal_value(&Place::of_step(workflow, ordinal), &plain)?,
            None => Payload::Inline(plain),
        }))
    }

    /// What its row holds.
    pub(crate) async fn open(
        db: &Db,
        tenant: TenantId,
        workflow: WorkflowId,
        ordinal: i16,
        row: Payload,
    ) -> Result<Self, StoreError> {
        let unreadable = |found: String| StoreError::Unreadable { table: "workflow_step", found };
        match db.open(tenant, &Place::of_step(workflow, ordinal), row).await? {
            Payload::Inline(plain) => {
                serde_json::from_value(plain).map_err(|error| unreadable(error.to_string()))
            }
            _ => Err(unreadable("a specification in another form".to_owned())),
        }
    }

    /// The kind. One that this program does not know is left to a program that does.
    fn known(&self) -> Result<&'static KindSpec, StoreError> {
        let unknown = || StoreError::Unreadable { table: "workflow_step", found: self.kind.clone() };
        jobs::spec(&self.kind).ok_or_else(unknown)
    }

    /// The jobs, to run at once. Whether one is the same work as a job elsewhere is not asked: a step is over when its own
    /// jobs have ended.
    pub(crate) fn jobs(&self, member: Member, traceparent: Option<&str>) -> Result<Vec<NewJob>, StoreError> {
        let spec = self.known()?;
        let job = |args: &Value| {
            let id = JobId::new();
            NewJob {
                id,
                kind: spec.kind,
                kind_version: self.version,
                queue: self.queue,
                priority: self.priority,
                max_attempts: self.max_attempts,
                args: args.clone().into(),
                created_at: id.created_at(),
                scheduled_at: id.created_at(),
                unique: None,
                concurrency_key: self.concurrency_key.clone(),
                promise_s: self.promise_s,
                hop: None,
                member_of: Some(member),
                tags: self.tags.clone(),
                metadata: None,
                traceparent: traceparent.map(str::to_owned),
            }
        };
        Ok(self.args.iter().map(job).collect())
    }
}

/// What a place in arguments asks for.
#[derive(Debug, Clone, Copy)]
pub struct Reference<'a> {
    /// The results of all jobs of the step, or that of its first.
    pub all: bool,
    /// Of which step.
    pub step: &'a str,
    /// Which part of a result (RFC 6901); empty for the whole.
    pub pointer: &'a str,
}

/// `{"$result_of": "step"}` or `{"$results_of": "step"}`, with or without a `pointer`.
fn reference(value: &Value) -> Option<Reference<'_>> {
    let members = value.as_object()?;
    let (all, step) = match (members.get("$result_of"), members.get("$results_of")) {
        (Some(step), None) => (false, step.as_str()?),
        (None, Some(step)) => (true, step.as_str()?),
        _ => return None,
    };
    let pointer = match members.get("pointer") {
        Some(pointer) => pointer.as_str()?,
        None => "",
    };
    (members.len() == 1 + usize::from(members.contains_key("pointer"))).then_some(Reference {
        all,
        step,
        pointer,
    })
}

/// The results that `args` asks for.
pub fn references(args: &Value) -> Vec<Reference<'_>> {
    if let Some(reference) = reference(args) {
        return vec![reference];
    }
    match args {
        Value::Array(items) => items.iter().flat_map(references).collect(),
        Value::Object(members) => members.values().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

impl Spec {
    /// Puts results in the places that ask for them, and checks the whole as the intake would now.
    ///
    /// # Errors
    /// The inner one says why the step fails.
    pub(crate) fn fill_in(
        &mut self,
        results: &BTreeMap<String, Vec<Value>>,
    ) -> Result<Result<(), Problem>, StoreError> {
        let kind = self.known()?;
        let before = self.version;
        for args in &mut self.args {
            match fill_in_one(kind, before, std::mem::take(args), results) {
                Ok((version, filled)) => (self.version, *args) = (version, filled),
                Err(problem) => return Ok(Err(problem)),
            }
        }
        Ok(Ok(()))
    }
}

fn fill_in_one(
    kind: &KindSpec,
    version: u16,
    mut args: Value,
    results: &BTreeMap<String, Vec<Value>>,
) -> Result<(u16, Value), Problem> {
    replace(&mut args, results);
    check_size(&args)?;
    let (version, parsed) = jobs::parse_kept(kind, version, args).map_err(|invalid| {
        Problem::new("invalid_args", format!("{}: {}", invalid.pointer, invalid.reason))
    })?;
    Ok((version, parsed.args))
}

fn check_size(args: &Value) -> Result<(), Problem> {
    let bytes = args.to_string().len();
    if bytes > ARGS_BYTES_MAX {
        let message = format!(
            "with the results it asks for, arguments take {bytes} bytes, and at most {ARGS_BYTES_MAX} are taken"
        );
        return Err(Problem::new("args_too_large", message));
    }
    Ok(())
}

fn replace(value: &mut Value, results: &BTreeMap<String, Vec<Value>>) {
    if let Some(asked) = reference(value) {
        let part = |result: &Value| result.pointer(asked.pointer).cloned().unwrap_or_default();
        let found = results.get(asked.step).map(Vec::as_slice).unwrap_or_default();
        *value = if asked.all {
            Value::Array(found.iter().map(part).collect())
        } else {
            found.first().map(part).unwrap_or_default()
        };
        return;
    }
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, results)),
        Value::Object(members) => members.values_mut().for_each(|member| replace(member, results)),
        _ => {}
    }
}
