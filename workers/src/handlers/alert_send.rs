//! Does `alert.send`: puts an alert into words, and has the parties told whom its rule named.

use jobs::{
    Category, Measure, Outcome, Priority,
    kinds::{
        alert_send::{AlertSend, AlertSent, AlertTurn},
        notify_plan::{NotifyPlan, Subject},
    },
};
use serde_json::json;
use store::{
    alerts::{self, Alert},
    enqueue::NewJob,
};

use crate::{cx::Cx, registry::Handle};

impl Handle for AlertSend {
    async fn run(self, cx: &Cx<'_>) -> Outcome<AlertSent> {
        let alert = alerts::alert(&cx.deps.db, cx.tenant(), self.alert).await?;
        let Some(alert) = alert else { return Ok(AlertSent { alert: self.alert, recipients: 0 }) };
        let recipients = alert.recipients();
        let told = recipients.len() as u32;
        if told > 0 {
            let variables = json!({
                "rule": alert.rule, "what": what(&alert, self.turn),
                "link": cx.deps.senders.public_url.as_ref().map(|url| format!("{url}/ops")),
            });
            let plan = NotifyPlan {
                recipients,
                template: template(self.turn).to_owned(),
                category: Category::Critical,
                variables: variables.as_object().cloned().unwrap_or_default(),
                channels: None,
                // Of one alert each turn is told once, and of two alerts both are, however alike they are.
                subject: Some(Subject { reference: self.alert.to_string(), version: 1, at: None }),
                thread: None,
                dedupe_s: None,
                ladder: None,
            };
            cx.then_new(NewJob { priority: Priority::URGENT, ..NewJob::of(&plan)? })?;
        }
        Ok(AlertSent { alert: self.alert, recipients: told })
    }
}

const fn template(turn: AlertTurn) -> &'static str {
    match turn {
        AlertTurn::Firing => "alert_firing",
        AlertTurn::Resolved => "alert_resolved",
    }
}

/// What was measured, and of what: `queue_age of media: 312 s (300 s and more is told)`.
fn what(alert: &Alert, turn: AlertTurn) -> String {
    let unit = alert.measure.parse().map_or("", Measure::unit);
    let of: Vec<&str> = [&alert.queue, &alert.kind].into_iter().filter_map(|of| of.as_deref()).collect();
    let of = if of.is_empty() { String::new() } else { format!(" of {}", of.join(", ")) };
    let value = if turn == AlertTurn::Firing { alert.value } else { alert.worst };
    format!("{}{of}: {value} {unit} ({} and more is told)", alert.measure, alert.threshold)
}
