//! Our side: the children of a worker, started as a worker starts them.

use std::{path::Path, process::Command};

const MIB: u64 = 1024 * 1024;
/// Address space of a child that makes pictures, as a worker allows it unless told otherwise.
const PICTURES_BYTES: u64 = 2_048 * MIB;
/// The same of one that makes films.
const FILMS_BYTES: u64 = 6_144 * MIB;

/// The child that makes pictures.
pub(crate) fn pictures(programs: &Path) -> Command {
    let mut command = Command::new(programs.join("workers"));
    command.arg("media-child");
    limited(command, PICTURES_BYTES)
}

/// The child that makes films.
pub(crate) fn films(programs: &Path) -> Command {
    limited(Command::new(programs.join("films")), FILMS_BYTES)
}

fn limited(mut command: Command, bytes: u64) -> Command {
    command
        .args(["--memory-bytes", &bytes.to_string()])
        .env_clear()
        .env("MIMALLOC_DISALLOW_ARENA_ALLOC", "1")
        .env("MALLOC_ARENA_MAX", "4");
    command
}
