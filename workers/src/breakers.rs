//! Breakers: whoever does not answer is left alone for a while, and then asked once.
//!
//! One for each provider or endpoint and tenant, in the memory of each worker: a tenant whose server is down holds up nobody
//! else's messages, and a worker that starts afresh finds out for itself.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use jobs::{CalendarLinkId, TenantId, WebhookEndpointId};

/// Calls that went wrong within [`WINDOW`] before nobody calls any more.
const FAILURES_MAX: usize = 5;
/// How long a call that went wrong counts.
const WINDOW: Duration = Duration::from_mins(1);
/// How long nobody calls at first; twice as long each time that the one who asks again fails too.
const OPEN_MIN: Duration = Duration::from_secs(30);
/// How long nobody calls at most.
const OPEN_MAX: Duration = Duration::from_mins(10);
/// How soon the others look again while one asks.
const PROBE_WAIT: Duration = Duration::from_secs(10);
/// Breakers that are remembered; past it those that are closed are forgotten.
const BREAKERS_MAX: usize = 10_000;

/// Who is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Called {
    /// Who carries messages.
    Provider(&'static str),
    /// A tenant's endpoint.
    Endpoint(WebhookEndpointId),
    /// A calendar outside.
    Calendar(CalendarLinkId),
}

impl fmt::Display for Called {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Provider(name) => f.write_str(name),
            Self::Endpoint(id) => id.fmt(f),
            Self::Calendar(id) => id.fmt(f),
        }
    }
}

/// Whose calls, and to whom.
type Name = (Called, TenantId);

/// The breakers of a worker.
#[derive(Default)]
pub(crate) struct Breakers(Mutex<HashMap<Name, Breaker>>);

#[derive(Default)]
struct Breaker {
    /// When calls went wrong, oldest first.
    failed: VecDeque<Instant>,
    open: Option<Open>,
}

struct Open {
    until: Instant,
    lasts: Duration,
    /// Somebody asks at this moment.
    is_asked: bool,
}

/// Leave to call once. Whoever drops it without a word has not called.
pub(crate) struct Leave<'a> {
    breakers: &'a Breakers,
    name: Name,
    is_probe: bool,
}

impl Breakers {
    /// Leave to call `called` for `tenant`.
    ///
    /// # Errors
    /// How long nobody calls.
    pub(crate) fn enter(&self, called: Called, tenant: TenantId) -> Result<Leave<'_>, Duration> {
        self.enter_at(called, tenant, Instant::now())
    }

    fn enter_at(&self, called: Called, tenant: TenantId, now: Instant) -> Result<Leave<'_>, Duration> {
        let name = (called, tenant);
        let mut all = self.locked();
        let open = all.get_mut(&name).and_then(|breaker| breaker.open.as_mut());
        let is_probe = open.is_some();
        if let Some(open) = open {
            if now < open.until {
                return Err(open.until - now);
            }
            if open.is_asked {
                return Err(PROBE_WAIT);
            }
            open.is_asked = true;
        }
        Ok(Leave { breakers: self, name, is_probe })
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<Name, Breaker>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Leave<'_> {
    /// Says whether there was an answer.
    pub(crate) fn told(self, answered: bool) {
        self.told_at(answered, Instant::now());
    }

    fn told_at(mut self, answered: bool, now: Instant) {
        let mut all = self.breakers.locked();
        let is_probe = std::mem::take(&mut self.is_probe);
        if answered {
            // One that began before the breaker opened says nothing about now.
            if is_probe && all.remove(&self.name).is_some() {
                tracing::info!(tenant.id = %self.name.1, "{} answers again", self.name.0);
            } else if let Some(breaker) = all.get_mut(&self.name) {
                breaker.failed.clear();
            }
            return;
        }
        if all.len() >= BREAKERS_MAX {
            all.retain(|_, breaker| breaker.open.is_some());
        }
        let breaker = all.entry(self.name).or_default();
        match &mut breaker.open {
            Some(open) if is_probe => {
                open.lasts = (open.lasts * 2).min(OPEN_MAX);
                open.until = now + open.lasts;
                open.is_asked = false;
            }
            Some(_) => {}
            None => {
                breaker.failed.push_back(now);
                while breaker.failed.front().is_some_and(|at| now.duration_since(*at) > WINDOW) {
                    breaker.failed.pop_front();
                }
                if breaker.failed.len() >= FAILURES_MAX {
                    breaker.failed.clear();
                    breaker.open = Some(Open { until: now + OPEN_MIN, lasts: OPEN_MIN, is_asked: false });
                    tracing::warn!(tenant.id = %self.name.1, "{} is left alone for a while", self.name.0);
                }
            }
        }
    }
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        if self.is_probe
            && let Some(open) = self.breakers.locked().get_mut(&self.name).and_then(|one| one.open.as_mut())
        {
            open.is_asked = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Called = Called::Provider("smtp");

    fn fail(breakers: &Breakers, tenant: TenantId, at: Instant) {
        let Ok(leave) = breakers.enter_at(HERE, tenant, at) else { panic!("it is open") };
        leave.told_at(false, at);
    }

    fn wait(breakers: &Breakers, tenant: TenantId, at: Instant) -> Option<Duration> {
        breakers.enter_at(HERE, tenant, at).err()
    }

    #[test]
    fn it_opens_after_so_many_failures_in_a_window_and_for_one_tenant() {
        let (breakers, now) = (Breakers::default(), Instant::now());
        let (mine, theirs) = (TenantId::new(), TenantId::new());
        for _ in 1..FAILURES_MAX {
            fail(&breakers, mine, now);
        }
        // The first have been forgotten by then.
        let later = now + WINDOW + Duration::from_secs(1);
        fail(&breakers, mine, later);
        assert_eq!(wait(&breakers, mine, later), None);
        for _ in 1..FAILURES_MAX {
            fail(&breakers, mine, later);
        }
        assert_eq!(wait(&breakers, mine, later), Some(OPEN_MIN));
        assert_eq!(wait(&breakers, theirs, later), None);
        assert!(breakers.enter_at(Called::Provider("twilio"), mine, later).is_ok());
    }

    #[test]
    fn an_answer_in_between_begins_the_count_anew() {
        let (breakers, now, tenant) = (Breakers::default(), Instant::now(), TenantId::new());
        for _ in 1..FAILURES_MAX {
            fail(&breakers, tenant, now);
        }
        breakers.enter_at(HERE, tenant, now).ok().unwrap().told_at(true, now);
        for _ in 1..FAILURES_MAX {
            fail(&breakers, tenant, now);
        }
        assert_eq!(wait(&breakers, tenant, now), None);
    }

    #[test]
    fn one_asks_again_and_the_others_wait_for_what_it_hears() {
        let (breakers, now, tenant) = (Breakers::default(), Instant::now(), TenantId::new());
        for _ in 0..FAILURES_MAX {
            fail(&breakers, tenant, now);
        }
        let then = now + OPEN_MIN;
        let probe = breakers.enter_at(HERE, tenant, then).ok().unwrap();
        assert_eq!(wait(&breakers, tenant, then), Some(PROBE_WAIT));
        probe.told_at(false, then);
        assert_eq!(wait(&breakers, tenant, then), Some(OPEN_MIN * 2), "twice as long");
        let later = then + OPEN_MIN * 2;
        // One that was stopped before it called lets another ask.
        drop(breakers.enter_at(HERE, tenant, later).ok().unwrap());
        breakers.enter_at(HERE, tenant, later).ok().unwrap().told_at(true, later);
        assert_eq!(wait(&breakers, tenant, later), None);
        assert!(breakers.locked().is_empty(), "and nothing is remembered");
    }

    #[test]
    fn it_is_never_open_for_longer_than_the_most() {
        let (breakers, mut now, tenant) = (Breakers::default(), Instant::now(), TenantId::new());
        for _ in 0..FAILURES_MAX {
            fail(&breakers, tenant, now);
        }
        for _ in 0..10 {
            now += OPEN_MAX;
            breakers.enter_at(HERE, tenant, now).ok().unwrap().told_at(false, now);
        }
        assert_eq!(wait(&breakers, tenant, now), Some(OPEN_MAX));
    }
}
