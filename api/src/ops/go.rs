//! Where one can go: every page, queue and kind, and whatever an id names; and the keys that lead there. A script shows this very
//! page in front of others.

use ::jobs::{BulkOperationId, JobId, MessageId, Queue, ScheduleId, WebhookEndpointId, WebhookSourceId};
use axum::{
    extract::{Query, State},
    response::{IntoResponse, Redirect, Response},
};
use maud::html;
use serde::Deserialize;
use store::sessions;
use tr::tr;

use super::{
    guard::Visit,
    layout::{self, Page},
    words,
};
use crate::{AppState, problem::Problem};

/// The keys, and what they do.
const KEYS: [(&str, &str); 7] = [
    ("Ctrl K", words::mark!("asks where to go; ↓ and ↑ choose, Enter leads there, Esc closes")),
    ("/", words::mark!("goes to the search of the page, or asks where to go")),
    ("g", words::mark!("and the first letter of a section leads there; again, to the next one that has it")),
    ("l", words::mark!("pauses what is live, and lets it go on")),
    ("n", words::mark!("shows what is new in a list that kept still while it was read")),
    ("?", words::mark!("shows these keys")),
    ("Tab", words::mark!("goes through everything, in the order in which it is read")),
];

/// What is looked for.
#[derive(Debug, Deserialize)]
pub(super) struct Sought {
    #[serde(default)]
    to: String,
}

/// The page; of an id, the page that it names.
pub(super) async fn show(
    State(app): State<AppState>,
    visit: Visit,
    Query(sought): Query<Sought>,
) -> Result<Response, Problem> {
    let to = sought.to.trim();
    let mut places: Vec<(String, String)> = layout::sections(&visit);
    if let Some(place) = &visit.tenant {
        let base = format!("/ops/t/{}", place.slug);
        if let Some(folder) = folder_of(to) {
            return Ok(Redirect::to(&format!("{base}/{folder}/{to}")).into_response());
        }
        places
            .extend(Queue::ALL.map(|queue| (format!("{base}/queues#{queue}"), tr!("Queue {queue}", queue))));
        for kind in ::jobs::specs().iter().map(|spec| spec.kind) {
            places.push((format!("{base}/jobs?kind={kind}"), tr!("Jobs of {kind}", kind)));
            places.push((format!("/docs#{kind}"), tr!("What {kind} takes and gives", kind)));
        }
    } else {
        let tenants = sessions::tenants_of(&app.db, visit.user).await?;
        places.extend(tenants.into_iter().map(|place| (format!("/ops/t/{}", place.slug), place.name)));
    }
    let wanted = to.to_lowercase();
    places.retain(|(_, name)| wanted.split_whitespace().all(|word| name.to_lowercase().contains(word)));
    let body = html! {
        section #places aria-label=(tr!("Places")) {
            form.search action=(layout::path_to_go(&visit)) role="search" {
                label { (tr!("A page, a queue, a kind, or an id")) input type="search" name="to" value=(to) autocomplete="off"; }
                button { (tr!("Go")) }
            }
            ul.plain.places { @for (path, name) in &places { li { a href=(path) { (name) } } } }
            @if places.is_empty() { p { (tr!("Nothing is called so.")) } }
        }
        section #keys aria-label=(tr!("Keys")) {
            h2 { (tr!("Keys")) }
            dl.keys { @for (key, does) in KEYS { div { dt { kbd { (key) } } dd { (tr!(does)) } } } }
        }
    };
    let section = if visit.tenant.is_some() { "/go" } else { "/ops/go" };
    Ok(Page::new(&visit, section, &tr!("Go to"), body).into_response())
}

/// The folder of the page that an id names.
fn folder_of(id: &str) -> Option<&'static str> {
    [
        ("jobs", id.parse::<JobId>().is_ok()),
        ("bulk", id.parse::<BulkOperationId>().is_ok()),
        ("schedules", id.parse::<ScheduleId>().is_ok()),
        ("messages", id.parse::<MessageId>().is_ok()),
        ("webhooks/in", id.parse::<WebhookSourceId>().is_ok()),
        ("webhooks/out", id.parse::<WebhookEndpointId>().is_ok()),
    ]
    .into_iter()
    .find_map(|(folder, is_one)| is_one.then_some(folder))
}

#[cfg(test)]
mod tests {
    use jobs::{BulkOperationId, JobId, UserId};

    use super::folder_of;

    #[test]
    fn an_id_names_a_page() {
        assert_eq!(folder_of(&JobId::new().to_string()), Some("jobs"));
        assert_eq!(folder_of(&BulkOperationId::new().to_string()), Some("bulk"));
        for other in [UserId::new().to_string(), "job_../x".to_owned(), String::new()] {
            assert_eq!(folder_of(&other), None, "{other}");
        }
    }
}
