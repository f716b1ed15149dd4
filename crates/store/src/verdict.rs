//! Verdicts: how a run ended, and what belongs to that.

use std::time::Duration;

use jobs::{DeliveryId, JobId, LeaseId, MessageId, TenantId, WorkflowId, failure::Problem};

use crate::{
    claim::Claimed, deliveries, films, inbox, invitations, media, messages, parties, payload::Payload,
    probes, scans,
};

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Well.
    Completed {
        /// What it left behind.
        result: Payload,
    },
    /// Badly, and there are attempts left.
    Retried {
        /// What went wrong.
        problem: Problem,
        /// Runs again after this long.
        delay: Duration,
    },
    /// Not yet; no attempt is used up.
    Snoozed {
        /// Why.
        problem: Problem,
        /// Runs again after this long.
        delay: Duration,
    },
    /// This worker does not know its kind or version; another may. No attempt is used up, and it waits longer each time.
    Parked {
        /// What the worker does know.
        problem: Problem,
    },
    /// The worker is shutting down; no attempt is used up and the job waits again at once.
    Returned,
    /// Stopped.
    Cancelled {
        /// By whom or why.
        problem: Problem,
    },
    /// Given up.
    Discarded {
        /// What went wrong.
        problem: Problem,
    },
}

impl Verdict {
    /// The word in history rows, logs and metrics.
    pub const fn outcome(&self) -> &'static str {
        match self {
            Self::Completed { .. } => "completed",
            Self::Retried { .. } => "retried",
            Self::Snoozed { .. } => "snoozed",
            Self::Parked { .. } => "parked",
            Self::Returned => "returned",
            Self::Cancelled { .. } => "cancelled",
            Self::Discarded { .. } => "discarded",
        }
    }

    /// Whether the job ends here.
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Completed { .. } | Self::Cancelled { .. } | Self::Discarded { .. })
    }

    /// What went wrong, unless nothing did.
    pub const fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Completed { .. } | Self::Returned => None,
            Self::Retried { problem, .. }
            | Self::Snoozed { problem, .. }
            | Self::Parked { problem }
            | Self::Cancelled { problem }
            | Self::Discarded { problem } => Some(problem),
        }
    }

    /// How long the job waits before it runs again.
    pub(crate) const fn delay(&self) -> Duration {
        match self {
            Self::Retried { delay, .. } | Self::Snoozed { delay, .. } => *delay,
            _ => Duration::ZERO,
        }
    }
}

/// A verdict on a claimed job.
#[derive(Debug, Clone)]
pub struct Settle {
    /// Whose it is.
    pub tenant: TenantId,
    /// Which it is.
    pub job: JobId,
    /// The fence it was claimed with.
    pub fence: i32,
    /// The lease it was claimed under.
    pub lease: LeaseId,
    /// How the run ended.
    pub verdict: Verdict,
}

impl Settle {
    /// A verdict on `job`.
    pub fn of(job: &Claimed, verdict: Verdict) -> Self {
        Self { tenant: job.tenant, job: job.id, fence: job.fence, lease: job.lease, verdict }
    }
}

/// A business row that belongs to a result and is written with it or not at all.
#[derive(Debug, Clone)]
pub enum Write {
    /// Pictures made from an asset, and what was learned about it.
    Renditions(Box<media::NewRenditions>),
    /// What a delivery's link shows from now on, and the SHA-256 of that.
    Publication(DeliveryId, Box<deliveries::Manifest>, String),
    /// Everything of a delivery in one file.
    Archive(Box<deliveries::NewArchive>),
    /// Originals that were made here, of what was scanned before.
    Made(Vec<media::NewAsset>),
    /// What is in an asset.
    Probe(Box<probes::NewProbe>),
    /// What a virus scanner thinks of an asset.
    Scan(Box<scans::NewScan>),
    /// What was made of a film.
    Film(Box<films::NewFilm>),
    /// A part of a film is made, and its film is told.
    FilmPart(FilmPart),
    /// What became of a webhook that came in.
    Webhook(inbox::Processed),
    /// Who is told what, and when; brings the jobs that tell them.
    Messages(Box<messages::Plan>),
    /// What a guest of a booking hears; brings the job that tells it.
    Invitation(Box<invitations::Told>),
    /// What a digest came to; brings the job that tells it.
    Digest(Box<messages::ClosedDigest>),
    /// A line is in its inbox.
    InboxLine(MessageId),
    /// What the world tells of a message.
    Feedback(Box<messages::Feedback>),
    /// Somebody answered with a word that ends or begins messages.
    Answered(parties::Answered),
}

/// A part of a film.
#[derive(Debug, Clone, Copy)]
pub struct FilmPart {
    /// The job that joins the parts.
    pub film: JobId,
    /// The workflow that makes them.
    pub workflow: WorkflowId,
}
