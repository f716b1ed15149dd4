//! Processor time, by `/proc/PID/stat`, which counts in hundredths of a second.

/// What `/proc/PID/stat` has from the state onwards: 1 parent, 11 and 12 own time, 13 and 14 that of ended children.
fn fields(pid: u32) -> Vec<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let Some((_, rest)) = stat.rsplit_once(") ") else { return Vec::new() };
    rest.split(' ').map(|field| field.trim().parse().unwrap_or_default()).collect()
}

fn sum_us(fields: &[u64], places: &[usize]) -> f64 {
    let ticks: u64 = places.iter().filter_map(|place| fields.get(*place)).sum();
    ticks as f64 * 10_000.0
}

/// What a process has used itself, in microseconds.
pub(crate) fn of_process(pid: u32) -> f64 {
    sum_us(&fields(pid), &[11, 12])
}

/// What a process and everything it ever started have used, in microseconds.
pub(crate) fn of_family(parent: u32) -> f64 {
    let listed = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = listed.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let children = pids.map(fields).filter(|fields| fields.get(1) == Some(&u64::from(parent)));
    let alive: f64 = children.map(|fields| sum_us(&fields, &[11, 12])).sum();
    alive + sum_us(&fields(parent), &[11, 12, 13, 14])
}

/// Who started a process.
pub(crate) fn parent_of(pid: u32) -> Option<u32> {
    u32::try_from(*fields(pid).get(1)?).ok()
}
