//! What led to a job and what followed from it; of a job of a workflow also what it waited for, and what waits for it.

use ::jobs::JobId;
use maud::{Markup, html};
use store::{
    reads::JobRecord,
    relatives::{self, Relative},
    workflows::{self, Step},
};
use tr::tr;

use super::{
    guard::Visit,
    layout::state,
    words::{self, rich},
};
use crate::{AppState, limits::PREVIEW_ROWS_MAX, problem::Problem};

/// All of it; nothing for a job that stands alone.
pub(super) async fn of(app: &AppState, visit: &Visit, record: &JobRecord) -> Result<Markup, Problem> {
    let (steps, family) = (steps(app, visit, record).await?, family(app, visit, record).await?);
    Ok(html! { @for part in steps.iter().chain(&family) { (part) } })
}

/// The jobs whose end brought this one about, and those that its own end brought about.
async fn family(app: &AppState, visit: &Visit, record: &JobRecord) -> Result<Option<Markup>, Problem> {
    let place = visit.here()?;
    let found = relatives::of_job(&app.db, place.id, record.id(), PREVIEW_ROWS_MAX as i64 + 1).await?;
    if found.is_empty() {
        return Ok(None);
    }
    let (parents, children): (Vec<&Relative>, Vec<&Relative>) = found.iter().partition(|one| one.is_parent);
    let line = |word: &str, one: &Relative| {
        html! {
            tr {
                td { (word) }
                td { a href={ "/ops/t/" (place.slug) "/jobs/" (one.id()) } { (one.kind) } div.soft { code { (one.id()) } } }
                td { (state(&one.state)) }
            }
        }
    };
    let is_more = [&parents, &children].iter().any(|all| all.len() > PREVIEW_ROWS_MAX);
    Ok(Some(html! {
        h2 { (tr!("What led to it, and what followed")) }
        table {
            thead { tr { th { (tr!("How")) } th { (tr!("Job")) } th { (tr!("State")) } } }
            tbody {
                @for one in parents.iter().take(PREVIEW_ROWS_MAX) { (line(&tr!("led to it"), one)) }
                @for one in children.iter().take(PREVIEW_ROWS_MAX) { (line(&tr!("followed"), one)) }
            }
        }
        @if is_more { p.soft { (tr!("There are more.")) } }
    }))
}

/// The steps before and after the job's own, with their jobs; none for a job that is in no workflow.
async fn steps(app: &AppState, visit: &Visit, record: &JobRecord) -> Result<Option<Markup>, Problem> {
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
    let (step, name) = (html! { strong { (own.name) } }.0, html! { (workflow.name) }.0);
    let is = state(workflow.state()?.name()).0;
    Ok(Some(html! {
        h2 { (tr!("Before and after it")) }
        p { (rich(tr!("Step {step} of {workflow}, {state}", step, workflow = name, state = is))) }
        table {
            thead { tr { th { (tr!("Step")) } th { (tr!("State")) } th.number { (tr!("Jobs")) } th { (tr!("Which")) } } }
            tbody {
                @for step in before { (line(&tr!("before"), step, &jobs, &base)) }
                @for step in after { (line(&tr!("after"), step, &jobs, &base)) }
            }
        }
        @if beside.is_empty() { p.soft { (tr!("It waits for nothing, and nothing waits for it.")) } }
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
                @if shown == 0 { span.soft { (tr!("not made yet")) } }
                @else if rest > 0 { span.soft { (tr!("and {count} more", count = words::count(rest))) } }
            }
        }
    }
}
