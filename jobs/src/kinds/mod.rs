//! The contracts, one file per kind.

pub mod booking_lapse;
pub mod calendar_export;
pub mod calendar_pull;
pub mod calendar_push;
pub mod calendar_renew;
pub mod delivery_publish;
pub mod delivery_zip;
pub mod geo_geocode;
pub mod invite_reply;
pub mod invite_send;
pub mod match_batch;
pub mod match_offer_expire;
pub mod match_rank;
pub mod media_backfill;
pub mod media_contact_sheet;
pub mod media_probe;
pub mod media_rendition;
pub mod media_scan;
pub mod notify_digest_close;
pub mod notify_plan;
pub mod notify_send;
pub mod probe_work;
pub mod video_chunk;
pub mod video_transcode;
pub mod webhook_deliver;
pub mod webhook_process;
