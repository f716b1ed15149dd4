//! Does `webhook.process`: holds an event against the rules of its source, and listens to what it says of our own messages.

use jobs::{
    Failure, Outcome,
    failure::Classify,
    kinds::webhook_process::{Processed, WebhookProcess},
    limits::LARGE_ARGS_BYTES_MAX,
};
use serde_json::{Value, json};
use store::{
    enqueue::NewJob,
    inbox::{self, Became, Event, Made, StoredRule, Work},
    verdict::Write,
};
use webhooks::Rule;

use crate::{
    cx::Cx,
    feedback::{Noted, listen},
    registry::Handle,
};

/// What marks a job that an event became when it was looked at again.
const REPLAY_TAG: &str = "replay";

impl Handle for WebhookProcess {
    async fn run(self, cx: &Cx<'_>) -> Outcome<Processed> {
        let Some(work) = inbox::work(&cx.deps.db, cx.tenant(), self.event).await? else {
            return Err(Failure::cancel("the event was forgotten, or its source was removed"));
        };
        // Whoever has it looked at again knows what came after it.
        if let Some(newer) = work.newer.filter(|_| self.replay == 0) {
            cx.write(write_down(&self, Vec::new(), Became::Superseded(newer)));
            let (jobs, parked) = (Vec::new(), None);
            return Ok(Processed { event: self.event, jobs, parked, superseded_by: Some(newer) });
        }
        let body = webhooks::read_body(&work.body);
        let noted = match &work.feeding {
            Some(feeding) => Some(listen(cx, feeding, &work.event, &body).await?),
            None => None,
        };
        let (writes, unheard) = match noted {
            Some(Noted::Well(writes)) => (writes, None),
            Some(Noted::Parked(reason)) => (Vec::new(), Some(reason)),
            None => (Vec::new(), Some(no_rule(&work.event))),
        };
        let (new, parked) = match follow_ups(&work, &body, self.replay)? {
            Ok(new) if new.is_empty() => (new, unheard),
            Ok(new) => (new, None),
            Err(reason) => (Vec::new(), Some(reason)),
        };
        let made: Vec<Made> = new.iter().map(|(rule, new)| Made { job: new.id, rule: rule.id() }).collect();
        let jobs = made.iter().map(|made| made.job).collect();
        for (_, new) in new {
            cx.then_new(new)?;
        }
        for write in writes {
            cx.write(write);
        }
        cx.write(write_down(&self, made, parked.clone().map_or(Became::Done, Became::Parked)));
        Ok(Processed { event: self.event, jobs, parked, superseded_by: None })
    }
}

fn write_down(done: &WebhookProcess, made: Vec<Made>, became: Became) -> Write {
    Write::Webhook(inbox::Processed { event: done.event, replay: done.replay, made, became })
}

fn no_rule(event: &Event) -> String {
    format!("no rule of the source fits an event of the type {}", event.event_type)
}

/// The jobs that an event becomes; or why it becomes none. A rule whose job is refused holds up the others too, so that
/// nothing is done twice when somebody has mended it and has the event looked at again.
fn follow_ups<'a>(
    work: &'a Work,
    body: &Value,
    replay: u16,
) -> Outcome<Result<Vec<(&'a StoredRule, NewJob)>, String>> {
    let mut new = Vec::new();
    for stored in &work.rules {
        let rule: Rule = serde_json::from_value(stored.rule.0.clone()).retry("unreadable_rule")?;
        if !rule.fits(&work.event.event_type, body) {
            continue;
        }
        match job(&rule, body) {
            Ok(job) => new.push((stored, about(job, &work.event, replay))),
            Err(reason) => return Ok(Err(format!("the rule {} fits, but {reason}", stored.id()))),
        }
    }
    Ok(Ok(new))
}

fn job(rule: &Rule, body: &Value) -> Result<NewJob, String> {
    let spec = jobs::spec(&rule.kind).ok_or_else(|| format!("there is no kind {}", rule.kind))?;
    let args = rule.args(body).map_err(|bad| bad.to_string())?;
    let parsed = jobs::parse_up_to(spec, &Value::Object(args), LARGE_ARGS_BYTES_MAX)
        .map_err(|invalid| format!("{} does not take its arguments: /args{invalid}", rule.kind))?;
    if has_nul(&parsed.args) {
        return Err("its arguments hold U+0000, which cannot be stored".to_owned());
    }
    Ok(NewJob::of_spec(spec, parsed))
}

/// As deep as the body, which the reader of JSON has bounded.
fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(members) => members.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        _ => false,
    }
}

/// Says of a job which event it came from.
fn about(job: NewJob, event: &Event, replay: u16) -> NewJob {
    let webhook =
        json!({ "event": event.id(), "source": event.source(), "type": event.event_type, "replay": replay });
    NewJob {
        concurrency_key: event.object_key.clone().or(job.concurrency_key),
        tags: if replay > 0 { vec![REPLAY_TAG.to_owned()] } else { Vec::new() },
        metadata: Some(json!({ "webhook": webhook })),
        ..job
    }
}
