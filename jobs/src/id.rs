//! Typed ids: a UUIDv7 in Postgres, a prefixed string such as `job_0192f3c4…` everywhere a person can see it.
//!
//! UUIDv7 orders by time of creation, so an id is also a cursor, and tells below which time its rows cannot lie.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Utc};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

/// The text was not an id of the wanted type.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("expected an id of the form {prefix}_ followed by 32 hexadecimal digits")]
pub struct IdError {
    prefix: &'static str,
}

fn parse(prefix: &'static str, text: &str) -> Result<Uuid, IdError> {
    text.strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('_'))
        .filter(|hex| {
            hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        })
        .and_then(|hex| Uuid::try_parse(hex).ok())
        .ok_or(IdError { prefix })
}

/// The moment a UUIDv7 was made, to the millisecond; the epoch for any other version.
fn created_at(id: Uuid) -> DateTime<Utc> {
    let (seconds, nanos) = id.get_timestamp().map_or((0, 0), |stamp| stamp.to_unix());
    DateTime::from_timestamp(seconds.try_into().unwrap_or(0), nanos).unwrap_or_default()
}

/// The least UUIDv7 of a moment: its first 48 bits are the milliseconds, and nothing of the rest is set.
fn earliest(at: DateTime<Utc>) -> Uuid {
    let millis = u128::try_from(at.timestamp_millis()).unwrap_or(0).min((1 << 48) - 1);
    Uuid::from_u128(millis << 80)
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// What the printed form starts with, before the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// A fresh id, ordered after every id made before it by this process.
            #[expect(clippy::new_without_default, reason = "a fresh id is not a default value")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// Wraps a UUID read from the database.
            pub const fn from_uuid(id: Uuid) -> Self {
                Self(id)
            }

            /// The UUID stored in the database.
            pub const fn as_uuid(&self) -> Uuid {
                self.0
            }

            /// Sorts before every id made at `at` or later, and after every id made a millisecond before it.
            pub fn earliest(at: DateTime<Utc>) -> Self {
                Self(earliest(at))
            }

            /// When the id was made, to the millisecond.
            pub fn created_at(&self) -> DateTime<Utc> {
                created_at(self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}_{}", Self::PREFIX, self.0.simple())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                parse(Self::PREFIX, text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "string",
                    "pattern": concat!("^", $prefix, "_[0-9a-f]{32}$"),
                    "examples": [concat!($prefix, "_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f")],
                })
            }
        }
    )+};
}

ids! {
    /// One unit of work.
    JobId = "job",
    /// A customer of the platform; owns everything that carries it.
    TenantId = "ten",
    /// A credential of a tenant.
    ApiKeyId = "key",
    /// Somebody who watches and steers.
    UserId = "usr",
    /// A verified original file.
    AssetId = "ast",
    /// A file on its way in, not yet trusted.
    UploadId = "upl",
    /// A picture made from an asset.
    RenditionId = "rnd",
    /// Files that are handed over behind a link.
    DeliveryId = "dlv",
    /// Somebody who can be told something.
    PartyId = "pty",
    /// An address, a number or a room by which a party is reached.
    ContactPointId = "cpt",
    /// Time in which somebody is off or busy elsewhere.
    AbsenceId = "abs",
    /// Time of somebody's that is held, asked for or given away.
    BookingId = "bkg",
    /// A calendar outside that somebody keeps.
    CalendarLinkId = "cal",
    /// Where a provider says that a calendar changed.
    CalendarChannelId = "cch",
    /// What somebody's calendar program reads of their bookings.
    CalendarFeedId = "cfd",
    /// Something about a calendar outside that a person has to see to.
    CalendarConflictId = "ccf",
    /// Somebody who is to have a booking in their calendar.
    InvitationId = "inv",
    /// A visit that somebody is looked for.
    MatchRequestId = "mrq",
    /// The question to one candidate whether they take a visit.
    OfferId = "off",
    /// Something told to one party by one channel.
    MessageId = "msg",
    /// What is gathered to be told at once.
    DigestId = "dgs",
    /// Somebody who sends us webhooks.
    WebhookSourceId = "whs",
    /// A webhook that came in.
    WebhookEventId = "whe",
    /// What events of a source become.
    WebhookRuleId = "whr",
    /// Somebody we send webhooks to.
    WebhookEndpointId = "wep",
    /// Something that happened and that endpoints are told of.
    WebhookMessageId = "whm",
    /// One message on its way to one endpoint.
    WebhookDeliveryId = "whd",
    /// Something that was wrong for long enough to tell of it.
    AlertId = "alt",
    /// A limit on how much may run.
    LimitId = "lim",
    /// A pause of a queue or a kind.
    PauseId = "pau",
    /// One action on every job that fits a filter.
    BulkOperationId = "blk",
    /// Jobs that belong together.
    WorkflowId = "wfl",
    /// Work that repeats.
    ScheduleId = "sch",
    /// The right of one worker to run a batch of jobs until a time; also the fencing token of that right.
    LeaseId = "lse",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_round_trips_through_its_printed_form() {
        let id = JobId::new();
        assert_eq!(id.to_string().parse::<JobId>().unwrap(), id);
        assert_eq!(serde_json::from_value::<JobId>(serde_json::to_value(id).unwrap()).unwrap(), id);
    }

    #[test]
    fn an_id_of_another_type_or_shape_is_refused() {
        let job = JobId::new().to_string();
        assert!(job.parse::<TenantId>().is_err());
        for text in
            ["", "job", "job_", "job_1", &job[1..], &job.to_uppercase(), &format!("{job}0"), "job_../../x"]
        {
            assert!(text.parse::<JobId>().is_err(), "{text:?} was taken for a job id");
        }
    }

    #[test]
    fn ids_made_later_sort_later_and_know_when_they_were_made() {
        let ids: Vec<_> = (0..1000).map(|_| JobId::new()).collect();
        assert!(ids.is_sorted());
        assert!(ids[0].created_at().timestamp() > 1_700_000_000);
    }

    #[test]
    fn the_earliest_id_of_a_moment_comes_before_those_made_then() {
        let id = JobId::new();
        let (at, ms) = (id.created_at(), chrono::TimeDelta::milliseconds(1));
        assert!(JobId::earliest(at) < id && id < JobId::earliest(at + ms) && JobId::earliest(at - ms) < id);
        assert!(
            JobId::earliest(DateTime::<Utc>::MIN_UTC) < id && id < JobId::earliest(DateTime::<Utc>::MAX_UTC)
        );
    }
}
