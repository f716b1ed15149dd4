//! The count: what clients were promised, held against what the ledger says became of it. Pure, so that it can be
//! tested by itself; if this were wrong, every row would be.

use std::collections::{HashMap, HashSet};

use jobs::JobId;

/// What the clients know: each submission has a mark of its own, which travels in the job's metadata.
#[derive(Debug, Default, Clone)]
pub(crate) struct Promised {
    /// Marks that were answered with 202 or 200, and the job that was named.
    pub(crate) accepted: HashMap<String, JobId>,
    /// Marks whose client gave up without an answer: the job may be there or not.
    pub(crate) unknown: HashSet<String>,
}

/// A job that ended, as the ledger has it.
#[derive(Debug, Clone)]
pub(crate) struct Ended {
    /// Which it is.
    pub(crate) job: JobId,
    /// The mark it was submitted with; follow-up jobs have none.
    pub(crate) mark: Option<String>,
    /// How it ended.
    pub(crate) state: String,
    /// How many final rows it has. One, if all is well.
    pub(crate) rows: usize,
}

/// What came out.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Promised to clients.
    pub(crate) accepted: usize,
    /// Ended, promised or not.
    pub(crate) ended: usize,
    /// Ended by state.
    pub(crate) completed: usize,
    /// Given up or stopped.
    pub(crate) otherwise: usize,
    /// Promised, and neither ended nor anywhere.
    pub(crate) lost: usize,
    /// Endings beyond the one that each job may have, and jobs beyond the one that each mark may have.
    pub(crate) doubled: usize,
    /// In the ledger although no client was told so.
    pub(crate) untold: usize,
}

/// Counts. Everything has to have ended before: what still lives is lost here.
pub(crate) fn count(promised: &Promised, ended: &[Ended]) -> Tally {
    let mut tally = Tally { accepted: promised.accepted.len(), ended: ended.len(), ..Tally::default() };
    let mut jobs_of: HashMap<&str, HashSet<JobId>> = HashMap::new();
    let mut there = HashSet::with_capacity(ended.len());
    for end in ended {
        tally.doubled += end.rows.saturating_sub(1);
        if end.state == "completed" {
            tally.completed += 1;
        } else {
            tally.otherwise += 1;
        }
        // A job listed twice has ended twice.
        if !there.insert(end.job) {
            tally.doubled += 1;
        }
        if let Some(mark) = &end.mark {
            jobs_of.entry(mark).or_default().insert(end.job);
        }
    }
    tally.doubled += jobs_of.values().map(|jobs| jobs.len().saturating_sub(1)).sum::<usize>();
    tally.lost = promised.accepted.values().filter(|job| !there.contains(job)).count();
    tally.untold = jobs_of.keys().filter(|mark| !promised.accepted.contains_key(**mark)).count();
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(job: JobId, mark: &str, rows: usize) -> Ended {
        Ended { job, mark: Some(mark.to_owned()), state: "completed".to_owned(), rows }
    }

    fn promised(marks: &[(&str, JobId)]) -> Promised {
        let accepted = marks.iter().map(|(mark, job)| ((*mark).to_owned(), *job)).collect();
        Promised { accepted, unknown: HashSet::new() }
    }

    #[test]
    fn all_is_well_when_everything_ended_once() {
        let (a, b) = (JobId::new(), JobId::new());
        let tally = count(&promised(&[("a", a), ("b", b)]), &[ended(a, "a", 1), ended(b, "b", 1)]);
        assert_eq!((tally.accepted, tally.completed, tally.lost, tally.doubled), (2, 2, 0, 0));
    }

    #[test]
    fn what_was_promised_and_is_nowhere_is_lost() {
        let (a, b) = (JobId::new(), JobId::new());
        assert_eq!(count(&promised(&[("a", a), ("b", b)]), &[ended(a, "a", 1)]).lost, 1);
        // The mark is there under another job: what the client was told of is lost all the same.
        assert_eq!(count(&promised(&[("a", a)]), &[ended(b, "a", 1)]).lost, 1);
    }

    #[test]
    fn two_endings_and_two_jobs_for_one_mark_are_doubles() {
        let (a, b) = (JobId::new(), JobId::new());
        assert_eq!(count(&promised(&[("a", a)]), &[ended(a, "a", 3)]).doubled, 2);
        assert_eq!(count(&promised(&[("a", a)]), &[ended(a, "a", 1), ended(a, "a", 1)]).doubled, 1);
        assert_eq!(count(&promised(&[("a", a)]), &[ended(a, "a", 1), ended(b, "a", 1)]).doubled, 1);
    }

    #[test]
    fn what_nobody_was_told_of_is_no_fault() {
        let (a, child) = (JobId::new(), JobId::new());
        let follow_up = Ended { mark: None, ..ended(child, "", 1) };
        let tally = count(&Promised::default(), &[ended(a, "a", 1), follow_up]);
        assert_eq!((tally.lost, tally.doubled, tally.untold, tally.ended), (0, 0, 1, 2));
    }
}
