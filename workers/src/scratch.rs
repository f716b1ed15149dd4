//! Room for files while an attempt works. What a dead process left behind is removed by the next one that starts.

use std::{
    io,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

/// A folder in which every attempt gets a folder of its own.
#[derive(Debug, Clone)]
pub struct Scratch {
    root: PathBuf,
}

impl Scratch {
    /// Opens `root`, making it if needed, and removes what processes that are gone left in it.
    pub fn open(root: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(root)?;
        for entry in std::fs::read_dir(root)? {
            let path = entry?.path();
            let owner =
                path.file_name().and_then(|name| name.to_str()?.split('-').next()?.parse::<u32>().ok());
            if owner.is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists()) {
                std::fs::remove_dir_all(&path)?;
            }
        }
        Ok(Self { root: root.to_path_buf() })
    }

    /// A fresh folder, removed when it is dropped.
    pub fn room(&self) -> io::Result<TempDir> {
        tempfile::Builder::new().prefix(&format!("{}-", std::process::id())).tempdir_in(&self.root)
    }
}
