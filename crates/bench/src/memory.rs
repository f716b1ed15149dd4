//! Memory of a process, by `/proc/PID`.

use anyhow::Context;

const KIB: f64 = 1024.0;
/// What `clear_refs` is told to begin the highest mark anew.
const FORGET_PEAK: &str = "5";

/// What a line such as `VmRSS:  1234 kB` of a `status` says, in bytes.
fn bytes_of(status: &str, name: &str) -> Option<f64> {
    let rest = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    let kib: f64 = rest.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * KIB)
}

fn status_of(pid: u32, name: &str) -> Option<f64> {
    bytes_of(&std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?, name)
}

/// What a process has now, in bytes; nothing of one that has ended.
pub(crate) fn resident(pid: u32) -> Option<f64> {
    status_of(pid, "VmRSS")
}

/// The most that it ever had, in bytes; nothing of one that has ended.
pub(crate) fn peak(pid: u32) -> Option<f64> {
    status_of(pid, "VmHWM")
}

/// Begins its peak anew, with what it has now.
pub(crate) fn forget_peak(pid: u32) -> anyhow::Result<()> {
    std::fs::write(format!("/proc/{pid}/clear_refs"), FORGET_PEAK)
        .with_context(|| format!("could not begin the peak of process {pid} anew"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_status_is_read_in_bytes() {
        let status = "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t  1024 kB\n";
        assert_eq!(bytes_of(status, "VmHWM"), Some(2_097_152.0));
        assert_eq!(bytes_of(status, "VmRSS"), Some(1_048_576.0));
        assert_eq!(bytes_of(status, "VmSwap"), None);
    }

    #[test]
    fn a_peak_begins_anew_with_what_is_there() {
        forget_peak(std::process::id()).unwrap();
        let now = resident(std::process::id());
        assert!(now.is_some() && peak(std::process::id()) >= now);
    }
}
