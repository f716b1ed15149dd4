//! Calendars outside: links to them, what was read there, what is written there, and what a person has to see to.

mod conflicts;
mod due;
mod failing;
mod feeds;
mod links;
mod overlaps;
mod parting;
mod parts;
mod pushing;
mod reading;
mod renewing;
mod twins;
mod watching;

pub(crate) use self::pushing::want;
pub use self::{
    conflicts::{Conflict, ConflictFilter, Keep, Resolved, conflicts, resolve},
    due::ask,
    failing::failed,
    feeds::{
        Feed, FeedBooking, FeedBookings, FeedMade, NewFeed, Shown, create_feed, feed_bookings, feeds,
        remove_feed, show, shown,
    },
    links::{Link, LinkMade, NewLink, create, link, links, pull_soon, remove},
    parting::{Farewell, farewell, keep_farewell, parted},
    parts::{Begun, Part, forget_parts, keep_part},
    pushing::{FoundThere, Stands, ToPush, settle_push, to_push},
    reading::{Known, Noted, Object, Opened, Own, Reading, Took, keep, open, take},
    renewing::{Renewal, renew, renewed},
    watching::{Channel, ToWatch, Told, changed, told, watch, watched},
};
