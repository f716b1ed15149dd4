//! One file with many in it, from the object store into the object store, through a few pieces of memory.
//!
//! ZIP is written by a thread of its own, because its writer blocks: files go to it in steps, and what it writes comes back
//! in pieces, over channels that hold only so many.

mod names;

use std::io;

use blob::{BlobError, Blobs, Head, Key};
use bytes::{Bytes, BytesMut};
use tokio::{sync::mpsc, task::JoinError};
use zip::{CompressionMethod, ZipWriter, result::ZipError, write::SimpleFileOptions};

/// Steps and pieces that may wait for each other.
const WAITING_MAX: usize = 8;
/// What the writer puts out is handed on in pieces of this.
const PIECE_BYTES: usize = 256 * 1024;
/// From here on an entry has 64-bit sizes.
const LARGE_FILE_BYTES: u64 = 0xffff_0000;
/// The head and the directory entry of a file in an archive, at most.
const OVERHEAD_BYTES: u64 = 1_024;
/// Archives are named by what is in them: what is at a key never changes.
const IMMUTABLE: &str = "private, max-age=31536000, immutable";

/// A file to put in.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    /// What it is called; made fit for an archive.
    pub name: &'a str,
    /// An extension in place of the name's own.
    pub extension: Option<&'a str>,
    /// Where it lies.
    pub key: Key,
    /// Its size.
    pub bytes: u64,
}

/// Why there is no archive.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// A file is not there any more.
    #[error("{name} is not there any more")]
    Missing {
        /// What it is called.
        name: String,
    },
    /// A file is not the one that was to be put in.
    #[error("{name} has {bytes} bytes, and {bytes_expected} were expected")]
    Changed {
        /// What it is called.
        name: String,
        /// Its size now.
        bytes: u64,
        /// Its size when it was chosen.
        bytes_expected: u64,
    },
    /// The object store failed.
    #[error("the object store failed")]
    Blob(#[from] BlobError),
    /// The archive could not be written.
    #[error("the archive could not be written")]
    Zip(#[from] ZipError),
    /// The thread that writes it died.
    #[error("the thread that writes the archive died")]
    Thread(#[from] JoinError),
    /// One side stopped, and the other says why.
    #[error("the archive was not written to its end")]
    Stopped,
}

/// What the writer is told.
enum Step {
    Begin {
        name: String,
        bytes: u64,
    },
    Content(Bytes),
    /// Without it there is no archive.
    Finish,
}

/// Writes `entries` as one archive to `target`. Tells `progress` how many bytes of them are in it.
///
/// # Errors
/// When a file is missing or another, the object store fails, or the archive cannot be written. Then there is no object.
pub async fn write(
    blobs: &Blobs,
    entries: &[Entry<'_>],
    target: &Key,
    progress: impl Fn(u64) + Send + Sync,
) -> Result<Head, ArchiveError> {
    let names = names::names(entries.iter().map(|entry| (entry.name, entry.extension)));
    let bytes_max: u64 =
        entries.iter().map(|entry| entry.bytes + OVERHEAD_BYTES).sum::<u64>() + OVERHEAD_BYTES;
    let mut object = blobs.write(target, bytes_max, "application/zip", IMMUTABLE).await?;
    let (steps, steps_to_do) = mpsc::channel(WAITING_MAX);
    let (written, mut pieces) = mpsc::channel(WAITING_MAX);
    let zipping = tokio::task::spawn_blocking(move || zip(steps_to_do, written));
    let put_in = async move {
        let mut done = 0;
        for (entry, name) in entries.iter().zip(names) {
            done = put_in(blobs, entry, name, &steps, done, &progress).await?;
        }
        steps.send(Step::Finish).await.map_err(|_| ArchiveError::Stopped)
    };
    let take_out = async {
        while let Some(piece) = pieces.recv().await {
            object.write(piece).await?;
        }
        drop(pieces);
        Ok(())
    };
    let moved = tokio::try_join!(put_in, take_out);
    match (zipping.await?, moved) {
        (Ok(()), Ok(_)) => Ok(object.finish().await?),
        // Whichever side failed first, the other only knows that it was left: we are stopped, the writer's pipe breaks.
        (Err(error), Ok(_) | Err(ArchiveError::Stopped)) | (_, Err(error)) => Err(error),
    }
}

async fn put_in(
    blobs: &Blobs,
    entry: &Entry<'_>,
    name: String,
    steps: &mpsc::Sender<Step>,
    mut done: u64,
    progress: &impl Fn(u64),
) -> Result<u64, ArchiveError> {
    let mut body = blobs.open(&entry.key, u64::MAX).await.map_err(|error| match error {
        gone if gone.is_not_found() => ArchiveError::Missing { name: entry.name.to_owned() },
        other => ArchiveError::Blob(other),
    })?;
    if body.bytes_expected() != entry.bytes {
        let (name, bytes) = (entry.name.to_owned(), body.bytes_expected());
        return Err(ArchiveError::Changed { name, bytes, bytes_expected: entry.bytes });
    }
    let stopped = |_| ArchiveError::Stopped;
    steps.send(Step::Begin { name, bytes: entry.bytes }).await.map_err(stopped)?;
    while let Some(content) = body.next().await? {
        done += content.len() as u64;
        steps.send(Step::Content(content)).await.map_err(stopped)?;
        progress(done);
    }
    Ok(done)
}

/// Runs on a thread of its own until it is told to finish, or nobody tells it anything any more.
fn zip(mut steps: mpsc::Receiver<Step>, written: mpsc::Sender<Bytes>) -> Result<(), ArchiveError> {
    let mut archive = ZipWriter::new_stream(Pieces { written, piece: BytesMut::with_capacity(PIECE_BYTES) });
    while let Some(step) = steps.blocking_recv() {
        match step {
            Step::Begin { name, bytes } => archive.start_file(name, options(bytes))?,
            Step::Content(content) => io::Write::write_all(&mut archive, &content).map_err(ZipError::Io)?,
            Step::Finish => {
                let mut pieces = archive.finish()?.into_inner();
                io::Write::flush(&mut pieces).map_err(ZipError::Io)?;
                return Ok(());
            }
        }
    }
    Err(ArchiveError::Stopped)
}

/// The same for the same file whenever it is packed, so that an archive made again is the same archive.
fn options(bytes: u64) -> SimpleFileOptions {
    SimpleFileOptions::DEFAULT
        .compression_method(CompressionMethod::Stored)
        .large_file(bytes >= LARGE_FILE_BYTES)
        .unix_permissions(0o644)
}

/// Where the writer writes to.
struct Pieces {
    written: mpsc::Sender<Bytes>,
    piece: BytesMut,
}

impl io::Write for Pieces {
    fn write(&mut self, content: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(content);
        if self.piece.len() >= PIECE_BYTES {
            io::Write::flush(self)?;
        }
        Ok(content.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = self.piece.split().freeze();
        self.written.blocking_send(piece).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        io::{Seek, SeekFrom, Write},
        path::Path,
        process::Command,
    };

    use super::*;

    /// Has `entries` packed, each of so many zeros, and answers what Python reads from the archive: how many entries, the
    /// sizes of the first and the last of them, and how much of the last it can read. What is only zeros takes no room on the disk.
    async fn packed(entries: Vec<u64>) -> String {
        const ZEROS: Bytes = Bytes::from_static(&[0; 4 * PIECE_BYTES]);
        let (steps, steps_to_do) = mpsc::channel(WAITING_MAX);
        let (written, mut pieces) = mpsc::channel(WAITING_MAX);
        let zipping = tokio::task::spawn_blocking(move || zip(steps_to_do, written));
        let put_in = tokio::spawn(async move {
            for (nth, bytes) in entries.into_iter().enumerate() {
                steps.send(Step::Begin { name: format!("{nth}.bin"), bytes }).await.unwrap();
                let mut left = bytes;
                while left > 0 {
                    let content = ZEROS.slice(..ZEROS.len().min(usize::try_from(left).unwrap_or(usize::MAX)));
                    left -= content.len() as u64;
                    steps.send(Step::Content(content)).await.unwrap();
                }
            }
            steps.send(Step::Finish).await.unwrap();
        });
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("archive.zip");
        let mut file = File::create(&path).unwrap();
        while let Some(piece) = pieces.recv().await {
            if ZEROS.get(..piece.len()) == Some(&piece[..]) {
                file.seek(SeekFrom::Current(piece.len() as i64)).unwrap();
            } else {
                file.write_all(&piece).unwrap();
            }
        }
        put_in.await.unwrap();
        zipping.await.unwrap().unwrap();
        drop(file);
        read_by_python(&path)
    }

    fn read_by_python(path: &Path) -> String {
        const READ: &str = "import sys, zipfile\n\
            z = zipfile.ZipFile(sys.argv[1])\n\
            last = z.infolist()[-1]\n\
            print(len(z.infolist()), z.infolist()[0].file_size, last.file_size, len(z.read(last)))";
        let said = Command::new("python3").args(["-c", READ]).arg(path).output().unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        String::from_utf8(said.stdout).unwrap().trim().to_owned()
    }

    #[tokio::test]
    async fn an_archive_may_have_more_than_four_gib_before_its_last_file() {
        assert_eq!(packed(vec![(4 << 30) + 7, 11]).await, "2 4294967303 11 11");
    }

    #[tokio::test]
    async fn an_archive_may_have_more_files_than_sixteen_bits_count() {
        assert_eq!(packed(vec![1; 65_537]).await, "65537 1 1 1");
    }
}
