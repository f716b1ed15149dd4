//! What can go wrong, as words that clients may rely on, with what to do about each.

use axum::http::StatusCode;
use serde::Serialize;

macro_rules! codes {
    ($($name:ident = $code:literal, $status:ident, $title:literal, $advice:literal;)+) => {
        /// What went wrong, as a word that clients may rely on. `/docs/problems` has the table.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = $title] $name,)+
        }

        impl Code {
            /// Every code there is, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The word.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// The status it is answered with.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)+ }
            }

            /// What it is, for people.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)+ }
            }

            /// What to do about it.
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$name => $advice,)+ }
            }
        }
    };
}

codes! {
    MalformedJson = "malformed_json", BAD_REQUEST, "The body is not JSON",
        "Send one JSON document. `detail` has the line and column where reading stopped.";
    InvalidParameter = "invalid_parameter", BAD_REQUEST, "A query parameter or header cannot be used",
        "`detail` names the parameter and what it accepts.";
    IdempotencyKeyRequired = "idempotency_key_required", BAD_REQUEST, "The Idempotency-Key header is missing",
        "Send a fresh random key with every new request, and the same key again when you retry it.";
    Unauthenticated = "unauthenticated", UNAUTHORIZED, "The API key is missing or not valid",
        "Send `Authorization: Bearer crw_…` with a key that has not been revoked.";
    SignatureRefused = "signature_refused", UNAUTHORIZED, "The message is not signed as its source signs",
        "Sign with the secret of this source. Whoever runs the source sees why: GET /v1/webhook-sources/{id}/refusals.";
    SignedOut = "signed_out", UNAUTHORIZED, "You are not signed in",
        "Sign in at the dashboard, under /ops, and do it again.";
    NotAllowed = "not_allowed", FORBIDDEN, "You may not do this",
        "Ask whoever runs this installation for a role that may, or load the page again.";
    MissingScope = "missing_scope", FORBIDDEN, "The API key may not do this",
        "Use a key with the scope that `detail` names.";
    NotFound = "not_found", NOT_FOUND, "There is nothing here",
        "Check the path and the id. What belongs to another tenant does not exist for this key.";
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "This path does not take this method",
        "The `Allow` header lists the methods it takes.";
    BodyTimeout = "body_timeout", REQUEST_TIMEOUT, "The body did not arrive in time",
        "Send the whole body without pausing. Files do not belong into bodies: see POST /v1/uploads.";
    RequestInFlight = "request_in_flight", CONFLICT, "The same request is being answered at this moment",
        "Wait as long as `Retry-After` says and send it again with the same Idempotency-Key.";
    NotFinished = "not_finished", CONFLICT, "The job has not finished",
        "Wait for it: GET the job, listen to its events, or submit with `Prefer: wait`.";
    TooLate = "too_late", CONFLICT, "The job has ended already",
        "Nothing is left to do. GET the job to see how it ended.";
    JobRunning = "job_running", CONFLICT, "The job is running",
        "Wait until this attempt ends, or cancel it first.";
    DuplicateWork = "duplicate_work", CONFLICT, "Another job is doing the same work",
        "Follow the job that `detail` names instead.";
    StepOver = "step_over", CONFLICT, "The job's step of its workflow is over",
        "What comes after the step has begun or was skipped. Begin another workflow.";
    UploadIncomplete = "upload_incomplete", CONFLICT, "The file has not arrived",
        "PUT every byte to the URLs that POST /v1/uploads answered, then complete the upload.";
    JobCancelled = "job_cancelled", GONE, "The job was cancelled and has no result",
        "`error` says why. POST /v1/jobs/{id}/retry runs it again.";
    JobDiscarded = "job_discarded", GONE, "The job was given up and has no result",
        "`error` says what went wrong. Fix the cause, then POST /v1/jobs/{id}/retry.";
    AssetQuarantined = "asset_quarantined", CONFLICT, "The virus scanner has not looked at the file yet",
        "Wait as long as `Retry-After` says and ask again. While the scanner is away, files wait.";
    AssetHeld = "asset_held", CONFLICT, "The virus scanner found something, or could not look at all of the file",
        "GET the asset: `finding` says what. An administrator may release it or delete it.";
    AssetRetained = "asset_retained", CONFLICT, "The file has to be kept for longer",
        "GET the asset: `retain_until` says until when. An administrator may make that earlier.";
    MessageSettled = "message_settled", CONFLICT, "What became of the message is known",
        "GET the message: `state` and `tries` say it. Only a message in state unknown can be resolved.";
    UploadExpired = "upload_expired", GONE, "The upload was not completed in time",
        "Announce the file again with POST /v1/uploads.";
    PayloadTooLarge = "payload_too_large", PAYLOAD_TOO_LARGE, "The body is too large",
        "Split the batch, or put files into an upload and name its asset.";
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "The body has to be JSON",
        "Send `Content-Type: application/json`.";
    InvalidBody = "invalid_body", UNPROCESSABLE_ENTITY, "The request is JSON but cannot be used",
        "Each entry of `errors` points at a field and says what it accepts.";
    IdempotencyKeyReused = "idempotency_key_reused", UNPROCESSABLE_ENTITY, "The Idempotency-Key stands for another request",
        "Use a fresh key for a new request; the body of a retry must not change.";
    UploadRejected = "upload_rejected", UNPROCESSABLE_ENTITY, "The file is not what was announced",
        "`reason` says what did not match. The file was deleted: announce it again.";
    NameTaken = "name_taken", CONFLICT, "Something else has this name",
        "Choose another name, or change what is there.";
    ChangedMeanwhile = "changed_meanwhile", CONFLICT, "Somebody else changed it first",
        "GET it again, see what has changed, and send your change with its `version`.";
    TimeTaken = "time_taken", CONFLICT, "Somebody's time is taken",
        "POST /v1/slots says when it is free. By what it is taken is nobody's business.";
    NoWay = "no_way", CONFLICT, "It cannot move there from where it is",
        "`current` says how it is and where it can move.";
    OfferOver = "offer_over", CONFLICT, "The offer was answered already, or nobody answered in time",
        "`current` says how it stands.";
    CountMoved = "count_moved", CONFLICT, "Other jobs fit than were expected",
        "Look again with `dry_run`, and send the `count` that you mean as `expected_count`.";
    TooMany = "too_many", CONFLICT, "There are as many of these as there may be",
        "Remove one that is not needed any more.";
    RateLimited = "rate_limited", TOO_MANY_REQUESTS, "Too many requests",
        "Wait as long as `Retry-After` says. `RateLimit` tells what is left before it comes to this.";
    TooManyStreams = "too_many_streams", TOO_MANY_REQUESTS, "Too many event streams are open",
        "Close a stream, or follow all jobs through GET /v1/events.";
    Internal = "internal", INTERNAL_SERVER_ERROR, "Something went wrong on our side",
        "Send the same request with the same Idempotency-Key again; name `instance` when you report it.";
    Unavailable = "unavailable", SERVICE_UNAVAILABLE, "A service we need does not answer",
        "Wait as long as `Retry-After` says and send the same request again.";
    Overloaded = "overloaded", SERVICE_UNAVAILABLE, "More work arrives than can be taken in",
        "Wait as long as `Retry-After` says and send the same request again.";
    Slow = "request_timeout", SERVICE_UNAVAILABLE, "The answer took too long",
        "Send the same request with the same Idempotency-Key again: if it was done, you get its answer.";
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}
