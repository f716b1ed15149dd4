//! More of a queue for a tenant, or less, for a while.

use ::jobs::Queue;
use axum::{Form, extract::State, response::Redirect};
use maud::{Markup, html};
use serde::Deserialize;
use store::{
    sessions::Place,
    weights::{self, Weighed},
};
use tr::tr;

use super::{access::Right, guard::Visit, layout::token, words};
use crate::{
    AppState,
    limits::{WEIGHT_MINUTES_MAX, WEIGHTS},
    problem::{FieldError, Problem},
};

/// Minutes that are offered.
const OFFERED_MINUTES: i32 = 60;

/// What is weighed otherwise for a while, and a form that weighs more.
pub(super) async fn part(app: &AppState, visit: &Visit, places: &[Place]) -> Result<Markup, Problem> {
    let weighed = weights::list(&app.db, visit.user).await?;
    Ok(html! {
        @if !weighed.is_empty() { h2 { (tr!("Weighed otherwise for a while")) } (table(visit, &weighed)) }
        @if visit.may(Right::OperateAll) { (form(visit, places)) }
    })
}

fn table(visit: &Visit, weighed: &[Weighed]) -> Markup {
    html! {
        table {
            thead { tr { th { (tr!("Tenant")) } th { (tr!("Queue")) } th.number { (tr!("Weight")) } th.number { (tr!("As usual")) } th { (tr!("Until")) } th { "" } } }
            tbody { @for one in weighed { tr {
                td { a href={ "/ops/t/" (one.slug) } { (one.name) } }
                td { (one.queue) }
                td.number { (one.weight) }
                td.number { (one.usual_weight) }
                td { (words::when(one.weight_until)) }
                td { @if visit.may(Right::OperateAll) {
                    form.inline method="post" action="/ops/weights/end" {
                        (token(visit))
                        input type="hidden" name="tenant" value=(one.slug);
                        input type="hidden" name="queue" value=(one.queue);
                        button { (tr!("End")) }
                    }
                } }
            } } }
        }
    }
}

fn form(visit: &Visit, places: &[Place]) -> Markup {
    let (least, most) = WEIGHTS;
    html! {
        details.form {
            summary { (tr!("Give a tenant more or less for a while")) }
            form method="post" action="/ops/weights" {
                (token(visit))
                label { (tr!("Tenant")) select name="tenant" { @for place in places { option value=(place.slug) { (place.name) } } } }
                label { (tr!("Queue")) select name="queue" { @for queue in Queue::ALL { option { (queue.name()) } } } }
                label { (tr!("Weight; twice the weight is twice the jobs")) input type="number" name="weight" required step="any" min=(least) max=(most); }
                label { (tr!("For how many minutes")) input type="number" name="minutes" required min="1" max=(WEIGHT_MINUTES_MAX) value=(OFFERED_MINUTES); }
                button { (tr!("Weigh")) }
            }
        }
    }
}

/// What the form sends.
#[derive(Debug, Deserialize)]
pub(super) struct WeightForm {
    tenant: String,
    queue: String,
    weight: String,
    minutes: String,
}

/// Weighs a share otherwise for a while.
pub(super) async fn weigh(
    State(app): State<AppState>,
    visit: Visit,
    Form(form): Form<WeightForm>,
) -> Result<Redirect, Problem> {
    let ((least, most), minutes_max) = (WEIGHTS, WEIGHT_MINUTES_MAX);
    let weight = form.weight.parse::<f32>().ok().filter(|weight| (least..=most).contains(weight));
    let weight = weight.ok_or_else(|| wrong("/weight", format!("{least} to {most}")))?;
    let minutes = form.minutes.parse::<i32>().ok().filter(|minutes| (1..=minutes_max).contains(minutes));
    let minutes = minutes.ok_or_else(|| wrong("/minutes", format!("1 to {minutes_max}")))?;
    let queue = queue_of(&form.queue)?;
    if !weights::for_a_while(&app.db, visit.user, &form.tenant, queue, weight, minutes * 60).await? {
        return Err(Problem::not_found("share; a tenant has one of a queue from its first job there on"));
    }
    Ok(Redirect::to(super::ROOT))
}

/// What the button sends.
#[derive(Debug, Deserialize)]
pub(super) struct ShareForm {
    tenant: String,
    queue: String,
}

/// Weighs a share as usual.
pub(super) async fn end(
    State(app): State<AppState>,
    visit: Visit,
    Form(form): Form<ShareForm>,
) -> Result<Redirect, Problem> {
    let queue = queue_of(&form.queue)?;
    if !weights::as_usual(&app.db, visit.user, &form.tenant, queue).await? {
        return Err(Problem::not_found("share that is weighed otherwise"));
    }
    Ok(Redirect::to(super::ROOT))
}

fn queue_of(name: &str) -> Result<Queue, Problem> {
    name.parse().map_err(|_| wrong("/queue", "there is no such queue".to_owned()))
}

fn wrong(pointer: &str, detail: String) -> Problem {
    Problem::invalid(vec![FieldError::new(pointer, detail)])
}
