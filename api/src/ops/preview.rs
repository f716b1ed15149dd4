//! What came of a job, as people see it: pictures, a film that plays, words that were sent, who was ranked, how telling went.

use ::jobs::{
    AssetId, AssetState, Job, MessageId, PartyId, TenantId,
    kinds::{
        match_rank::MatchRank,
        media_contact_sheet::{ContactSheet, MediaContactSheet},
        media_rendition::{MediaRendition, Renditions},
        notify_plan::{NotifyPlan, Planned},
        notify_send::NotifySend,
        video_transcode::{Film, VideoTranscode},
        webhook_deliver::WebhookDeliver,
    },
};
use axum::{
    extract::{Path, Query, State},
    response::Response,
};
use blob::Key;
use matching::Point;
use maud::{Markup, html};
use serde::de::DeserializeOwned;
use store::{
    films::{self, FilmFile},
    matches,
    media::{self, Rendition},
    messages,
    outbox::{self, Attempt},
    parties,
    payload::Payload,
    people,
    reads::{self, JobRecord},
};
use tr::tr;

use super::{
    guard::Visit,
    layout::state,
    map,
    messages::{said, tries_table},
    words::{self, rich},
};
use crate::{
    AppState,
    delivery::film::{self, Part, Wanted},
    limits::{PREVIEW_PICTURES_MAX, PREVIEW_ROWS_MAX, READ_URL_TTL},
    problem::Problem,
};

/// What is shown of a result.
pub(super) struct Preview {
    pub(super) shown: Markup,
    /// Where the browser fetches files for it, which the page has to name.
    pub(super) origin: Option<String>,
}

impl Preview {
    fn of(shown: Markup) -> Self {
        Self { shown, origin: None }
    }
}

/// What came of `record`, where there is more to see than its JSON and the visitor may see payloads.
pub(super) async fn of(
    app: &AppState,
    visit: &Visit,
    record: &JobRecord,
) -> Result<Option<Preview>, Problem> {
    if !visit.sees_payloads {
        return Ok(None);
    }
    let (tenant, base) = (visit.tenant()?, format!("/ops/t/{}", visit.here()?.slug));
    let result = record.result.as_ref().map(|result| &result.0);
    match record.kind.as_str() {
        MediaRendition::KIND => match result.and_then(read::<Renditions>) {
            Some(made) => pictures(app, tenant, &made).await,
            None => Ok(None),
        },
        MediaContactSheet::KIND => match result.and_then(read::<ContactSheet>) {
            Some(made) => sheets(app, tenant, &made).await,
            None => Ok(None),
        },
        VideoTranscode::KIND => film(app, tenant, &base, record).await,
        NotifySend::KIND => match read::<NotifySend>(&record.args.0) {
            Some(args) => message(app, visit, &base, args.message).await,
            None => Ok(None),
        },
        NotifyPlan::KIND => match result.and_then(read::<Planned>) {
            Some(planned) => Ok(Some(Preview::of(told(&base, &planned)))),
            None => Ok(None),
        },
        MatchRank::KIND => match read::<MatchRank>(&record.args.0) {
            Some(args) => ranked(app, visit, &args).await,
            None => Ok(None),
        },
        WebhookDeliver::KIND => match read::<WebhookDeliver>(&record.args.0) {
            Some(args) => delivered(app, tenant, &base, &args).await,
            None => Ok(None),
        },
        _ => Ok(None),
    }
}

/// A payload as what it is; none when it is large, or of another version.
fn read<T: DeserializeOwned>(payload: &Payload) -> Option<T> {
    serde_json::from_value(payload.inline()?.clone()).ok()
}

/// Whether files of `asset` may be served.
async fn is_clean(app: &AppState, tenant: TenantId, asset: AssetId) -> Result<bool, Problem> {
    let asset = media::asset(&app.db, tenant, asset).await?;
    Ok(asset.map(|asset| asset.state()).transpose()? == Some(AssetState::Clean))
}

/// Where a file can be had for a while.
async fn address(app: &AppState, key: &str) -> Result<String, Problem> {
    let key = Key::parse(key).map_err(Problem::internal)?;
    Ok(app.blobs.presign_get(&key, READ_URL_TTL, None).await?.url)
}

/// Scheme, host and port of an address.
fn origin(url: &str) -> String {
    let end = url.match_indices('/').nth(2).map_or(url.len(), |(at, _)| at);
    url[..end].to_owned()
}

/// The smallest pictures of a ladder: enough to see what they show.
async fn pictures(app: &AppState, tenant: TenantId, made: &Renditions) -> Result<Option<Preview>, Problem> {
    if !is_clean(app, tenant, made.asset).await? {
        return Ok(None);
    }
    let all = media::renditions(&app.db, tenant, made.asset).await?;
    let of_preset = all.iter().filter(|picture| picture.preset == made.preset).rev();
    let mut shown: Vec<(&Rendition, String)> = Vec::new();
    for picture in of_preset.take(PREVIEW_PICTURES_MAX) {
        shown.push((picture, address(app, &picture.object_key).await?));
    }
    let Some(first) = shown.first().map(|(_, url)| origin(url)) else { return Ok(None) };
    let shown = html! {
        ul.pictures { @for (picture, url) in &shown {
            li {
                a href=(url) { img src=(url) alt={ (picture.rung) ", " (picture.format) } loading="lazy" width=(picture.width) height=(picture.height); }
                div.soft { (tr!(
                    "{rung} {format}, {width} × {height}, {count} bytes",
                    rung = picture.rung, format = picture.format, width = picture.width, height = picture.height,
                    count = words::count(picture.bytes)
                )) }
            }
        } }
    };
    Ok(Some(Preview { shown, origin: Some(first) }))
}

/// The pages of a contact sheet, the first of many.
async fn sheets(app: &AppState, tenant: TenantId, made: &ContactSheet) -> Result<Option<Preview>, Problem> {
    let (mut shown, mut from) = (Vec::new(), None);
    for (number, page) in (1..).zip(made.pages.iter().take(PREVIEW_PICTURES_MAX)) {
        if is_clean(app, tenant, page.asset).await? {
            let url = address(app, &page.key).await?;
            from = Some(origin(&url));
            shown.push((number, page.bytes, url));
        }
    }
    let shown = html! {
        ul.pictures { @for (number, bytes, url) in &shown {
            li {
                a href=(url) { img src=(url) alt=(tr!("Page {number}", number)) loading="lazy"; }
                div.soft { (tr!("Page {number}, {count} bytes", number, count = words::count(*bytes as i64))) }
            }
        } }
        p.soft { (tr!("{count} page." | "{count} pages." % made.pages.len(), count = words::count(made.pages.len() as i64))) }
    };
    Ok(from.map(|from| Preview { shown, origin: Some(from) }))
}

/// The film, as the page of a delivery plays it.
async fn film(
    app: &AppState,
    tenant: TenantId,
    base: &str,
    record: &JobRecord,
) -> Result<Option<Preview>, Problem> {
    let Some(files) = files_of_film(app, tenant, record).await? else { return Ok(None) };
    let Some(whole) = files.iter().find(|file| file.kind == "progressive") else { return Ok(None) };
    let elsewhere = origin(&address(app, &whole.object_key).await?);
    let at = format!("{base}/jobs/{}/film", record.id());
    let parts: Vec<Part<'_>> = files.iter().map(Part::from).collect();
    let (quality, fits) = (tr!("Quality"), tr!("what fits"));
    let words = film::Words { quality: &quality, fits: &fits };
    let shown = html! {
        div.film { (film::player(&at, &parts, &tr!("The film"))) (film::qualities(&at, &parts, &words)) }
        script src="/d/film.js" defer {}
        (rungs(app, &files).await?)
    };
    Ok(Some(Preview { shown, origin: Some(elsewhere) }))
}

/// The files of the film that `record` made; none when it has made none yet, or when they may not be served.
async fn files_of_film(
    app: &AppState,
    tenant: TenantId,
    record: &JobRecord,
) -> Result<Option<Vec<FilmFile>>, Problem> {
    let result = record.result.as_ref().filter(|_| record.kind == VideoTranscode::KIND);
    let Some(made) = result.and_then(|result| read::<Film>(&result.0)) else { return Ok(None) };
    if !is_clean(app, tenant, made.asset).await? {
        return Ok(None);
    }
    Ok(Some(films::files(&app.db, tenant, made.asset, &made.preset).await?))
}

/// What a player of the film asks for.
pub(super) async fn film_part(
    State(app): State<AppState>,
    visit: Visit,
    Path((_, id, name)): Path<(String, String, String)>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    let (id, tenant) = (id.parse().map_err(|_| Problem::not_found("job"))?, visit.tenant()?);
    let record = reads::get(&app.db, tenant, id).await?.filter(|_| visit.sees_payloads);
    let record = record.ok_or_else(|| Problem::not_found("job"))?;
    let files = files_of_film(&app, tenant, &record).await?.unwrap_or_default();
    let part = files.iter().find(|file| file.name == name);
    film::serve(&app, part.ok_or_else(|| Problem::not_found("file of a film"))?.into(), &wanted).await
}

/// The film in each of its qualities, to be fetched.
async fn rungs(app: &AppState, files: &[FilmFile]) -> Result<Markup, Problem> {
    let mut rungs = Vec::new();
    let playable =
        |file: &&FilmFile| file.media_type.starts_with("video/") || file.media_type.starts_with("audio/");
    for file in files.iter().filter(playable).take(PREVIEW_PICTURES_MAX) {
        rungs.push((file, address(app, &file.object_key).await?));
    }
    Ok(html! {
        table {
            thead { tr { th { (tr!("Quality")) } th.wide { (tr!("For")) } th.number { (tr!("Pixels")) } th.number { (tr!("Bytes")) } } }
            tbody { @for (file, url) in &rungs { tr {
                td { a href=(url) { (file.rung.as_deref().unwrap_or(&file.name)) } }
                td.wide { (file.kind.replace('_', " ")) }
                td.number { @if let (Some(width), Some(height)) = (file.width, file.height) { (width) " × " (height) } @else { "–" } }
                td.number { (words::count(file.bytes)) }
            } } }
        }
    })
}

async fn message(
    app: &AppState,
    visit: &Visit,
    base: &str,
    id: MessageId,
) -> Result<Option<Preview>, Problem> {
    let tenant = visit.tenant()?;
    let Some(message) = messages::message(&app.db, tenant, id).await? else { return Ok(None) };
    let tries = messages::effects(&app.db, tenant, id).await?;
    Ok(Some(Preview::of(html! {
        p { (state(&message.state)) " " a href={ (base) "/messages/" (id) } { (message.template) } }
        @if !tries.is_empty() { h3 { (tr!("Tries")) } (tries_table(&tries)) }
        @if let Some(content) = message.content.as_ref().filter(|_| visit.sees_private) { (said(&content.0)) }
    })))
}

fn told(base: &str, planned: &Planned) -> Markup {
    let rest = planned.messages.len().saturating_sub(PREVIEW_ROWS_MAX);
    html! {
        p { (tr!(
            "{sending} are sent, {gathered} wait for a digest, {skipped} are not sent.",
            sending = planned.sending, gathered = planned.gathered, skipped = planned.skipped
        )) }
        ul.plain { @for id in planned.messages.iter().take(PREVIEW_ROWS_MAX) {
            li { a href={ (base) "/messages/" (id) } { code { (id) } } }
        } }
        @if rest > 0 { p.soft { (tr!("and {count} more", count = rest)) } }
    }
}

async fn ranked(app: &AppState, visitor: &Visit, args: &MatchRank) -> Result<Option<Preview>, Problem> {
    let tenant = visitor.tenant()?;
    let receipt = matches::receipt(&app.db, tenant, args.request, args.round).await?;
    let Some(ranking) = receipt.map(|receipt| receipt.receipt.0) else { return Ok(None) };
    let first = ranking.ranked.get(..PREVIEW_ROWS_MAX).unwrap_or(&ranking.ranked);
    let ids: Vec<PartyId> = first.iter().map(|one| one.party).collect();
    let names = parties::names(&app.db, tenant, &ids).await?;
    let homes = people::homes(&app.db, tenant, &ids).await?;
    let visit =
        matches::request(&app.db, tenant, args.request).await?.and_then(|request| request.visit.0.place);
    let starts: Vec<(usize, Point)> =
        (1..).zip(first).filter_map(|(place, one)| Some((place, *homes.get(&one.party)?))).collect();
    Ok(Some(Preview::of(html! {
        // Where they live is private.
        @if let Some(visit) = visit.filter(|_| visitor.sees_private) { (map::of(visit, &starts)) }
        table {
            thead { tr {
                th.number { (tr!("place in a ranking" => "Place")) } th { (tr!("Who")) } th.number { (tr!("Score")) }
                th.number.wide { (tr!("Metres")) } th.number.wide { (tr!("Minutes of the way")) }
            } }
            tbody { @for (place, one) in (1..).zip(first) { tr {
                td.number { (place) }
                td { @if let Some(name) = names.get(&one.party) { (name) " " } code.soft { (one.party) } }
                td.number { (words::count(one.score.into())) }
                td.number.wide { @match one.metres { Some(metres) => (words::count(metres.into())), None => "–" } }
                td.number.wide { (one.travel_minutes) }
            } } }
        }
        p.soft { (tr!(
            "{fit} could do it, {unfit} could not.",
            fit = words::count(ranking.ranked.len() as i64), unfit = words::count(ranking.excluded.len() as i64)
        )) }
    })))
}

async fn delivered(
    app: &AppState,
    tenant: TenantId,
    base: &str,
    args: &WebhookDeliver,
) -> Result<Option<Preview>, Problem> {
    let tried = outbox::attempts(&app.db, tenant, args.delivery, PREVIEW_ROWS_MAX as i64).await?;
    if tried.is_empty() {
        return Ok(None);
    }
    let endpoint =
        html! { a href={ (base) "/webhooks/out/" (args.endpoint) } { code { (args.endpoint) } } }.0;
    Ok(Some(Preview::of(html! {
        p { (rich(tr!("Told to {endpoint}.", endpoint))) }
        (attempts(&tried))
    })))
}

fn attempts(tried: &[Attempt]) -> Markup {
    html! {
        table {
            thead { tr { th.number { (tr!("Try")) } th { (tr!("When")) } th { (tr!("Answer")) } th.number { (tr!("Took, in ms")) } } }
            tbody { @for one in tried { tr {
                td.number { (one.number) }
                td { (words::when(one.attempted_at)) }
                td.cut {
                    @if let Some(status) = one.status { (status) " " }
                    @if let Some(error) = &one.error { (error) }
                    @if let Some(answer) = &one.answer { div.soft { (answer) } }
                }
                td.number { (words::count(one.took_ms.into())) }
            } } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::origin;

    #[test]
    fn an_origin_is_what_stands_before_the_path() {
        assert_eq!(origin("http://127.0.0.1:9000/bucket/a?b=/"), "http://127.0.0.1:9000");
        assert_eq!(origin("https://s3.example.com"), "https://s3.example.com");
    }
}
