//! The handlers, one file per kind.

mod booking_lapse;
mod calendar_export;
mod calendar_pull;
mod calendar_push;
mod calendar_renew;
mod delivery_publish;
mod delivery_zip;
mod geo_geocode;
mod invite_reply;
mod invite_send;
mod match_batch;
mod match_offer_expire;
mod match_rank;
mod media_backfill;
mod media_contact_sheet;
mod media_probe;
mod media_rendition;
mod media_scan;
mod notify_digest_close;
mod notify_plan;
mod notify_send;
mod probe_work;
mod video_chunk;
mod video_transcode;
mod webhook_deliver;
mod webhook_process;
