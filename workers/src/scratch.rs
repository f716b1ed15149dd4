//! Room for files while an attempt works. What a dead process left behind is removed by the next one that starts: a room is
//! locked as long as somebody works in it, and the system lets go of a lock when its process dies, whatever its number was.

use std::{
    fs::{File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

/// Rooms that are made for one attempt before it fails: a process that starts may take one away before it is locked.
const TRIES_MAX: u32 = 3;

/// A folder in which every attempt gets a folder of its own.
#[derive(Debug, Clone)]
pub struct Scratch {
    root: PathBuf,
}

/// A folder for one attempt, removed when this is dropped.
#[derive(Debug)]
pub struct Room {
    // Before the lock, so that nobody else removes it at the same moment.
    folder: TempDir,
    _lock: File,
}

impl Scratch {
    /// Opens `root`, making it if needed, and removes the rooms that nobody works in.
    pub fn open(root: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(root)?;
        for entry in std::fs::read_dir(root)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                unless_gone(remove_if_stale(&entry.path()))?;
            }
        }
        Ok(Self { root: root.to_path_buf() })
    }

    /// A fresh folder.
    pub fn room(&self) -> io::Result<Room> {
        for _ in 0..TRIES_MAX {
            let folder = tempfile::Builder::new().prefix("room-").tempdir_in(&self.root)?;
            let locked = unless_gone(File::open(folder.path()).map(Some))?;
            if let Some(lock) = locked
                && lock.try_lock().is_ok()
                && folder.path().is_dir()
            {
                return Ok(Room { folder, _lock: lock });
            }
        }
        Err(io::Error::other("processes that start take away every room that is made"))
    }
}

impl Room {
    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

fn remove_if_stale(room: &Path) -> io::Result<()> {
    let lock = File::open(room)?;
    match lock.try_lock() {
        Ok(()) => std::fs::remove_dir_all(room),
        Err(TryLockError::WouldBlock) => Ok(()),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// What somebody else removed meanwhile is no failure.
fn unless_gone<T: Default>(done: io::Result<T>) -> io::Result<T> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(T::default()),
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_dead_process_left_goes_though_its_number_lives() {
        let root = tempfile::tempdir().unwrap();
        for left in ["1-abc", &format!("{}-abc", std::process::id()), "room-abc"] {
            let place = root.path().join(left);
            std::fs::create_dir(&place).unwrap();
            std::fs::write(place.join("source"), "x").unwrap();
        }
        Scratch::open(root.path()).unwrap();
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_room_in_use_stays_when_another_process_starts() {
        let root = tempfile::tempdir().unwrap();
        let taken = Scratch::open(root.path()).unwrap().room().unwrap();
        std::fs::write(taken.path().join("source"), "x").unwrap();
        Scratch::open(root.path()).unwrap();
        assert!(taken.path().join("source").exists());
        drop(taken);
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0);
    }
}
