//! Every table is probed with every role: a tenant sees its own rows, and nobody can step around the policy.

use jobs::{JobId, TenantId};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use store::testing::TestDatabase;

/// Tables that belong to no tenant, each with the reason.
const GLOBAL: &[(&str, &str)] = &[
    ("lease", "names jobs of many tenants; only workers may read it"),
    ("pace", "counts claims of all tenants; only workers may read it"),
    ("bucket", "what is left of a rule's rate; only workers may read it"),
    ("worker", "processes belong to no tenant"),
    ("version_seen", "versions of the program belong to no tenant; reached by functions only"),
    ("worker_seen", "as workers do; reached by functions only"),
    ("user_account", "people belong to no tenant; reached by functions only"),
    ("user_session", "as people do; reached by functions only"),
    ("user_identity", "as people do; reached by functions only"),
    ("sign_in_trip", "nobody has signed in yet; reached by functions only"),
    ("sign_in_try", "nobody has signed in yet; reached by functions only"),
    ("audit_head", "where chains end; the function that appends keeps it"),
    ("turn", "chores are of the whole installation; only workers take them"),
    ("work_summed", "up to where minutes of all tenants are summed up"),
    ("_sqlx_migrations", "the schema's own history"),
];

async fn connect(database: &TestDatabase, role: Option<&str>) -> PgConnection {
    let mut connection = PgConnection::connect(&database.url()).await.unwrap();
    if let Some(role) = role {
        sqlx::raw_sql(AssertSqlSafe(format!("set session authorization {role}")))
            .execute(&mut connection)
            .await
            .unwrap();
    }
    connection
}

/// Every table of ours that is not a partition, and whether it has a tenant.
async fn tables(database: &TestDatabase) -> Vec<(String, bool)> {
    let mut owner = connect(database, None).await;
    sqlx::query(
        "select c.relname, c.relrowsecurity, exists (select from pg_attribute a where a.attrelid = c.oid
             and a.attname = 'tenant_id' and not a.attisdropped) or c.relname = 'tenant' as has_tenant
         from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition",
    )
    .fetch_all(&mut owner)
    .await
    .unwrap()
    .into_iter()
    .map(|row| {
        let (name, secured, has_tenant): (String, bool, bool) = (row.get(0), row.get(1), row.get(2));
        let exempt = GLOBAL.iter().any(|(global, _)| *global == name);
        assert!(has_tenant || exempt, "{name} has no tenant_id, and no reason is given for it");
        assert!(secured || exempt, "{name} has no row-level security");
        (name, has_tenant)
    })
    .collect()
}

/// Puts one row of each of two tenants into every tenant's table, with whatever its columns need.
async fn fill(database: &TestDatabase, tenants: [TenantId; 2]) {
    let mut owner = connect(database, None).await;
    for tenant in tenants {
        let id = tenant.as_uuid();
        let sql = format!(
            "insert into tenant (id, slug, name) values ('{id}', '{slug}', 'x');
             insert into api_key (id, tenant_id, prefix, secret_sha256, name, scopes)
                 values (gen_random_uuid(), '{id}', '{prefix}', sha256('x'), 'x', '{{}}');
             insert into lane (tenant_id, queue, priority, quarantine, kind, key, promise_s)
                 values ('{id}', 'default', 1, 0, 'probe.work', '', 0);
             insert into kind_used (tenant_id, kind) values ('{id}', 'x');
             insert into job (tenant_id, id, created_at, scheduled_at, lane_id, kind_version, max_attempts, kind, args)
                 values ('{id}', gen_random_uuid(), now(), now(), 1, 1, 1, 'x', '{{}}');
             insert into attempt (tenant_id, job_id, fence, attempt, kind_version, max_attempts, priority, created_at,
                 scheduled_at, outcome, kind, queue, key, promise_s)
                 values ('{id}', gen_random_uuid(), 0, 1, 1, 1, 1, now(), now(), 'completed', 'x', 'x', '', 0);
             insert into tenant_key (tenant_id, number, master, wrapped) values ('{id}', 1, 'x', 'x');
             insert into retention (tenant_id, days) values ('{id}', 1); insert into share (tenant_id, queue) values ('{id}', 'default');
             insert into limit_rule (id, tenant_id, name, concurrency, updated_by)
                 values (gen_random_uuid(), '{id}', 'x', 1, 'x');
             insert into workflow (id, tenant_id, name, jobs_total, created_at) values ('{id}', '{id}', 'x', 1, now());
             insert into workflow_step (tenant_id, workflow_id, ordinal, name, after, state, continues, tolerate, jobs_total)
                 values ('{id}', '{id}', 0, 'x', '{{}}', 'running', false, 0, 1);
             insert into pause (id, tenant_id, reason, paused_by) values (gen_random_uuid(), '{id}', 'x', 'x');
             insert into schedule (id, tenant_id, name, cron, timezone, kind, args, tags, overlap, catch_up, catch_up_max,
                 catch_up_age_s, created_by, updated_by)
                 values ('{id}', '{id}', 'x', '@daily', 'UTC', 'x', '{{}}', '{{}}', 'allow', 'one', 1, 60, 'x', 'x');
             insert into schedule_fire (tenant_id, schedule_id, slot, outcome) values ('{id}', '{id}', now(), 'missed');
             insert into job_log (tenant_id, job_id, fence, attempt, level, message)
                 values ('{id}', gen_random_uuid(), 0, 1, 'info', 'x');
             insert into idempotency (tenant_id, key, route, fingerprint, status, body, expires_at)
                 values ('{id}', 'x', 'x', sha256('x'), 202, '{{}}', now());
             insert into unique_window (tenant_id, kind, key, job_id, expires_at)
                 values ('{id}', 'x', 'x', gen_random_uuid(), now());
             insert into upload (id, tenant_id, content_type, bytes, object_key, expires_at)
                 values (gen_random_uuid(), '{id}', 'x', 1, 'x', now());
             insert into asset (id, tenant_id, sha256, bytes, media_type, object_key)
                 values ('{id}', '{id}', repeat('0', 64), 1, 'x', 'x');
             insert into asset_grave (tenant_id, sha256, due_at) values ('{id}', 'x', now());
             insert into archive_grave (tenant_id, delivery_id, object_key, due_at) values ('{id}', '{id}', 'x', now());
             insert into asset_position (asset_id, tenant_id, latitude, longitude) values ('{id}', '{id}', 1, 1);
             insert into rendition (id, tenant_id, asset_id, source_sha256, preset, rung, format, width, height, bytes,
                 object_key) values (gen_random_uuid(), '{id}', '{id}', 'x', 'x', 'x', 'x', 1, 1, 1, 'x');
             insert into film (tenant_id, asset_id, preset, source_sha256, width, height, duration_ms, rungs, details)
                 values ('{id}', '{id}', 'x', 'x', 1, 1, 1, '[]', '{{}}');
             insert into film_file (tenant_id, asset_id, preset, name, kind, media_type, bytes, object_key)
                 values ('{id}', '{id}', 'x', 'x', 'x', 'x', 1, 'x');
             insert into film_parts (workflow_id, tenant_id, job_id) values ('{id}', '{id}', '{id}');
             insert into delivery (id, tenant_id, title, link_secret, expires_at, created_by)
                 values ('{id}', '{id}', 'x', sha256('x'), now(), 'x');
             insert into delivery_item (tenant_id, delivery_id, place, asset_id, name) values ('{id}', '{id}', 1, '{id}', 'x');
             insert into brand (tenant_id, asset_id, corner, width_percent, opacity_percent, updated_by)
                 values ('{id}', '{id}', 'center', 1, 1, 'x');
             insert into delivery_note (tenant_id, delivery_id, number, place, manifest_sha256, text)
                 values ('{id}', '{id}', 1, 1, 'x', 'x');
             insert into delivery_archive (tenant_id, delivery_id, variant, manifest_sha256, object_key, bytes, files, sha256)
                 values ('{id}', '{id}', 'mls', 'x', 'x', 1, 1, 'x');",
            slug = id.simple(),
            prefix = &id.simple().to_string()[20..],
        );
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut owner).await.unwrap();
        for more in [messages_of, webhooks_of, work_of, calendars_of, people_of] {
            sqlx::raw_sql(AssertSqlSafe(more(tenant))).execute(&mut owner).await.unwrap();
        }
    }
}

/// A row of each table of those who do work, and of what they do.
fn work_of(tenant: TenantId) -> String {
    let id = tenant.as_uuid();
    let other = JobId::new().as_uuid();
    format!(
        "insert into membership (tenant_id, party_id, account_id, is_active, roles, skills, timezone, hours, radius_m,
             is_preferred)
         select '{id}', p.id, '{id}', true, '{{x}}', '[]', 'UTC', '{{}}', 1, false from party p where p.tenant_id = '{id}';
         insert into account_code (tenant_id, party_id, code_sha256, expires_at)
         select '{id}', p.id, sha256('{id}'), now() from party p where p.tenant_id = '{id}';
         insert into absence (id, tenant_id, party_id, account_id, kind, during, note)
         select '{id}', '{id}', p.id, '{id}', 'busy', tstzrange('2026-01-01', '2026-01-02'), '' from party p
             where p.tenant_id = '{id}';
         insert into evidence (id, tenant_id, party_id, kind) select '{id}', '{id}', p.id, 'no_show' from party p
             where p.tenant_id = '{id}';
         insert into booking (id, tenant_id, reference, status, during, before_minutes, after_minutes, created_by)
             values ('{id}', '{id}', 'x', 'offered', tstzrange('2026-01-01', '2026-01-02'), 0, 0, 'x');
         insert into booking_resource (tenant_id, booking_id, party_id, account_id, protected)
         select '{id}', '{id}', p.id, '{id}', tstzrange('2026-01-01', '2026-01-02') from party p where p.tenant_id = '{id}';
         insert into occupied (tenant_id, booking_id, party_id, account_id, protected)
         select tenant_id, booking_id, party_id, account_id, protected from booking_resource where tenant_id = '{id}';
         insert into match_preset (tenant_id, name, terms, updated_by) values ('{id}', 'x', '{{}}', 'x');
         insert into match_preset_past (tenant_id, version) values ('{id}', 1);
         insert into match_request (id, tenant_id, reference, visit, terms, in_batch, state, created_by)
             values ('{id}', '{id}', 'x', '{{}}', '{{}}', false, 'offered', 'x');
         insert into match_receipt (tenant_id, request_id, round, receipt) values ('{id}', '{id}', 1, '{{}}');
         insert into offer (id, tenant_id, request_id, booking_id, party_id, generation, state, expires_at)
             values ('{id}', '{id}', '{id}', '{id}', '{id}', 1, 'sent', now());
         -- Each table has one row of each tenant, so there is nobody to speak of.
         set local session_replication_role = replica;
         insert into relation (tenant_id, by_party, about_party, word) values ('{id}', '{id}', '{other}', 'blocked');
         set local session_replication_role = origin;",
    )
}

/// A row of each table of calendars outside.
fn calendars_of(tenant: TenantId) -> String {
    let id = tenant.as_uuid();
    format!(
        "insert into calendar_link (id, tenant_id, party_id, provider, host, access, is_written, created_by)
         select '{id}', '{id}', p.id, 'caldav', 'x', 'x', true, 'x' from party p where p.tenant_id = '{id}';
         insert into calendar_object (tenant_id, link_id, href, etag, events) values ('{id}', '{id}', 'x', 'x', '[]');
         insert into calendar_part (tenant_id, link_id, number, reading, begun_at, is_all, next, told)
             values ('{id}', '{id}', 0, 0, now(), true, 'x', '[]');
         insert into calendar_channel (id, tenant_id, link_id, secret_sha256) values ('{id}', '{id}', '{id}', sha256('{id}'));
         insert into calendar_farewell (id, tenant_id, provider, access, channels, remotes)
             values ('{id}', '{id}', 'google', 'x', '{{}}', '{{}}');
         insert into calendar_push (tenant_id, link_id, booking_id) values ('{id}', '{id}', '{id}');
         insert into calendar_feed (id, tenant_id, party_id, secret_sha256, created_by)
         select '{id}', '{id}', p.id, sha256('{id}'), 'x' from party p where p.tenant_id = '{id}';
         insert into calendar_conflict (id, tenant_id, link_id, booking_id, kind, mark)
             values ('{id}', '{id}', '{id}', '{id}', 'overlap', 'x');
         insert into invitation (id, tenant_id, booking_id, party_id, address, created_by)
         select '{id}', '{id}', '{id}', p.id, 'x', 'x' from party p where p.tenant_id = '{id}';"
    )
}

/// A row of each table of those who watch and steer.
fn people_of(tenant: TenantId) -> String {
    let id = tenant.as_uuid();
    format!(
        "insert into user_account (id, email, name, password_hash) values ('{id}', '{id}', 'x', 'x');
             insert into user_role (user_id, tenant_id, role) values ('{id}', '{id}', 'viewer');
             insert into audit_entry (chain, tenant_id, seq, entry, hash) values ('{id}', '{id}', 1, '{{}}', sha256('x'));
             insert into work_minute (tenant_id, minute, queue, kind, completed, failed, discarded, wait_ms, run_ms)
                 values ('{id}', now(), 'x', 'x', 0, 0, 0, '{{}}', '{{}}');
             insert into dead_letter (tenant_id, job_id, kind, died_at) values ('{id}', '{id}', 'x', now());
             insert into kind_care (tenant_id, kind, owner, updated_by) values ('{id}', 'x', 'x', 'x');
             insert into bulk_operation (id, tenant_id, action, filter, requested_by, matched, matched_exactly)
                 values ('{id}', '{id}', 'retry', '{{}}', 'x', 0, true);
             insert into bulk_change (operation_id, tenant_id, job_id, fence, priority)
                 values ('{id}', '{id}', gen_random_uuid(), 0, 1);
             insert into four_eyes (tenant_id, more_than, updated_by) values ('{id}', 1, 'x');
             insert into error_group (tenant_id, kind, code, first_at, last_at) values ('{id}', 'x', 'x', now(), now());
             insert into error_version select tenant_id, kind, code, 'x', 1, now(), now() from error_group where tenant_id = '{id}';
             insert into follow_up (tenant_id, parent_id, child_id) values ('{id}', '{id}', '{id}');
             insert into saved_view (tenant_id, user_id, name, query) values ('{id}', '{id}', 'x', 'x');
             insert into alert (id, tenant_id, rule, measure, threshold, value, worst, recipients)
                 values ('{id}', '{id}', 'x', 'queue_age', 1, 1, 1, '{{}}');
             insert into alert_rule (tenant_id, name, measure, threshold, window_s, fire_after_s, resolve_after_s, recipients,
                 updated_by, alert_id) values ('{id}', 'x', 'queue_age', 1, 1, 0, 0, '{{}}', 'x', '{id}');"
    )
}

/// A row of each table of people and messages.
fn messages_of(tenant: TenantId) -> String {
    let id = tenant.as_uuid();
    format!(
        "insert into party (id, tenant_id, name, locale) values ('{id}', '{id}', 'x', 'en');
             insert into contact_point (id, tenant_id, party_id, channel, address, link_secret)
                 values ('{id}', '{id}', '{id}', 'email', 'x', sha256('x'));
             insert into consent (tenant_id, contact_point_id, category, word, source)
                 values ('{id}', '{id}', 'bulk', 'granted', 'x');
             insert into suppressed_address (tenant_id, channel, address_sha256, word, source)
                 values ('{id}', 'email', sha256('x'), 'stop', 'x');
             insert into preference (tenant_id, party_id, category, channels) values ('{id}', '{id}', 'bulk', '{{}}');
             insert into notification_template (tenant_id, name, locale, version, source, created_by)
                 values ('{id}', 'x', 'en', 1, '{{}}', 'x');
             insert into subject (tenant_id, reference, version) values ('{id}', 'x', 1);
             insert into digest (id, tenant_id, party_id, contact_point_id, channel, category, thread, closes_at)
                 values ('{id}', '{id}', '{id}', '{id}', 'email', 'bulk', '', now());
             insert into message (id, tenant_id, party_id, request_id, channel, category, template, template_version, locale,
                 content_sha256, dedupe_key, state, decisions, scheduled_at)
                 values ('{id}', '{id}', '{id}', '{id}', 'email', 'bulk', 'x', 0, 'en', 'x', 'x', 'planned', '[]', now());
             insert into effect (tenant_id, key, try, message_id, job_id, state, provider)
                 values ('{id}', 'x', 1, '{id}', '{id}', 'begun', 'x');"
    )
}

/// A row of each table of webhooks.
fn webhooks_of(tenant: TenantId) -> String {
    let id = tenant.as_uuid();
    format!(
        "insert into webhook_source (id, tenant_id, name, scheme, window_s, created_by)
                 values ('{id}', '{id}', 'x', '{{}}', 1, 'x');
             insert into webhook_rule (id, tenant_id, source_id, rule, created_by) values ('{id}', '{id}', '{id}', '{{}}', 'x');
             insert into webhook_event (id, tenant_id, source_id, event_id, event_type, headers, body)
                 values ('{id}', '{id}', '{id}', 'x', 'x', '{{}}', 'x');
             insert into webhook_event_job (tenant_id, event_id, job_id, rule_id, replay)
                 values ('{id}', '{id}', '{id}', '{id}', 0);
             insert into webhook_refusal (tenant_id, source_id, slot, word, reason, headers, body_bytes)
                 values ('{id}', '{id}', 1, 'x', 'x', '{{}}', 1);
             insert into webhook_endpoint (id, tenant_id, url, event_types, secret, created_by)
                 values ('{id}', '{id}', 'x', '{{x}}', 'x', 'x');
             insert into webhook_message (id, tenant_id, type, subject, data) values ('{id}', '{id}', 'x', 'x', '{{}}');
             insert into webhook_delivery (id, tenant_id, endpoint_id, message_id) values ('{id}', '{id}', '{id}', '{id}');
             insert into webhook_attempt (tenant_id, delivery_id, number, took_ms) values ('{id}', '{id}', 1, 1);"
    )
}

async fn count(connection: &mut PgConnection, table: &str) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(AssertSqlSafe(format!("select count(*) from {table}"))).fetch_one(connection).await
}

#[tokio::test]
async fn a_tenant_sees_its_own_rows_and_nobody_elses() {
    let database = TestDatabase::create().await;
    let tenants = [TenantId::new(), TenantId::new()];
    fill(&database, tenants).await;
    let mut api = connect(&database, Some("crewline_api")).await;
    for (table, has_tenant) in tables(&database).await {
        if !has_tenant {
            assert!(count(&mut api, &table).await.is_err(), "the api may read {table}");
            continue;
        }
        assert_eq!(
            count(&mut api, &table).await.unwrap(),
            0,
            "{table} shows rows although no tenant was named"
        );
        for tenant in tenants {
            let mut tx = api.begin().await.unwrap();
            let set = format!("set local crewline.tenant_id = '{}'", tenant.as_uuid());
            sqlx::raw_sql(AssertSqlSafe(set)).execute(&mut *tx).await.unwrap();
            assert_eq!(count(&mut tx, &table).await.unwrap(), 1, "{table} shows the wrong rows");
            let column = if table == "tenant" { "id" } else { "tenant_id" };
            let foreign = format!("select count(*) from {table} where {column} <> '{}'", tenant.as_uuid());
            let foreign: i64 = sqlx::query_scalar(AssertSqlSafe(foreign)).fetch_one(&mut *tx).await.unwrap();
            assert_eq!(foreign, 0, "{table} shows somebody else's rows");
        }
    }
}

#[tokio::test]
async fn a_tenant_cannot_write_for_another() {
    let database = TestDatabase::create().await;
    let [mine, theirs] = [TenantId::new(), TenantId::new()];
    fill(&database, [mine, theirs]).await;
    let mut api = connect(&database, Some("crewline_api")).await;
    let set = format!("set crewline.tenant_id = '{}'", mine.as_uuid());
    sqlx::raw_sql(AssertSqlSafe(set)).execute(&mut api).await.unwrap();
    let theirs = theirs.as_uuid();
    for sql in [
        format!(
            "insert into lane (tenant_id, queue, priority, quarantine, kind, key, promise_s)
             values ('{theirs}', 'q', 1, 0, 'k', '', 0)"
        ),
        format!(
            "insert into unique_window (tenant_id, kind, key, job_id, expires_at)
                 values ('{theirs}', 'y', 'y', gen_random_uuid(), now())"
        ),
        format!("update job set tenant_id = '{theirs}'"),
        "update attempt set outcome = 'discarded'".to_owned(),
        "delete from attempt".to_owned(),
        "delete from job_log".to_owned(),
        "delete from schedule_fire".to_owned(),
        "delete from consent".to_owned(),
        "update consent set word = 'granted'".to_owned(),
        "update notification_template set source = '{}'".to_owned(),
        "delete from effect".to_owned(),
        "delete from message".to_owned(),
        format!("update message set tenant_id = '{theirs}'"),
        "update schedule_fire set outcome = 'missed'".to_owned(),
        format!(
            "insert into schedule_fire (tenant_id, schedule_id, slot, outcome)
                 values ('{theirs}', '{theirs}', now() + interval '1 s', 'missed')"
        ),
        "update bulk_operation set requested_by = 'x'".to_owned(),
        "delete from bulk_operation".to_owned(),
        "update api_key set scopes = '{admin}'".to_owned(),
        "insert into tenant (id, slug, name) values (gen_random_uuid(), 'x', 'x')".to_owned(),
        "delete from lease".to_owned(),
        "insert into user_role (user_id, role) values (gen_random_uuid(), 'admin')".to_owned(),
        "update user_account set totp_secret = null".to_owned(),
        "update alert set worst = 0".to_owned(),
        "delete from alert".to_owned(),
        "update error_group set failures = 0".to_owned(),
        "delete from error_group".to_owned(),
        "update dead_letter set died_at = now()".to_owned(),
        "update audit_entry set entry = '{}'".to_owned(),
        "delete from audit_entry".to_owned(),
        "select drop_partitions('2100-01-01')".to_owned(),
        "alter table job disable row level security".to_owned(),
        "set role crewline_worker".to_owned(),
        "set role postgres".to_owned(),
    ] {
        let refused = sqlx::raw_sql(AssertSqlSafe(sql.clone())).execute(&mut api).await;
        assert!(refused.is_err(), "the api was allowed to: {sql}");
    }
}

#[tokio::test]
async fn workers_see_every_tenant_but_cannot_rewrite_history() {
    let database = TestDatabase::create().await;
    fill(&database, [TenantId::new(), TenantId::new()]).await;
    let mut worker = connect(&database, Some("crewline_worker")).await;
    for table in [
        "job",
        "attempt",
        "job_log",
        "lane",
        "asset",
        "rendition",
        "film",
        "film_file",
        "upload",
        "tenant",
        "schedule",
    ] {
        assert_eq!(count(&mut worker, table).await.unwrap(), 2, "{table}");
    }
    for sql in [
        "select * from api_key",
        "update attempt set outcome = 'discarded'",
        "delete from attempt",
        "delete from job_log",
        "update schedule set cron = '* * * * *'",
        "update schedule_fire set outcome = 'missed'",
        "drop table job",
        "set role crewline_api",
    ] {
        assert!(sqlx::raw_sql(sql).execute(&mut worker).await.is_err(), "a worker was allowed to: {sql}");
    }
}

#[tokio::test]
async fn partitions_cannot_be_read_around_the_policy() {
    let database = TestDatabase::create().await;
    fill(&database, [TenantId::new(), TenantId::new()]).await;
    let mut owner = connect(&database, None).await;
    let partitions: Vec<String> = sqlx::query_scalar(
        "select relname from pg_class where relispartition and relkind = 'r' and relnamespace = 'public'::regnamespace",
    )
    .fetch_all(&mut owner)
    .await
    .unwrap();
    assert!(partitions.len() > 4);
    for role in ["crewline_api", "crewline_worker"] {
        let mut connection = connect(&database, Some(role)).await;
        for partition in &partitions {
            assert!(count(&mut connection, partition).await.is_err(), "{role} may read {partition} directly");
        }
    }
}
