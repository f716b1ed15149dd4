//! Whether the kernel may back this process's memory with pages of 2 MiB.
//!
//! A worker of small jobs takes and gives back memory in small pieces, thousands of times a second, and each time a huge page
//! is cleared for them: a tenth of its time went there. The children that decode pictures fill such pages to the last byte.

use rustix::thread::disable_transparent_huge_pages;

/// Small pages from here on, for this process and those it starts.
pub fn avoid() {
    note(disable_transparent_huge_pages(true));
}

/// Huge pages again, in a process that was started by one without.
pub fn allow() {
    note(disable_transparent_huge_pages(false));
}

/// It is a matter of speed alone, so a kernel that refuses is lived with.
fn note(done: rustix::io::Result<()>) {
    if let Err(error) = done {
        tracing::debug!(%error, "The size of pages stays as it is");
    }
}
