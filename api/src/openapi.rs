//! The routes and their description, which are one list: a handler that is not described does not compile into it.

use axum::{Router, extract::DefaultBodyLimit, middleware, routing::get};
use serde_json::{Map, Value, json};
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    AppState, auth, delivery, ops,
    problem::Problem,
    request,
    routes::{
        absences, alerts, asset_list, asset_terms, assets, attempts, audit, batch, bookings, brand, bulk,
        calendar_conflicts, calendar_feeds, calendar_links, calendar_pings, clone, contact_points,
        dead_letters, deliveries, delivery_list, error_steer, error_versions, errors, events, focal_point,
        four_eyes, health, hooks, inbox, inbox_events, invitations, job_events, jobs, keys, kinds, limits,
        match_presets, matches, memberships, messages, notifications, offers, pages, parties, pauses,
        preferences, promises, quotas, rankings, relations, reliability, retention, schedule_steer,
        schedules, slots, steer, submit, templates, tenants, uploads, webhook_deliveries, webhook_endpoints,
        webhook_events, webhook_recovery, webhook_rules, webhook_sources, weights, why, workers, workflows,
    },
    unsubscribe,
};

#[derive(OpenApi)]
#[openapi(
    info(title = "Crewline", description = "Typed jobs in, results out."),
    tags(
        (name = "Jobs", description = "Submit work and follow it"),
        (name = "Queues", description = "Steer what goes next: limits, pauses, promises"),
        (name = "Schedules", description = "Work that repeats"),
        (name = "Workflows", description = "Jobs that wait for others"),
        (name = "Bulk operations", description = "One action on every job that fits a filter"),
        (name = "Kinds", description = "What can be asked for"),
        (name = "Files", description = "Originals in, pictures out"),
        (name = "Messages", description = "Tell people something, once"),
        (name = "People", description = "Who may do what, where and when"),
        (name = "Bookings", description = "Whose time is held, asked for or given away"),
        (name = "Calendars", description = "What people keep elsewhere, and what they see of their bookings there"),
        (name = "Matching", description = "Find somebody for a visit"),
        (name = "Webhooks", description = "What others tell us, and what we tell others"),
        (name = "Alerts", description = "What somebody should be told of"),
        (name = "Keys", description = "Who may ask, and for which tenant"),
        (name = "Operation", description = "For whoever runs this"),
    ),
)]
struct Description;

/// Everything under `/v1`, which needs a key.
fn keyed() -> OpenApiRouter<AppState> {
    work().merge(people()).merge(bookings()).merge(webhooks()).merge(administration())
}

/// Jobs, what orders them, and files.
fn work() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(submit::submit_job, jobs::list_jobs))
        .routes(routes!(batch::submit_batch))
        .routes(routes!(jobs::get_job))
        .routes(routes!(attempts::list_attempts))
        .routes(routes!(attempts::read_logs))
        .routes(routes!(attempts::get_args))
        .routes(routes!(attempts::get_result))
        .routes(routes!(why::why_job))
        .routes(routes!(steer::cancel_job))
        .routes(routes!(steer::retry_job))
        .routes(routes!(clone::clone_job))
        .routes(routes!(job_events::follow_job))
        .routes(routes!(events::follow_all))
        .routes(routes!(limits::list_limits))
        .routes(routes!(limits::get_limit, limits::set_limit, limits::remove_limit))
        .routes(routes!(quotas::list_quotas))
        .routes(routes!(pauses::pause, pauses::list_pauses))
        .routes(routes!(pauses::resume))
        .routes(routes!(promises::list_promises))
        .routes(routes!(errors::list_errors))
        .routes(routes!(errors::get_error_group))
        .routes(routes!(error_versions::list_error_versions))
        .routes(routes!(error_steer::judge_error_group))
        .routes(routes!(error_steer::assign_error_group, error_steer::unassign_error_group))
        .routes(routes!(dead_letters::list_dead_letters))
        .routes(routes!(dead_letters::set_kind_care, dead_letters::remove_kind_care))
        .routes(routes!(schedules::create_schedule, schedules::list_schedules))
        .routes(routes!(schedules::preview_schedule))
        .routes(routes!(schedules::get_schedule, schedules::change_schedule, schedules::remove_schedule))
        .routes(routes!(schedule_steer::pause_schedule))
        .routes(routes!(schedule_steer::resume_schedule))
        .routes(routes!(schedule_steer::run_schedule))
        .routes(routes!(schedule_steer::list_fires))
        .routes(routes!(workflows::begin_workflow, workflows::list_workflows))
        .routes(routes!(workflows::get_workflow))
        .routes(routes!(workflows::cancel_workflow))
        .routes(routes!(workflows::retry_workflow))
        .routes(routes!(bulk::begin_bulk_operation, bulk::list_bulk_operations))
        .routes(routes!(bulk::get_bulk_operation))
        .routes(routes!(bulk::cancel_bulk_operation))
        .routes(routes!(four_eyes::get_four_eyes, four_eyes::set_four_eyes, four_eyes::remove_four_eyes))
        .routes(routes!(bulk::confirm_bulk_operation))
        .routes(routes!(bulk::pause_bulk_operation))
        .routes(routes!(bulk::resume_bulk_operation))
        .routes(routes!(bulk::undo_bulk_operation))
        .routes(routes!(uploads::announce_upload))
        .routes(routes!(uploads::get_upload))
        .routes(routes!(uploads::complete_upload))
        .routes(routes!(asset_list::list_assets))
        .routes(routes!(assets::get_asset, asset_terms::change_asset, asset_terms::delete_asset))
        .routes(routes!(assets::get_original))
        .routes(routes!(assets::release_asset))
        .routes(routes!(deliveries::create_delivery, delivery_list::list_deliveries))
        .routes(routes!(deliveries::get_delivery, deliveries::remove_delivery))
        .routes(routes!(deliveries::revoke_delivery))
        .routes(routes!(focal_point::set_focal_point, focal_point::remove_focal_point))
        .routes(routes!(brand::get_brand, brand::set_brand, brand::remove_brand))
        .routes(routes!(retention::get_retention, retention::set_retention))
        .routes(routes!(kinds::list_kinds))
        .routes(routes!(kinds::get_kind))
        .routes(routes!(kinds::list_presets))
}

/// Who is told something, and what.
fn people() -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .routes(routes!(parties::create_party, parties::list_parties))
        .routes(routes!(parties::get_party, parties::change_party, parties::remove_party))
        .routes(routes!(contact_points::add_contact_point))
        .routes(routes!(contact_points::remove_contact_point))
        .routes(routes!(contact_points::list_consent, contact_points::say_consent))
        .routes(routes!(preferences::get_preferences, preferences::set_preferences))
        .routes(routes!(templates::list_templates))
        .routes(routes!(templates::preview_template))
        .routes(routes!(templates::put_template))
        .routes(routes!(notifications::notify))
        .routes(routes!(notifications::set_subject))
        .routes(routes!(messages::list_messages))
        .routes(routes!(messages::get_message))
        .routes(routes!(messages::resolve_message))
        .routes(routes!(inbox::read_inbox))
        .routes(routes!(inbox_events::follow_inbox))
        .routes(routes!(inbox::mark_read))
}

/// Who does what, where and when.
fn bookings() -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .routes(routes!(memberships::list_memberships))
        .routes(routes!(
            memberships::set_membership,
            memberships::get_membership,
            memberships::remove_membership
        ))
        .routes(routes!(absences::add_absence, absences::list_absences))
        .routes(routes!(absences::remove_absence))
        .routes(routes!(absences::read_calendar))
        .routes(routes!(relations::list_relations))
        .routes(routes!(relations::relate, relations::unrelate))
        .routes(routes!(relations::rate))
        .routes(routes!(reliability::get_reliability))
        .routes(routes!(relations::make_account_code))
        .routes(routes!(relations::join_account))
        .routes(routes!(slots::find_slots))
        .routes(routes!(calendar_links::create_calendar_link))
        .routes(routes!(calendar_links::list_calendar_links))
        .routes(routes!(calendar_links::get_calendar_link, calendar_links::remove_calendar_link))
        .routes(routes!(calendar_links::pull_calendar_link))
        .routes(routes!(calendar_feeds::create_calendar_feed))
        .routes(routes!(calendar_feeds::list_calendar_feeds))
        .routes(routes!(calendar_feeds::remove_calendar_feed))
        .routes(routes!(invitations::invite_to_booking, invitations::list_invitations))
        .routes(routes!(invitations::withdraw_invitation))
        .routes(routes!(calendar_conflicts::list_calendar_conflicts))
        .routes(routes!(calendar_conflicts::resolve_calendar_conflict))
        .routes(routes!(bookings::create_booking, bookings::list_bookings))
        .routes(routes!(bookings::get_booking))
        .routes(routes!(bookings::move_booking))
        .routes(routes!(bookings::challenge_booking))
        .routes(routes!(matches::request_match, matches::list_match_requests))
        .routes(routes!(matches::get_match_request))
        .routes(routes!(matches::cancel_match_request))
        .routes(routes!(matches::reassign_match_request))
        .routes(routes!(match_presets::list_match_presets))
        .routes(routes!(match_presets::set_match_preset, match_presets::remove_match_preset))
        .routes(routes!(rankings::get_ranking))
        .routes(routes!(rankings::what_if))
        .routes(routes!(offers::get_offer))
        .routes(routes!(offers::accept_offer))
        .routes(routes!(offers::decline_offer))
}

/// What others tell us, and what we tell others.
fn webhooks() -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .routes(routes!(webhook_sources::create_webhook_source, webhook_sources::list_webhook_sources))
        .routes(routes!(webhook_sources::get_webhook_source, webhook_sources::remove_webhook_source))
        .routes(routes!(webhook_sources::rotate_webhook_secret))
        .routes(routes!(webhook_sources::enable_webhook_source))
        .routes(routes!(webhook_sources::disable_webhook_source))
        .routes(routes!(
            webhook_endpoints::create_webhook_endpoint,
            webhook_endpoints::list_webhook_endpoints
        ))
        .routes(routes!(webhook_endpoints::get_webhook_endpoint, webhook_endpoints::remove_webhook_endpoint))
        .routes(routes!(webhook_endpoints::rotate_webhook_endpoint_secret))
        .routes(routes!(webhook_endpoints::enable_webhook_endpoint))
        .routes(routes!(webhook_endpoints::disable_webhook_endpoint))
        .routes(routes!(webhook_endpoints::test_webhook_endpoint))
        .routes(routes!(webhook_deliveries::list_webhook_deliveries))
        .routes(routes!(webhook_deliveries::get_webhook_delivery))
        .routes(routes!(webhook_deliveries::resend_webhook_delivery))
        .routes(routes!(webhook_recovery::recover_webhook_deliveries))
        .routes(routes!(webhook_rules::add_webhook_rule, webhook_rules::list_webhook_rules))
        .routes(routes!(webhook_rules::remove_webhook_rule))
        .routes(routes!(webhook_events::list_webhook_events))
        .routes(routes!(webhook_events::replay_webhook_events))
        .routes(routes!(webhook_events::get_webhook_event))
        .routes(routes!(webhook_events::replay_webhook_event))
        .routes(routes!(webhook_events::list_webhook_refusals))
        .routes(routes!(alerts::list_alert_rules))
        .routes(routes!(alerts::set_alert_rule, alerts::get_alert_rule, alerts::remove_alert_rule))
        .routes(routes!(alerts::list_alerts))
}

/// Who may ask, and for which tenant; who works, and what was done.
fn administration() -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .routes(routes!(audit::list_audit))
        .routes(routes!(audit::list_installation_audit))
        .routes(routes!(workers::list_workers))
        .routes(routes!(workers::drain_worker))
        .routes(routes!(keys::create_key, keys::list_keys))
        .routes(routes!(keys::revoke_key))
        .routes(routes!(tenants::list_tenants))
        .routes(routes!(tenants::set_tenant, tenants::get_tenant))
        .routes(routes!(weights::list_tenant_weights))
        .routes(routes!(weights::weigh_tenant, weights::weigh_tenant_as_usual))
        .routes(routes!(keys::create_tenant_key, keys::list_tenant_keys))
        .routes(routes!(keys::revoke_tenant_key))
}

/// What anybody may ask.
fn open() -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(health::metrics))
        .routes(routes!(hooks::receive_webhook))
}

/// The OpenAPI 3.1 document.
pub fn document() -> Value {
    let description = keyed().merge(open()).into_openapi();
    let mut document = serde_json::to_value(description).unwrap_or_default();
    document["info"]["version"] = "1".into();
    flatten(&mut document["components"]["schemas"]);
    document["components"]["securitySchemes"] = json!({
        "api_key": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "crw_<prefix>_<secret>",
            "description": "An API key. Scopes: jobs:write, jobs:read, queue:operate; admin has all of them; installation makes tenants.",
        }
    });
    for spec in ::jobs::specs() {
        document["components"]["schemas"][format!("{}.args", spec.kind)] = spec.args_schema.clone();
        document["components"]["schemas"][format!("{}.result", spec.kind)] = spec.result_schema.clone();
    }
    document
}

/// Makes one object of a schema that another is flattened into. Each by itself is closed, which would refuse what the other has.
fn flatten(schemas: &mut Value) {
    let known = schemas.clone();
    for schema in schemas.as_object_mut().into_iter().flat_map(Map::values_mut) {
        let Some(parts) = schema["allOf"].as_array() else { continue };
        let (mut members, mut required) = (Map::new(), Vec::new());
        for part in parts {
            let name = part["$ref"].as_str().and_then(|path| path.rsplit('/').next());
            let part = name.map_or(part, |name| &known[name]);
            members.extend(part["properties"].as_object().cloned().unwrap_or_default());
            required.extend(part["required"].as_array().cloned().unwrap_or_default());
        }
        *schema = json!({
            "type": "object", "description": schema["description"], "required": required, "properties": members,
        });
    }
}

/// Every route with its layers, over `app`.
pub fn router(app: AppState) -> Router {
    let (keyed, _) = keyed().split_for_parts();
    let (open, _) = open().split_for_parts();
    let open = open
        .route("/openapi.json", get(pages::openapi_json))
        .route("/docs", get(pages::docs))
        .route("/docs/problems", get(pages::problems))
        .route("/docs/style.css", get(pages::style))
        .merge(delivery::router())
        .merge(unsubscribe::router())
        .merge(calendar_feeds::router())
        .merge(calendar_pings::router())
        .merge(ops::router(&app));
    let keyed = keyed.route_layer(middleware::from_fn_with_state(app.clone(), auth::authenticate));
    keyed
        .merge(open)
        .fallback(async || Problem::not_found("path"))
        // Bodies are bounded where they are read.
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn(request::observe))
        .with_state(app)
}
