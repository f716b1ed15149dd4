//! Every number that bounds a request. What an operator may want to change is in [`Settings`].

use std::time::Duration;

use secrecy::SecretString;

use crate::ops::{OidcSettings, TraceUrl};

/// Body of a request.
pub(crate) const BODY_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Batches that this process reads and takes in at once; with their size this bounds the memory they take.
pub(crate) const BATCHES_MAX: usize = 32;
/// Longest wait of a batch for its turn.
pub(crate) const BATCH_TURN: Duration = Duration::from_secs(5);
/// Body of a batch.
pub(crate) const BATCH_BODY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Jobs of a batch.
pub(crate) const BATCH_JOBS_MAX: usize = 1_000;
/// Longest `Prefer: wait`.
pub(crate) const WAIT_S_MAX: u64 = 30;
/// Longest time to an answer, waiting for a job not counted.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest time to complete an upload: its bytes are read once and copied twice.
pub(crate) const COMPLETE_TIMEOUT: Duration = Duration::from_mins(2);
/// How long running requests may take to end when the process stops.
pub(crate) const GRACE: Duration = Duration::from_secs(10);
/// How long an answer is kept for its idempotency key.
pub(crate) const IDEMPOTENCY_HOURS: i64 = 24;
/// Bytes of an idempotency key.
pub(crate) const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;
/// How long a key that was looked up is trusted: the longest a revoked key keeps working.
pub(crate) const KEY_CACHE: Duration = Duration::from_secs(10);
/// How often the use of a key is written down, at most.
pub(crate) const KEY_TOUCH: Duration = Duration::from_mins(1);
/// Valid keys of a tenant.
pub(crate) const KEYS_MAX: i64 = 200;
/// Characters of what a key is for.
pub(crate) const KEY_NAME_CHARS_MAX: usize = 200;
/// Characters of a tenant's short name.
pub(crate) const TENANT_SLUG_CHARS_MAX: usize = 63;
/// Characters of its long one.
pub(crate) const TENANT_NAME_CHARS_MAX: usize = 200;
/// The least and the greatest weight of a tenant in a queue.
pub(crate) const WEIGHTS: (f32, f32) = (0.01, 100.0);
/// Keys remembered at once.
pub(crate) const KEYS_CACHED_MAX: usize = 10_000;
/// Submissions that one transaction takes in.
pub(crate) const GROUP_MAX: usize = 500;
/// Submissions of one tenant that wait for the running transaction.
pub(crate) const WAITING_MAX: usize = 2_000;
/// Jobs on a page, unless the request says otherwise.
pub(crate) const PAGE_DEFAULT: u16 = 50;
/// Jobs on a page.
pub(crate) const PAGE_MAX: u16 = 200;
/// Log lines on a page.
pub(crate) const LINES_MAX: u16 = 1_000;
/// Largest picture.
pub(crate) const UPLOAD_PICTURE_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Largest film: about what the virus scanner can look at.
pub(crate) const UPLOAD_FILM_BYTES_MAX: u64 = 2_000 * 1024 * 1024;
/// Largest file that is put in one request.
pub(crate) const UPLOAD_SINGLE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Size of every part but the last.
pub(crate) const UPLOAD_PART_BYTES: u64 = 8 * 1024 * 1024;
/// Days for which a tenant may ask to keep its history; the installation may keep it for less.
pub(crate) const RETENTION_DAYS_MAX: u16 = 3_650;
/// Large arguments of one batch that are put into the object store at once.
pub(crate) const LARGE_PUTS_MAX: usize = 4;
/// Large payloads that this process holds at once to answer with them.
pub(crate) const LARGE_READS_MAX: usize = 8;
/// Uploads that this process reads through at once.
pub(crate) const COMPLETING_MAX: usize = 8;
/// How long the URLs of an upload work.
pub(crate) const UPLOAD_TTL: Duration = Duration::from_hours(1);
/// How long after that an upload may still be completed.
pub(crate) const UPLOAD_SLACK: Duration = Duration::from_mins(10);
/// Files of a delivery.
pub(crate) const DELIVERY_FILES_MAX: usize = 500;
/// Characters of a delivery's title.
pub(crate) const DELIVERY_TITLE_CHARS_MAX: usize = 200;
/// Characters of a file's name in a delivery.
pub(crate) const DELIVERY_NAME_CHARS_MAX: usize = 255;
/// Longest life of a delivery's link.
pub(crate) const DELIVERY_DAYS_MAX: u16 = 365;
/// How long a delivery's link lives unless the request says otherwise.
pub(crate) const DELIVERY_DAYS_DEFAULT: u16 = 30;
/// Characters of what somebody wants changed in a delivery.
pub(crate) const NOTE_CHARS_MAX: usize = 2_000;
/// Notes about one delivery.
pub(crate) const NOTES_MAX: i16 = 500;
/// Largest form that the page of a delivery sends.
pub(crate) const FORM_BYTES_MAX: usize = 32 * 1024;
/// How long the URLs of pictures work.
pub(crate) const READ_URL_TTL: Duration = Duration::from_mins(15);
/// Largest playlist of a film that a delivery's page passes on: two hours in segments of 6 s are some 100 kB.
pub(crate) const PLAYLIST_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// After how many seconds to ask again for a file that has not been scanned.
pub(crate) const SCAN_RETRY_S: u64 = 2;
/// Characters of the reason for releasing a file.
pub(crate) const RELEASE_REASON_CHARS_MAX: usize = 500;
/// Days for which an original may be retained, or after which it may go.
pub(crate) const KEEP_DAYS_MAX: u16 = 3_650;
/// Characters of a licence.
pub(crate) const LICENSE_CHARS_MAX: usize = 500;
/// Longest life of an event stream; the client comes back with `Last-Event-ID`.
pub(crate) const STREAM_AGE_MAX: Duration = Duration::from_hours(1);
/// How often a silent event stream says that it is alive.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(15);
/// How often a stream looks without having been told to: notices may be lost.
pub(crate) const STREAM_POLL: Duration = Duration::from_secs(2);
/// How often a stream of all jobs looks, at most. Longer than for one job, because notices do not tell whose jobs moved.
pub(crate) const STREAM_PAUSE_ALL: Duration = Duration::from_millis(250);
/// How often a stream of one job looks, at most.
pub(crate) const STREAM_PAUSE: Duration = Duration::from_millis(100);
/// How long an answer of `/readyz` stands: nobody has to have a key to ask.
pub(crate) const READY_CACHE: Duration = Duration::from_millis(500);
/// Longest wait for one dependency in `/readyz`.
pub(crate) const READY_TIMEOUT: Duration = Duration::from_secs(1);

/// Those who send webhooks to a tenant.
pub(crate) const WEBHOOK_SOURCES_MAX: i64 = 100;
/// Rules of one of them: an event that fits all of them becomes as many jobs.
pub(crate) const WEBHOOK_RULES_MAX: i64 = 100;
/// Oldest message that a source may be made to take, in seconds.
pub(crate) const WEBHOOK_WINDOW_S_MAX: u32 = 86_400;
/// Longest time for which the secret of before holds too, in seconds: a week.
pub(crate) const WEBHOOK_OVERLAP_S_MAX: u32 = 604_800;
/// How long it holds unless the request says otherwise, in seconds: a day.
pub(crate) const WEBHOOK_OVERLAP_S: u32 = 86_400;
/// Events looked at again by one request.
pub(crate) const WEBHOOK_REPLAY_MAX: u16 = 1_000;
/// Jobs of an event that are shown with it.
pub(crate) const WEBHOOK_JOBS_MAX: i64 = 500;
/// Those who are sent webhooks of a tenant's.
pub(crate) const WEBHOOK_ENDPOINTS_MAX: i64 = 50;
/// Patterns of what one of them wants to be told of.
pub(crate) const WEBHOOK_EVENT_TYPES_MAX: usize = 50;
/// Messages on their way to one of them at once.
pub(crate) const WEBHOOK_CONCURRENCY_MAX: u32 = 100;
/// That many unless the request says otherwise.
pub(crate) const WEBHOOK_CONCURRENCY: u32 = 4;
/// Messages sent again by one request.
pub(crate) const WEBHOOK_RECOVER_MAX: i64 = 1_000;
/// Attempts of a delivery that are shown.
pub(crate) const WEBHOOK_ATTEMPTS_MAX: i64 = 100;
/// Headers kept of a webhook.
pub(crate) const WEBHOOK_HEADERS_MAX: usize = 50;
/// Bytes kept of each.
pub(crate) const WEBHOOK_HEADER_BYTES_MAX: usize = 1_024;
/// Seconds in which a source may send as many webhooks as the setting says.
pub(crate) const WEBHOOKS_WINDOW_S: u32 = 60;

/// Rules for alerts of a tenant.
pub(crate) const ALERT_RULES_MAX: i64 = 50;
/// Characters of a rule's name.
pub(crate) const ALERT_NAME_CHARS_MAX: usize = 63;
/// Largest number from which on something is wrong.
pub(crate) const ALERT_THRESHOLD_MAX: i32 = 1_000_000;
/// Seconds that a rule looks back: what is summed up by the minute tells nothing of less.
pub(crate) const ALERT_WINDOW_S_MIN: i32 = 300;
pub(crate) const ALERT_WINDOW_S_MAX: i32 = 86_400;
/// That many unless the request says otherwise.
pub(crate) const ALERT_WINDOW_S: i32 = 600;
/// Seconds for which something has to be wrong, or well, at most.
pub(crate) const ALERT_AFTER_S_MAX: i32 = 86_400;
/// Unless the request says otherwise, wrong.
pub(crate) const ALERT_FIRE_AFTER_S: i32 = 60;
/// Unless the request says otherwise, well.
pub(crate) const ALERT_RESOLVE_AFTER_S: i32 = 300;

/// Limits of a tenant.
pub(crate) const LIMITS_MAX: i64 = 100;
/// Characters of a limit's name.
pub(crate) const LIMIT_NAME_CHARS_MAX: usize = 63;
/// Jobs that a limit may let run at once.
pub(crate) const LIMIT_CONCURRENCY_MAX: u32 = 100_000;
/// Jobs that a rate may let begin in a period, and at once.
pub(crate) const LIMIT_BURST_MAX: u32 = 1_000_000;
/// Longest period of a rate, in seconds: a month.
pub(crate) const LIMIT_PERIOD_S_MAX: u32 = 2_678_400;
/// Schedules of a tenant.
pub(crate) const SCHEDULES_MAX: i64 = 1_000;
/// Characters of a schedule's name.
pub(crate) const SCHEDULE_NAME_CHARS_MAX: usize = 63;
/// Characters of a pause's reason.
pub(crate) const PAUSE_REASON_CHARS_MAX: usize = 500;
/// Characters of a pause's owner.
pub(crate) const PAUSE_OWNER_CHARS_MAX: usize = 200;
/// How far ahead a pause may end by itself.
pub(crate) const PAUSE_DAYS_MAX: i64 = 400;
/// Steps of a workflow.
pub(crate) const WORKFLOW_STEPS_MAX: usize = 100;
/// Jobs of all steps of a workflow.
pub(crate) const WORKFLOW_JOBS_MAX: usize = 10_000;
/// Characters of a workflow's name.
pub(crate) const WORKFLOW_NAME_CHARS_MAX: usize = 200;
/// Characters of a step's name.
pub(crate) const WORKFLOW_STEP_NAME_CHARS_MAX: usize = 63;
/// Bulk operations of a tenant that run at once.
pub(crate) const BULK_RUNNING_MAX: i64 = 10;
/// Jobs that a caller may expect to fit.
pub(crate) const BULK_EXPECTED_MAX: i64 = 1_000_000_000;
/// Bytes of an error's code to look for.
pub(crate) const BULK_ERROR_CODE_BYTES_MAX: usize = 64;
/// How far back promises are counted.
pub(crate) const PROMISE_DAYS_MAX: i64 = 31;

/// Characters of a party's name.
pub(crate) const PARTY_NAME_CHARS_MAX: usize = 200;
/// Characters of an address, whatever the channel.
pub(crate) const CONTACT_ADDRESS_CHARS_MAX: usize = 1_000;
/// Characters of a mail address (RFC 5321).
pub(crate) const EMAIL_CHARS_MAX: usize = 254;
/// Bytes of what people are told.
pub(crate) const NOTIFICATION_BYTES_MAX: usize = 64 * 1024;
/// Templates of a tenant that are listed.
pub(crate) const TEMPLATES_MAX: i64 = 1_000;

/// Characters of a role, of a skill.
pub(crate) const WORD_CHARS_MAX: usize = 63;
/// Roles of a party.
pub(crate) const MEMBER_ROLES_MAX: usize = 20;
/// Sites of the house at which the roles of a party hold.
pub(crate) const MEMBER_SITES_MAX: usize = 50;
/// Skills of a party, and of a visit.
pub(crate) const MEMBER_SKILLS_MAX: usize = 50;
/// Windows of a day in which somebody works.
pub(crate) const DAY_WINDOWS_MAX: usize = 8;
/// Days of somebody's that are unlike others of their name.
pub(crate) const HOURS_OVERRIDES_MAX: usize = 400;
/// How far somebody may go, in kilometres.
pub(crate) const RADIUS_KM_MAX: u32 = 500;
/// How far they go unless the request says otherwise, in kilometres.
pub(crate) const RADIUS_KM_DEFAULT: u32 = 50;
/// Times off of a party.
pub(crate) const ABSENCES_MAX: i64 = 500;
/// Days of one absence.
pub(crate) const ABSENCE_DAYS_MAX: i64 = 400;
/// Characters of what is noted with an absence.
pub(crate) const NOTE_TEXT_CHARS_MAX: usize = 200;
/// Calendars outside of a party, and feeds.
pub(crate) const CALENDAR_LINKS_MAX: i64 = 10;
pub(crate) const CALENDAR_FEEDS_MAX: i64 = 10;
/// Bytes of what opens a calendar.
pub(crate) const CALENDAR_USER_BYTES_MAX: usize = 320;
pub(crate) const CALENDAR_PASSWORD_BYTES_MAX: usize = 1_024;
pub(crate) const CALENDAR_EMAIL_BYTES_MAX: usize = 320;
/// Bytes of a token, and of the name of a calendar.
pub(crate) const CALENDAR_TOKEN_BYTES_MAX: usize = 4_096;
pub(crate) const CALENDAR_NAME_BYTES_MAX: usize = 500;
/// Stretches of time that a calendar outside may name.
pub(crate) const BUSY_SPANS_MAX: usize = 2_000;
/// How long a code to join an account works, in minutes.
pub(crate) const ACCOUNT_CODE_MINUTES: i32 = 15;
/// Characters of the name for what a booking or a visit is about.
pub(crate) const REFERENCE_CHARS_MAX: usize = 120;
/// Parties of a booking.
pub(crate) const BOOKING_PARTIES_MAX: usize = 20;
/// Guests of a booking.
pub(crate) const BOOKING_GUESTS_MAX: i64 = 50;
/// Days of a booking.
pub(crate) const BOOKING_DAYS_MAX: i64 = 400;
/// How far away from today a booking or a visit may be, in days.
pub(crate) const BOOKING_AHEAD_DAYS_MAX: i64 = 1_000;
/// Minutes to keep free before or after a booking.
pub(crate) const BOOKING_BUFFER_MINUTES_MAX: u16 = 480;
/// Hours of a visit.
pub(crate) const VISIT_HOURS_MAX: i64 = 24;
/// Rules for who is asked first that have names.
pub(crate) const MATCH_PRESETS_MAX: i64 = 100;
/// Best score.
pub(crate) const SCORE_MAX: u16 = 10_000;
/// Characters of a URL.
pub(crate) const URL_CHARS_MAX: usize = 500;
/// Days in which slots are looked for.
pub(crate) const SLOT_DAYS_MAX: i64 = 31;
/// Beginnings that one search looks at.
pub(crate) const SLOT_STARTS_MAX: u16 = 1_000;
/// Candidates that one search looks at: the nearest.
pub(crate) const SLOT_CANDIDATES_MAX: i64 = 500;
/// Candidates that are shown of a beginning.
pub(crate) const SLOT_PARTIES_MAX: usize = 10;
/// Minutes from one beginning to the next unless the request says otherwise.
pub(crate) const SLOT_STEP_MINUTES_DEFAULT: u16 = 30;
/// Rows that are shown of a ranking.
pub(crate) const RANKING_ROWS_MAX: usize = 200;
/// Requests that are looked at under other rules.
pub(crate) const WHAT_IF_MAX: i64 = 100;
/// That many unless the request says otherwise.
pub(crate) const WHAT_IF_DEFAULT: i64 = 20;
/// How long somebody stays signed in.
pub(crate) const SESSION_TTL: Duration = Duration::from_hours(12);
/// How long a browser is known after that.
pub(crate) const BROWSER_KNOWN_DAYS_MAX: i64 = 180;
/// Tries to sign in are counted over this time.
pub(crate) const SIGN_IN_SPAN: Duration = Duration::from_mins(15);
/// Tries as one person from one address.
pub(crate) const SIGN_IN_TRIES_MAX: i32 = 5;
/// Tries as one person from a browser they signed in from before.
pub(crate) const SIGN_IN_KNOWN_TRIES_MAX: i32 = 10;
/// Tries from one address, as whomever.
pub(crate) const SIGN_IN_ADDRESS_TRIES_MAX: i32 = 50;
/// How long somebody may take to sign in at an issuer.
pub(crate) const SIGN_IN_TRIP_TTL: Duration = Duration::from_mins(10);
/// Passwords that are tried at once: each takes 19 MiB and a core.
pub(crate) const PASSWORDS_AT_ONCE_MAX: usize = 2;
/// Longest wait for that.
pub(crate) const PASSWORD_TURN: Duration = Duration::from_secs(5);
/// Characters of a password, at least.
pub(crate) const PASSWORD_CHARS_MIN: usize = 12;
/// Bytes of a password.
pub(crate) const PASSWORD_BYTES_MAX: usize = 256;
/// Characters of the address somebody signs in with.
pub(crate) const USER_EMAIL_CHARS_MAX: usize = 200;
/// Pages and actions of one person in [`OPS_WINDOW_S`].
pub(crate) const OPS_REQUESTS_MAX: u32 = 1_200;
/// Live pages that one person may have open. They are none of the event streams of the tenant.
pub(crate) const OPS_STREAMS_MAX: usize = 30;
/// Shares of tenants on one page.
pub(crate) const OPS_SHARES_MAX: i32 = 500;
/// Versions of the program on one page.
pub(crate) const OPS_VERSIONS_MAX: i32 = 20;
/// Arguments that are edited in a form, which has to fit with every character escaped.
pub(crate) const CLONE_ARGS_BYTES_MAX: usize = 8 * 1024;
/// Refusals of one person, or key, that are written down in [`OPS_WINDOW_S`]; past them people have to wait.
pub(crate) const OPS_REFUSALS_MAX: u32 = 30;
/// Characters kept of an address that was refused.
pub(crate) const OPS_TARGET_CHARS_MAX: usize = 200;
/// Seconds in which those are counted.
pub(crate) const OPS_WINDOW_S: u32 = 60;
/// Characters that are looked for in errors.
pub(crate) const WORDS_CHARS_MAX: usize = 200;
/// Bytes of the name of a field of arguments, and of what it is looked for to hold.
pub(crate) const FIELD_BYTES_MAX: usize = 64;
pub(crate) const FIELD_TEXT_BYTES_MAX: usize = 120;
/// Rows on a page of the dashboard.
pub(crate) const OPS_ROWS_MAX: i64 = 50;
/// Minutes for which a share is weighed otherwise: a week.
pub(crate) const WEIGHT_MINUTES_MAX: i32 = 10_080;
/// Of who looks after the dead letters of a kind: characters of whom to ask, bytes of a runbook's address.
pub(crate) const CARE_OWNER_CHARS_MAX: usize = 200;
pub(crate) const CARE_RUNBOOK_BYTES_MAX: usize = 500;
/// Seconds within which a dead letter is to be looked after: a minute to 30 days.
pub(crate) const LOOK_AFTER_S_MIN: i32 = 60;
pub(crate) const LOOK_AFTER_S_MAX: i32 = 2_592_000;
/// Characters of why somebody says something of a group of errors.
pub(crate) const ERROR_NOTE_CHARS_MAX: usize = 500;
/// Versions of the program that a group of errors is told under.
pub(crate) const ERROR_VERSIONS_MAX: i32 = 50;
/// Views of a tenant that somebody keeps, and characters of the name of one.
pub(crate) const VIEWS_MAX: i64 = 30;
pub(crate) const VIEW_NAME_CHARS_MAX: usize = 63;
/// Pictures, and rows of a table, that the page of a job shows of what came of it.
pub(crate) const PREVIEW_PICTURES_MAX: usize = 12;
pub(crate) const PREVIEW_ROWS_MAX: usize = 10;
/// Log lines on the page of a job.
pub(crate) const OPS_LINES_MAX: i64 = 500;
/// How often the page of a job is told to look again, at most; and any other page.
pub(crate) const OPS_LIVE_PAUSE_OF_JOB: Duration = Duration::from_secs(1);
pub(crate) const OPS_LIVE_PAUSE: Duration = Duration::from_secs(3);

/// Bytes of what a provider says of a calendar, and of what Microsoft asks first.
pub(crate) const CALENDAR_PING_BYTES_MAX: usize = 64 * 1024;
pub(crate) const CALENDAR_QUESTION_BYTES_MAX: usize = 1_024;

/// What an operator may change.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How clients reach us, for the examples in the documentation: `https://api.example.com`.
    pub public_url: String,
    /// Whether POSTs that create need an `Idempotency-Key`.
    pub idempotency_required: bool,
    /// Requests a tenant may send per window, and at once.
    pub requests_max: u32,
    /// Length of that window, in seconds.
    pub requests_window_s: u32,
    /// Webhooks, believed or not, that may be sent under one source's URL in a minute, and at once.
    pub webhooks_per_source_max: u32,
    /// Whether endpoints may be `http` on this very machine.
    pub webhooks_loopback: bool,
    /// The secret of our client at Cronofy, which signs what it says with it.
    pub cronofy_secret: Option<SecretString>,
    /// Where people may sign in besides here.
    pub oidc: Option<OidcSettings>,
    /// Where traces are looked at.
    pub trace_url: Option<TraceUrl>,
    /// Proxies in front of us that add to `X-Forwarded-For`.
    pub proxies: u8,
    /// Event streams a tenant may hold open.
    pub streams_max: usize,
    /// Connections this process holds open.
    pub connections_max: usize,
    /// Longest wait for the head of a request; also how long an idle connection is kept.
    pub header_read_timeout_ms: u64,
    /// Longest wait for the body of a request.
    pub body_read_timeout_ms: u64,
}
