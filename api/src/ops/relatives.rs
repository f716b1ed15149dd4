//! What a job of a workflow waited for, and what waits for it.

use ::jobs::JobId;
use maud::{Markup, html};
use store::{
    reads::JobRecord,
    relatives,
    workflows::{self, Step},
};

use super::{guard::Visit, layout::state, words};
use crate::{AppState, limits::PREVIEW_ROWS_MAX, problem::Problem};

/// The steps before and after the job's own, with their jobs; none for a job that is in no workflow.
pub(super) async fn of(app: &AppState, visit: &Visit, record: &JobRecord) -> Result<Option<Markup>, Problem> {
    let Some(member) = record.member_of() else { return Ok(None) };
    let place = visit.here()?;
    let Some((workflow, steps)) = workflows::get(&app.db, place.id, member.workflow).await? else {
        return Ok(None);
    };
    let Some(own) = steps.iter().find(|step| step.ordinal == member.step) else { return Ok(None) };
    let before: Vec<&Step> = steps.iter().filter(|step| own.after.contains(&step.ordinal)).collect();
    let after: Vec<&Step> = steps.iter().filter(|step| step.after.contains(&member.step)).collect();
    let beside: Vec<i16> = before.iter().chain(&after).map(|step| step.ordinal).collect();
    let jobs =
        relatives::of_steps(&app.db, place.id, member.workflow, &beside, PREVIEW_ROWS_MAX as i64).await?;
    let base = format!("/ops/t/{}/jobs", place.slug);
    Ok(Some(html! {
        h2 { "Before and after it" }
        p { "Step " strong { (own.name) } " of " (workflow.name) ", " (state(workflow.state()?.name())) }
        table {
            thead { tr { th { "Step" } th { "State" } th.number { "Jobs" } th { "Which" } } }
            tbody {
                @for step in before { (line("before", step, &jobs, &base)) }
                @for step in after { (line("after", step, &jobs, &base)) }
            }
        }
        @if beside.is_empty() { p.soft { "It waits for nothing, and nothing waits for it." } }
    }))
}

fn line(place: &str, step: &Step, jobs: &[(i16, JobId)], base: &str) -> Markup {
    let its = || jobs.iter().filter(|(ordinal, _)| *ordinal == step.ordinal).map(|(_, job)| job);
    let shown = its().count() as i64;
    let rest = i64::from(step.jobs_total).saturating_sub(shown);
    html! {
        tr {
            td { (step.name) div.soft { (place) } }
            td { (state(&step.state)) }
            td.number { (words::count(step.jobs_total.into())) }
            td {
                @for job in its() { a href={ (base) "/" (job) } { code { (job) } } " " }
                @if shown == 0 { span.soft { "not made yet" } }
                @else if rest > 0 { span.soft { "and " (words::count(rest)) " more" } }
            }
        }
    }
}
