use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The name of an object: segments of `[A-Za-z0-9._=-]` joined by `/`, no segment `.` or `..`, at most 512 bytes.
///
/// Such a name means the same to S3, to a file system, in a URL and in a signature, with nothing to escape.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key(String);

/// Why a string is not a [`Key`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Nothing was given.
    #[error("an object key cannot be empty")]
    Empty,
    /// Longer than [`Key::BYTES_MAX`].
    #[error("an object key has at most {max} bytes, this has {bytes}", max = Key::BYTES_MAX)]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// A segment that is empty, `.`, `..`, or holds another character than `[A-Za-z0-9._=-]`.
    #[error("{segment:?} cannot be a segment of an object key")]
    Segment {
        /// The segment.
        segment: String,
    },
    /// Not 64 lower-case hexadecimal digits.
    #[error("{text:?} is not a SHA-256 in lower-case hexadecimal")]
    Sha256 {
        /// What was given.
        text: String,
    },
    /// Not of the form `name@version`.
    #[error("{text:?} is not a preset at a version, such as web@3")]
    Preset {
        /// What was given.
        text: String,
    },
}

impl Key {
    /// The longest key.
    pub const BYTES_MAX: usize = 512;

    /// Checks a key that came from outside, or from the database.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        if text.is_empty() {
            return Err(KeyError::Empty);
        }
        if text.len() > Self::BYTES_MAX {
            return Err(KeyError::TooLong { bytes: text.len() });
        }
        text.split('/').try_for_each(check_segment)?;
        Ok(Self(text.to_owned()))
    }

    /// Where a client's upload arrives, before anybody has looked at it: `{tenant}/u/{upload}`.
    pub fn upload(tenant: &str, upload: &str) -> Result<Self, KeyError> {
        Self::join(&[tenant, "u", upload])
    }

    /// An accepted original, named by its content: `{tenant}/o/{sha256}`.
    pub fn original(tenant: &str, sha256_hex: &str) -> Result<Self, KeyError> {
        Self::join(&[tenant, "o", check_sha256(sha256_hex)?])
    }

    /// A payload of a job, named by its content: `{tenant}/p/{job}/{field}-{sha256}`.
    pub fn payload(tenant: &str, job: &str, field: &str, sha256_hex: &str) -> Result<Self, KeyError> {
        Self::join(&[tenant, "p", job, &format!("{field}-{}", check_sha256(sha256_hex)?)])
    }

    /// Everything of a delivery in one file, named by what is in it: `{tenant}/d/{delivery}/{sha256}-{variant}.zip`.
    pub fn archive(
        tenant: &str,
        delivery: &str,
        manifest_sha256_hex: &str,
        variant: &str,
    ) -> Result<Self, KeyError> {
        let file = format!("{}-{variant}.zip", check_sha256(manifest_sha256_hex)?);
        Self::join(&[tenant, "d", delivery, &file])
    }

    /// What a preset made of an original: `{tenant}/r/{sha256}/{preset}={version}/{rung}.{ext}`.
    ///
    /// `preset_at_version` is `name@version`. The version is in the name, so a changed preset writes beside the old
    /// files and never over them.
    pub fn rendition(
        tenant: &str,
        sha256_hex: &str,
        preset_at_version: &str,
        rung: &str,
        ext: &str,
    ) -> Result<Self, KeyError> {
        let not_a_preset = || KeyError::Preset { text: preset_at_version.to_owned() };
        let (name, version) = preset_at_version.split_once('@').ok_or_else(not_a_preset)?;
        if name.is_empty() || name.contains('=') || version.is_empty() || version.contains('=') {
            return Err(not_a_preset());
        }
        check_segment(rung)?;
        check_segment(ext)?;
        let (preset, file) = (format!("{name}={version}"), format!("{rung}.{ext}"));
        Self::join(&[tenant, "r", check_sha256(sha256_hex)?, &preset, &file])
    }

    /// A file of a part of a film that is being made, named by the workflow that makes the parts:
    /// `{tenant}/f/{workflow}/{part}/{file}`.
    pub fn film_part(tenant: &str, workflow: &str, part: &str, file: &str) -> Result<Self, KeyError> {
        Self::join(&[tenant, "f", workflow, part, file])
    }

    /// The key as S3 sees it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    // Each part is one segment: a `/` inside one must not make two of it.
    fn join(segments: &[&str]) -> Result<Self, KeyError> {
        segments.iter().try_for_each(|segment| check_segment(segment))?;
        Self::parse(&segments.join("/"))
    }
}

fn check_segment(segment: &str) -> Result<(), KeyError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'=' | b'-');
    if segment.is_empty() || segment == "." || segment == ".." || !segment.bytes().all(allowed) {
        return Err(KeyError::Segment { segment: segment.to_owned() });
    }
    Ok(())
}

fn check_sha256(text: &str) -> Result<&str, KeyError> {
    let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if text.len() == 64 && text.bytes().all(hex) {
        Ok(text)
    } else {
        Err(KeyError::Sha256 { text: text.to_owned() })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Key {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Key {
    type Error = KeyError;

    fn try_from(text: String) -> Result<Self, KeyError> {
        Self::parse(&text)
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.0
    }
}

#[cfg(test)]
mod tests {
    use super::{Key, KeyError};

    const SHA: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    #[test]
    fn keys_say_what_they_hold() {
        assert_eq!(Key::upload("acme", "upl_1").unwrap().as_str(), "acme/u/upl_1");
        assert_eq!(Key::original("acme", SHA).unwrap().as_str(), format!("acme/o/{SHA}"));
        assert_eq!(
            Key::payload("acme", "job_1", "args", SHA).unwrap().as_str(),
            format!("acme/p/job_1/args-{SHA}")
        );
        assert_eq!(
            Key::archive("acme", "dlv_1", SHA, "mls").unwrap().as_str(),
            format!("acme/d/dlv_1/{SHA}-mls.zip")
        );
        assert_eq!(
            Key::rendition("acme", SHA, "web@3", "2048", "webp").unwrap().as_str(),
            format!("acme/r/{SHA}/web=3/2048.webp")
        );
    }

    #[test]
    fn what_could_leave_its_place_is_refused() {
        for text in [
            "/a", "a/", "a//b", "..", "../a", "a/../b", "a/./b", "a\\b", "a\0b", "a b", "a%2e", "é", "a\n",
            "a@1",
        ] {
            assert!(matches!(Key::parse(text), Err(KeyError::Segment { .. })), "{text:?}");
        }
        assert_eq!(Key::parse(""), Err(KeyError::Empty));
        assert_eq!(Key::parse(&"a".repeat(513)), Err(KeyError::TooLong { bytes: 513 }));
        assert!(Key::parse(&"a".repeat(512)).is_ok());
        assert!(Key::parse("a/...b/..c").is_ok());
    }

    #[test]
    fn a_part_cannot_smuggle_in_a_segment() {
        assert!(Key::upload("acme/u/x", "y").is_err());
        assert!(Key::upload("..", "y").is_err());
        assert!(Key::payload("acme", "job_1/x", "args", SHA).is_err());
        assert!(Key::payload("acme", "job_1", "args/..", SHA).is_err());
        assert!(Key::original("acme", &SHA.to_uppercase()).is_err());
        assert!(Key::rendition("acme", SHA, "web", "1", "jpg").is_err());
        assert!(Key::rendition("acme", SHA, "web@3/..", "1", "jpg").is_err());
        assert!(Key::rendition("acme", SHA, "web=3@1", "1", "jpg").is_err());
        assert!(Key::rendition("acme", SHA, "web@3", "a/b", "jpg").is_err());
        assert!(Key::rendition("acme", SHA, "web@3", "a", "").is_err());
    }

    #[test]
    fn json_is_checked_on_the_way_in() {
        let key = Key::upload("acme", "1").unwrap();
        let json = serde_json::to_string(&key).unwrap();
        assert_eq!(json, r#""acme/u/1""#);
        assert_eq!(serde_json::from_str::<Key>(&json).unwrap(), key);
        assert!(serde_json::from_str::<Key>(r#""../etc/passwd""#).is_err());
    }
}
