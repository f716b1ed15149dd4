//! What work is: kinds, arguments, results, policies, ids and states.
//!
//! Everything here is plain data and pure functions. There is no I/O and no async runtime, so every other crate may
//! lean on it. A kind's *contract* lives in [`kinds`]; the code that does the work lives in `workers::handlers`.
//!
//! **Invariant:** the list of kinds exists once, in [`for_each_kind!`].

pub mod asset;
pub mod brand;
pub mod catalogue;
pub mod channel;
pub mod failure;
pub mod focal_point;
pub mod id;
pub mod invalid;
pub mod job;
pub mod kinds;
pub mod limits;
pub mod measure;
pub mod policy;
pub mod preset;
pub mod private;
pub mod queue;
pub mod shape;
pub mod state;
pub mod variant;
pub mod video_preset;

pub use asset::{AssetState, UnknownAssetState};
pub use catalogue::{KindSpec, Parsed, parse, parse_kept, parse_up_to, spec, specs};
pub use channel::{Category, Channel};
pub use failure::{Classify, Failure, Outcome};
pub use focal_point::FocalPoint;
pub use id::{
    AbsenceId, AlertId, ApiKeyId, AssetId, BookingId, BulkOperationId, CalendarChannelId, CalendarConflictId,
    CalendarFeedId, CalendarLinkId, ContactPointId, DeliveryId, DigestId, InvitationId, JobId, LeaseId,
    LimitId, MatchRequestId, MessageId, OfferId, PartyId, PauseId, RenditionId, ScheduleId, TenantId,
    UploadId, UserId, WebhookDeliveryId, WebhookEndpointId, WebhookEventId, WebhookMessageId, WebhookRuleId,
    WebhookSourceId, WorkflowId,
};
pub use invalid::Invalid;
pub use job::{Job, Unique, UniqueFor};
pub use measure::{Measure, UnknownMeasure};
pub use policy::{Backoff, Policy, Priority};
pub use queue::Queue;
pub use state::State;
pub use variant::Variant;
