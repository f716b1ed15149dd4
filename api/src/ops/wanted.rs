//! Which jobs a list shows, as its address says: a view is a link.

use ::jobs::{JobId, Queue, State, limits::TAG_BYTES_MAX};
use chrono::{DateTime, Datelike, SecondsFormat, Utc};
use maud::{Markup, html};
use schedule::Zone;
use serde::{Deserialize, Serialize};
use serde_json::Map;
use store::{bulk::Action, listing::Filter, looking_into::Held};
use tr::tr;

use super::{guard::Visit, jobs::STATES, words};
use crate::{
    limits::{FIELD_BYTES_MAX, FIELD_TEXT_BYTES_MAX, WORDS_CHARS_MAX},
    problem::{Code, Problem},
    search,
};

/// What the address says.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Wanted {
    pub(super) words: String,
    state: String,
    kind: String,
    queue: String,
    tag: String,
    /// Times as clocks of `zone` show them.
    created_after: String,
    created_before: String,
    finished_after: String,
    finished_before: String,
    /// UTC unless it is said: who follows a link means the times of whoever made it.
    zone: String,
    /// A field of the arguments, and what it holds.
    field: String,
    holds: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) before: Option<JobId>,
}

fn refuse(what: &str) -> Problem {
    Problem::new(Code::InvalidParameter, what)
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

impl Wanted {
    pub(super) fn filter(&self) -> Result<Filter, Problem> {
        search::words(&self.words)?;
        let said = [&self.kind, &self.tag];
        if said.into_iter().any(|text| text.len() > TAG_BYTES_MAX || text.contains('\0')) {
            return Err(refuse("a filter is too long, or holds a character that no text has"));
        }
        let state = some(&self.state).map(|state| state.parse::<State>()).transpose();
        let queue = some(&self.queue).map(|queue| queue.parse::<Queue>()).transpose();
        let [created_after, created_before, finished_after, finished_before] = self.times()?;
        Ok(Filter {
            state: state.map_err(|_| refuse("there is no such state"))?,
            kind: some(&self.kind),
            queue: queue.map_err(|_| refuse("there is no such queue"))?,
            tag: some(&self.tag),
            created_after,
            created_before,
            finished_after,
            finished_before,
            among: None,
            before: self.before,
        })
    }

    /// The times that are asked for, in the order of the form.
    fn times(&self) -> Result<[Option<DateTime<Utc>>; 4], Problem> {
        let zone = if self.zone.is_empty() { Ok(Zone::UTC) } else { self.zone.parse() };
        let zone: Zone = zone.map_err(|unknown: schedule::UnknownZone| refuse(&unknown.to_string()))?;
        let mut times = [None; 4];
        for (at, (_, _, text)) in times.iter_mut().zip(self.spans()) {
            let read = words::moment_in(zone, text).ok();
            let read = read.filter(|at| at.is_none_or(|at| (2000..=9999).contains(&at.year())));
            *at = read.ok_or_else(|| refuse("a time is a day and a time of day, as 2026-11-22T04:15"))?;
        }
        Ok(times)
    }

    /// The fields that hold times: name, label and value.
    fn spans(&self) -> [(&'static str, &'static str, &str); 4] {
        [
            ("created_after", words::mark!("Asked for at or after"), &self.created_after),
            ("created_before", words::mark!("Asked for before"), &self.created_before),
            ("finished_after", words::mark!("Ended at or after"), &self.finished_after),
            ("finished_before", words::mark!("Ended before"), &self.finished_before),
        ]
    }

    fn has_time(&self) -> bool {
        self.spans().iter().any(|(.., text)| !text.is_empty())
    }

    /// What the arguments have to hold. Whoever may not see them could guess them by asking.
    pub(super) fn held(&self, visit: &Visit) -> Result<Option<Held>, Problem> {
        let is_asked = !self.field.is_empty() || !self.holds.is_empty();
        if is_asked && !visit.sees_payloads {
            let detail = "what jobs hold is for those who may see payloads";
            return Err(Problem::new(Code::NotAllowed, detail));
        }
        search::held(&self.field, &self.holds, visit.sight())
    }

    /// What was said, by name.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let said: [(_, &str); 8] = [
            ("state", &self.state),
            ("kind", &self.kind),
            ("queue", &self.queue),
            ("tag", &self.tag),
            ("words", &self.words),
            ("field", &self.field),
            ("holds", &self.holds),
            ("zone", if self.has_time() { &self.zone } else { "" }),
        ];
        let spans = self.spans().map(|(name, _, text)| (name, text));
        said.into_iter().chain(spans).filter(|(_, text)| !text.is_empty())
    }

    /// The view, as it stands behind a `?`.
    pub(super) fn query(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(self.pairs()).finish()
    }

    /// The same view, from another place on.
    pub(super) fn link(&self, before: JobId) -> String {
        let mut query = form_urlencoded::Serializer::new("?".to_owned());
        query.extend_pairs(self.pairs()).append_pair("before", &before.to_string()).finish()
    }

    /// To what can be done to everything that fits. An operation knows neither words nor arguments: what it did would be more than
    /// what is shown.
    pub(super) fn bulk_links(&self, slug: &str) -> Result<Markup, Problem> {
        let knows_more = [&self.words, &self.field].iter().any(|text| !text.trim().is_empty());
        if knows_more {
            return Ok(html! {});
        }
        let times = self.times()?;
        let spans = self.spans().map(|(name, ..)| name).into_iter().zip(times);
        let spans: Vec<(&str, String)> = spans
            .filter_map(|(name, at)| Some((name, at?.to_rfc3339_opts(SecondsFormat::Secs, true))))
            .collect();
        // What has ended is not cancelled; without a state, what is usually meant.
        let fits = |action: Action, usual: &'static str| {
            let takes = || action.takes().iter().find(|state| state.name() == self.state);
            if self.state.is_empty() { Some(usual) } else { takes().map(|state| state.name()) }
        };
        let has_ended = !self.finished_after.is_empty() || !self.finished_before.is_empty();
        let retried = fits(Action::Retry, "discarded");
        let cancelled = fits(Action::Cancel, "available").filter(|_| !has_ended);
        let link = |action: Action, state: &str| {
            let mut query = form_urlencoded::Serializer::new(format!("/ops/t/{slug}/bulk/new?"));
            query.append_pair("action", action.name()).append_pair("states", state);
            let narrow = [("kind", &self.kind), ("queue", &self.queue), ("tag", &self.tag)];
            query.extend_pairs(narrow.into_iter().filter(|(_, value)| !value.is_empty()));
            query.extend_pairs(&spans).finish()
        };
        Ok(html! {
            @if retried.is_some() || cancelled.is_some() {
                p.acts {
                    (tr!("Everything that fits:"))
                    @if let Some(state) = retried { " " a href=(link(Action::Retry, state)) { (tr!("Retry what is {state}", state)) } }
                    @if let Some(state) = cancelled { " " a href=(link(Action::Cancel, state)) { (tr!("Cancel what is {state}", state)) } }
                }
            }
        })
    }

    /// The form that makes such an address.
    pub(super) fn form(&self, visit: &Visit) -> Markup {
        // A view that names a zone keeps it, or its times would mean others.
        let zone = if self.has_time() { self.zone.as_str() } else { words::zone().name() };
        let zone = if zone.is_empty() { Zone::UTC.name() } else { zone };
        html! {
            form.filters role="search" {
                label { (tr!("Words of an error, or an id")) input type="search" name="words" value=(self.words) maxlength=(WORDS_CHARS_MAX); }
                label { (tr!("State")) select name="state" {
                    option value="" { (tr!("any")) }
                    @for state in STATES { option selected[self.state == state.name()] { (state.name()) } }
                } }
                label { (tr!("Queue")) select name="queue" {
                    option value="" { (tr!("any")) }
                    @for queue in Queue::ALL { option selected[self.queue == queue.name()] { (queue.name()) } }
                } }
                label { (tr!("Kind")) input name="kind" value=(self.kind) list="kinds"; }
                datalist #kinds { @for spec in ::jobs::specs() { option value=(spec.kind) {} } }
                label { (tr!("Tag")) input name="tag" value=(self.tag); }
                button { (tr!("Show")) }
                details.more open[self.has_time() || !self.field.is_empty()] {
                    summary { @if visit.sees_payloads { (tr!("By time, or by what the arguments hold")) } @else { (tr!("By time")) } }
                    div.filters {
                        input type="hidden" name="zone" value=(zone);
                        @for (name, label, text) in self.spans() {
                            label { (tr!(label)) span.soft { ", " (zone) } input type="datetime-local" name=(name) value=(text); }
                        }
                        @if visit.sees_payloads {
                            label { (tr!("Field of the arguments"))
                                input name="field" value=(self.field) list="fields" maxlength=(FIELD_BYTES_MAX)
                                    placeholder=(tr!("asset or /to/zip")); }
                            datalist #fields { @for field in self.fields() { option value=(field) {} } }
                            label { (tr!("holds")) input name="holds" value=(self.holds) maxlength=(FIELD_TEXT_BYTES_MAX); }
                        }
                    }
                }
            }
        }
    }

    /// The fields that arguments of the kind have.
    fn fields(&self) -> impl Iterator<Item = &'static String> {
        let schema = ::jobs::spec(&self.kind).and_then(|spec| spec.args_schema["properties"].as_object());
        schema.into_iter().flat_map(Map::keys)
    }
}

#[cfg(test)]
mod tests {
    use super::Wanted;

    #[test]
    fn an_address_holds_the_whole_view_and_times_in_their_zone() {
        let wanted = Wanted {
            created_after: "2026-07-01T10:30".into(),
            zone: "Europe/Berlin".into(),
            tag: "a&b".into(),
            ..Wanted::default()
        };
        let query = "tag=a%26b&zone=Europe%2FBerlin&created_after=2026-07-01T10%3A30";
        assert_eq!(wanted.query(), query);
        let since = wanted.filter().unwrap().created_after.unwrap();
        assert_eq!(since.to_rfc3339(), "2026-07-01T08:30:00+00:00");
        let links = wanted.bulk_links("acme").unwrap().into_string();
        assert!(links.contains("created_after=2026-07-01T08%3A30%3A00Z"), "{links}");
        assert!(
            links.contains("Retry what is discarded") && links.contains("Cancel what is available"),
            "{links}"
        );
        for (state, retried, cancelled) in [
            ("completed", true, false),
            ("running", false, true),
            ("scheduled", true, true),
            ("nothing", false, false),
        ] {
            let links =
                Wanted { state: state.into(), ..Wanted::default() }.bulk_links("acme").unwrap().into_string();
            let is_there = |action: &str| links.contains(&format!("action={action}&amp;states={state}"));
            assert_eq!((is_there("retry"), is_there("cancel")), (retried, cancelled), "{state}: {links}");
        }
        let untimed = Wanted { zone: "Europe/Berlin".into(), ..Wanted::default() };
        assert_eq!(untimed.query(), "");
        let words = Wanted { field: "asset".into(), ..Wanted::default() };
        assert_eq!(words.bulk_links("acme").unwrap().into_string(), "");
    }

    #[test]
    fn what_is_no_time_or_no_zone_is_refused() {
        for (created_before, zone) in
            [("soon", ""), ("1999-01-01T00:00", ""), ("99999-01-01T00:00", ""), ("", "Mars")]
        {
            let wanted =
                Wanted { created_before: created_before.into(), zone: zone.into(), ..Wanted::default() };
            assert!(wanted.filter().is_err(), "{created_before} {zone}");
        }
    }
}
