//! The profile file: where the APIs of somebody are, and with which keys they are asked.
//!
//! ```toml
//! [default]
//! url = "https://jobs.example.com"
//! api_key = "crw_…"
//! ```

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use anyhow::Context;
use etcetera::BaseStrategy;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};

/// What others may do to a file that holds keys: nothing.
const OTHERS: u32 = 0o077;

/// One API, and who asks it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    /// Where it is.
    pub(crate) url: String,
    /// The API key.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "exposed")]
    pub(crate) api_key: Option<SecretString>,
}

/// Every profile by its name.
pub(crate) type Profiles = BTreeMap<String, Profile>;

#[expect(clippy::ref_option, reason = "serde hands over the field as it is")]
fn exposed<S: Serializer>(key: &Option<SecretString>, serializer: S) -> Result<S::Ok, S::Error> {
    key.as_ref().map(ExposeSecret::expose_secret).serialize(serializer)
}

/// Where the file is: what was said, or the folder for settings of whoever calls.
pub(crate) fn path(said: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(path) = said {
        return Ok(path.to_owned());
    }
    let folders =
        etcetera::choose_base_strategy().context("there is no home folder: name the file with --config")?;
    Ok(folders.config_dir().join("crewline").join("profiles.toml"))
}

/// What the file at `path` says; nothing when there is none. One with a key that others may read is refused.
pub(crate) fn read(path: &Path) -> anyhow::Result<Profiles> {
    let shown = path.display();
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Profiles::new()),
        Err(error) => return Err(error).with_context(|| format!("could not read {shown}")),
    };
    let profiles: Profiles =
        toml::from_str(&text).map_err(|error| anyhow::anyhow!("{shown}: {}", error.message()))?;
    let mode = fs::metadata(path)?.permissions().mode();
    let has_key = profiles.values().any(|profile| profile.api_key.is_some());
    anyhow::ensure!(
        !has_key || mode & OTHERS == 0,
        "{shown} holds an API key and others may read it: chmod 600 {shown}, and make a new key if they did"
    );
    Ok(profiles)
}

/// Writes `profiles` where only whoever calls may read them, all or nothing.
pub(crate) fn write(path: &Path, profiles: &Profiles) -> anyhow::Result<()> {
    let folder = path.parent().context("the profile file has no folder")?;
    fs::create_dir_all(folder).with_context(|| format!("could not make {}", folder.display()))?;
    let beside = path.with_extension("toml.new");
    // Left by somebody who was interrupted; what is made anew has our mode.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(toml::to_string(profiles)?.as_bytes())?;
    file.sync_all()?;
    fs::rename(&beside, path).with_context(|| format!("could not write {}", path.display()))
}
