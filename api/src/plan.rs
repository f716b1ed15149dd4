//! A workflow as clients ask for it, and everything that has to hold before it goes into the ledger.

use std::collections::{BTreeMap, BTreeSet};

use jobs::{Priority, Queue, WorkflowId, limits::ARGS_BYTES_MAX};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use store::{
    step_spec::{Reference, references},
    workflows::{NewStep, NewWorkflow, Spec},
};
use utoipa::ToSchema;

use crate::{
    limits::{WORKFLOW_JOBS_MAX, WORKFLOW_NAME_CHARS_MAX, WORKFLOW_STEP_NAME_CHARS_MAX, WORKFLOW_STEPS_MAX},
    problem::FieldError,
    submission::NewJobBody,
};

/// Jobs that belong together: some wait for others.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewWorkflow)]
pub(crate) struct WorkflowBody {
    /// For people.
    #[schema(example = "shoot 1017", min_length = 1, max_length = 200)]
    pub name: String,
    /// 1 to 100 steps, in any order.
    #[schema(min_items = 1, max_items = 100)]
    pub steps: Vec<StepBody>,
    /// Anything of yours, up to 4 KiB; comes back unchanged.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Map<String, Value>>,
}

/// One job, or many of a kind, that begin when the steps they come after have ended.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewStep)]
pub(crate) struct StepBody {
    /// Unique in the workflow: a-z, 0-9, _ and -.
    #[schema(example = "renditions", max_length = 63)]
    pub name: String,
    /// What to do: one of GET /v1/kinds.
    #[schema(example = "probe.work")]
    pub kind: String,
    /// The arguments of its one job. `{"$result_of": "step", "pointer": "/echo"}` stands for what an earlier step's job
    /// left, and `{"$results_of": "step"}` for the list of what all of its jobs left; without `pointer`, for all of it.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub args: Option<Map<String, Value>>,
    /// Instead of `args`: the arguments of each of its jobs. All steps together have at most 10,000.
    #[serde(default)]
    #[schema(value_type = Option<Vec<Object>>)]
    pub fan_out: Option<Vec<Map<String, Value>>>,
    /// Names of the steps that have to end first.
    #[serde(default)]
    pub after: Vec<String>,
    /// What a failure of this step does to those after it.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// Jobs that may fail without the step failing.
    #[serde(default)]
    pub tolerate: u32,
    /// Another queue than the kind's own.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub queue: Option<Queue>,
    /// Who goes first: 1 before 4.
    #[serde(default)]
    #[schema(value_type = Option<u8>, minimum = 1, maximum = 4)]
    pub priority: Option<Priority>,
    /// Attempts before a job is discarded.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 50)]
    pub max_attempts: Option<u16>,
    /// What its jobs use that others use too.
    #[serde(default)]
    #[schema(max_length = 180)]
    pub concurrency_key: Option<String>,
    /// Promised to be done within so many seconds after the step began.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 604_800)]
    pub promise_s: Option<u32>,
}

/// What a failure of a step does to those after it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OnFailure {
    /// They are skipped, and the workflow fails.
    #[default]
    Stop,
    /// They begin all the same.
    Continue,
}

impl WorkflowBody {
    /// The workflow, or every field that keeps it from being one.
    pub(crate) fn check(self, traceparent: Option<String>) -> Result<NewWorkflow, Vec<FieldError>> {
        let mut errors = Vec::new();
        let plain = |text: &str, most: usize| {
            (1..=most).contains(&text.chars().count()) && !text.chars().any(char::is_control)
        };
        if !plain(&self.name, WORKFLOW_NAME_CHARS_MAX) {
            errors.push(FieldError::new("/name", format!("1 to {WORKFLOW_NAME_CHARS_MAX} characters")));
        }
        if self.steps.is_empty() || self.steps.len() > WORKFLOW_STEPS_MAX {
            errors.push(FieldError::new("/steps", format!("1 to {WORKFLOW_STEPS_MAX} steps")));
            return Err(errors);
        }
        let jobs: usize = self.steps.iter().map(|step| step.fan_out.as_ref().map_or(1, Vec::len)).sum();
        if jobs > WORKFLOW_JOBS_MAX {
            let detail = format!("all steps together have at most {WORKFLOW_JOBS_MAX} jobs, and not {jobs}");
            errors.push(FieldError::new("/steps", detail));
            return Err(errors);
        }
        let order = order(&self.steps).map_err(|error| vec![error])?;
        let ordinals: BTreeMap<&str, i16> = order
            .iter()
            .enumerate()
            .map(|(ordinal, at)| (self.steps[*at].name.as_str(), ordinal as i16))
            .collect();
        let kinds: BTreeMap<&str, &str> =
            self.steps.iter().map(|step| (step.name.as_str(), step.kind.as_str())).collect();
        // The checks of jobs hold for steps too, so they are asked for once with the workflow's own fields.
        let probe = NewJobBody { metadata: self.metadata.clone(), ..job_of("probe.work", Map::new()) };
        if let Err(wrong) = probe.check(None, ARGS_BYTES_MAX) {
            errors.extend(wrong.into_iter().filter(|error| error.pointer.starts_with("/metadata")));
        }
        let mut steps = Vec::with_capacity(order.len());
        for at in &order {
            match self.steps[*at].clone().check(&ordinals, &kinds) {
                Ok(step) => steps.push(step),
                Err(wrong) => {
                    errors.extend(wrong.into_iter().map(|error| FieldError {
                        pointer: format!("/steps/{at}{}", error.pointer),
                        ..error
                    }));
                }
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let metadata = self.metadata.map(Value::Object);
        Ok(NewWorkflow { id: WorkflowId::new(), name: self.name, metadata, traceparent, steps })
    }
}

/// A job with these arguments, and everything else as its kind has it.
pub(crate) fn job_of(kind: &str, args: Map<String, Value>) -> NewJobBody {
    NewJobBody {
        kind: kind.to_owned(),
        version: None,
        args,
        queue: None,
        priority: None,
        max_attempts: None,
        scheduled_at: None,
        unique: None,
        concurrency_key: None,
        promise_s: None,
        hop: None,
        tags: Vec::new(),
        metadata: None,
    }
}

impl StepBody {
    fn check(
        self,
        ordinals: &BTreeMap<&str, i16>,
        kinds: &BTreeMap<&str, &str>,
    ) -> Result<NewStep, Vec<FieldError>> {
        let mut errors = Vec::new();
        let (pointer, all) = match (self.args, self.fan_out) {
            (Some(_), Some(_)) => {
                return Err(vec![FieldError::new("/fan_out", "give args or fan_out, not both")]);
            }
            (args, None) => ("/args".to_owned(), vec![args.unwrap_or_default()]),
            (None, Some(all)) if all.is_empty() => {
                return Err(vec![FieldError::new("/fan_out", "at least one job")]);
            }
            (None, Some(all)) => ("/fan_out".to_owned(), all),
        };
        let many = pointer == "/fan_out";
        let (mut args, mut spec) = (Vec::with_capacity(all.len()), None);
        for (index, wanted) in all.into_iter().enumerate() {
            let value = Value::Object(wanted.clone());
            let asked = references(&value);
            if let Some(detail) = asked.iter().find_map(|asked| unanswerable(asked, &self.after, kinds)) {
                let at = if many { format!("{pointer}/{index}") } else { pointer.clone() };
                errors.push(FieldError::new(at, detail));
                continue;
            }
            let asks = !asked.is_empty();
            // What asks for results is checked when they are there; the rest of the step now, with an example.
            let example = || jobs::spec(&self.kind).and_then(|spec| spec.example.as_object().cloned());
            let checked = if asks { example().unwrap_or_default() } else { wanted };
            let body = NewJobBody {
                queue: self.queue,
                priority: self.priority,
                max_attempts: self.max_attempts,
                concurrency_key: self.concurrency_key.clone(),
                promise_s: self.promise_s,
                ..job_of(&self.kind, checked)
            };
            match body.check(None, ARGS_BYTES_MAX) {
                Ok(job) => {
                    let filled_in = || job.args.inline().cloned().unwrap_or_default();
                    args.push(if asks { value } else { filled_in() });
                    spec.get_or_insert(job);
                }
                Err(wrong) => {
                    let moved = |error: FieldError| match error.pointer.strip_prefix("/args") {
                        Some(rest) if many => {
                            FieldError { pointer: format!("{pointer}/{index}{rest}"), ..error }
                        }
                        _ => error,
                    };
                    errors.extend(wrong.into_iter().map(moved));
                    // The others are likely to be wrong in the same way.
                    break;
                }
            }
        }
        let (Some(job), true) = (spec, errors.is_empty()) else { return Err(errors) };
        Ok(NewStep {
            after: self.after.iter().filter_map(|name| ordinals.get(name.as_str()).copied()).collect(),
            name: self.name,
            continues: self.on_failure == OnFailure::Continue,
            tolerate: self.tolerate.min(WORKFLOW_JOBS_MAX as u32),
            spec: Spec {
                kind: self.kind,
                version: job.kind_version,
                queue: job.queue,
                priority: job.priority,
                max_attempts: job.max_attempts,
                concurrency_key: job.concurrency_key,
                promise_s: job.promise_s,
                tags: Vec::new(),
                args,
            },
        })
    }
}

/// Why no result can ever stand where `asked` does, in a step that comes after `after`; none when one can.
fn unanswerable(asked: &Reference<'_>, after: &[String], kinds: &BTreeMap<&str, &str>) -> Option<String> {
    let Reference { step, pointer, .. } = asked;
    if !after.iter().any(|before| before == step) {
        return Some(format!("asks for the result of {step}, which is not among the steps in after"));
    }
    let kind = kinds.get(step)?;
    let leads = jobs::spec(kind).is_none_or(|spec| jobs::shape::reaches(&spec.result_schema, pointer));
    (!leads).then(|| {
        format!("results of {step} have nothing at {pointer}; GET /v1/kinds/{kind} has their schema")
    })
}

/// The steps in an order in which each comes after those it waits for; in the order they were given where that is free.
fn order(steps: &[StepBody]) -> Result<Vec<usize>, FieldError> {
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, step) in steps.iter().enumerate() {
        let fits = (1..=WORKFLOW_STEP_NAME_CHARS_MAX).contains(&step.name.len())
            && step
                .name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte))
            && step.name.as_bytes()[0].is_ascii_alphanumeric();
        if !fits {
            let detail = format!("1 to {WORKFLOW_STEP_NAME_CHARS_MAX} of a-z, 0-9, _ and -");
            return Err(FieldError::new(format!("/steps/{at}/name"), detail));
        }
        if names.insert(&step.name, at).is_some() {
            return Err(FieldError::new(format!("/steps/{at}/name"), "another step has this name"));
        }
    }
    for (at, step) in steps.iter().enumerate() {
        for (index, before) in step.after.iter().enumerate() {
            if !names.contains_key(before.as_str()) {
                let pointer = format!("/steps/{at}/after/{index}");
                return Err(FieldError::new(pointer, format!("no step is called {before}")));
            }
        }
    }
    let (mut placed, mut order) = (BTreeSet::new(), Vec::with_capacity(steps.len()));
    while order.len() < steps.len() {
        let ready = |at: &usize| {
            !placed.contains(at)
                && steps[*at].after.iter().all(|before| placed.contains(&names[before.as_str()]))
        };
        let Some(next) = (0..steps.len()).find(ready) else {
            return Err(FieldError::new(
                "/steps",
                format!("these wait for each other: {}", cycle(steps, &names, &placed)),
            ));
        };
        placed.insert(next);
        order.push(next);
    }
    Ok(order)
}

/// The names of steps that wait for each other, in a ring.
fn cycle(steps: &[StepBody], names: &BTreeMap<&str, usize>, placed: &BTreeSet<usize>) -> String {
    let mut path: Vec<usize> = (0..steps.len()).filter(|at| !placed.contains(at)).take(1).collect();
    while let Some(&last) = path.last() {
        let blocking = steps[last].after.iter().map(|before| names[before.as_str()]);
        let Some(next) = blocking.into_iter().find(|before| !placed.contains(before)) else { break };
        if let Some(from) = path.iter().position(|at| *at == next) {
            path.push(next);
            path.drain(..from);
            break;
        }
        path.push(next);
    }
    path.iter().map(|at| steps[*at].name.as_str()).collect::<Vec<_>>().join(" after ")
}
