//! Which versions of which kinds this process can do. What it does not know it parks, for a worker that does.

use jobs::{catalogue::versions, failure::Problem};
use store::parking::Known;

/// What this process knows.
#[derive(Debug, Clone)]
pub struct Knows(Vec<Known>);

impl Knows {
    /// Every kind of the catalogue, except that of those in `pretended` no newer version is known than the one given:
    /// fault tests make a worker of yesterday that way. Version 0 is none at all.
    pub fn catalogue(pretended: &[(String, u16)]) -> Self {
        let newest = |kind: &str, newest: u16| {
            pretended.iter().find(|(pretended, _)| pretended == kind).map_or(newest, |(_, version)| *version)
        };
        let known = jobs::specs().iter().map(|spec| Known {
            kind: spec.kind,
            oldest: spec.oldest_version,
            newest: newest(spec.kind, spec.version),
        });
        Self(known.filter(|known| known.oldest <= known.newest).collect())
    }

    /// Each kind with its versions.
    pub fn all(&self) -> &[Known] {
        &self.0
    }

    /// What a job of `version` of `kind` is parked with; none when this process can do it.
    pub fn why_not(&self, kind: &str, version: u16) -> Option<Problem> {
        let Some(known) = self.0.iter().find(|known| known.kind == kind) else {
            let message = format!("this worker knows no kind {kind}; the job waits for one that does");
            return Some(Problem::new("unknown_kind", message));
        };
        if (known.oldest..=known.newest).contains(&version) {
            return None;
        }
        let message = format!(
            "these are arguments of version {version}, and this worker knows {} of {kind}; the job waits for one that \
             knows them",
            versions(known.oldest, known.newest)
        );
        Some(Problem::new("unknown_version", message))
    }
}

#[cfg(test)]
mod tests {
    use super::Knows;

    fn code(knows: &Knows, kind: &str, version: u16) -> Option<String> {
        knows.why_not(kind, version).map(|problem| problem.code)
    }

    #[test]
    fn what_is_not_known_says_what_is() {
        let knows = Knows::catalogue(&[("probe.work".to_owned(), 1), ("media.rendition".to_owned(), 0)]);
        assert_eq!(code(&knows, "probe.work", 1), None);
        assert_eq!(code(&knows, "probe.work", 2).as_deref(), Some("unknown_version"));
        assert_eq!(code(&knows, "media.rendition", 1).as_deref(), Some("unknown_kind"));
        assert_eq!(code(&knows, "no.such", 1).as_deref(), Some("unknown_kind"));
        let message = knows.why_not("probe.work", 2).unwrap().message;
        assert!(message.contains("version 2") && message.contains("version 1 of probe.work"), "{message}");
        assert_eq!(code(&Knows::catalogue(&[]), "probe.work", 2), None);
    }
}
