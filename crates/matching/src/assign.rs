//! Many visits given out at once: the best sum of scores that there is.

use std::cmp::Reverse;

/// Pairs of a visit and a candidate that are looked at for the best sum; more of them are given out greedily.
pub const ASSIGN_CELLS_MAX: usize = 4_000_000;

/// What each candidate would be worth for each visit, visit by visit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scores {
    columns: usize,
    /// None where a gate is shut.
    cells: Vec<Option<u16>>,
}

/// Who does what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assigned {
    /// The candidate of each visit; none for a visit that nobody is left for.
    pub candidates: Vec<Option<usize>>,
    /// Whether there is none better. It is only good when there were too many pairs to look at.
    pub is_optimal: bool,
}

impl Scores {
    /// For so many `candidates`; nobody could do anything yet.
    pub fn new(visits: usize, candidates: usize) -> Self {
        Self { columns: candidates, cells: vec![None; visits * candidates] }
    }

    /// Notes what `candidate` is worth for `visit`; what names neither is not noted.
    pub fn set(&mut self, visit: usize, candidate: usize, score: u16) {
        if candidate < self.columns
            && let Some(cell) = self.cells.get_mut(visit * self.columns + candidate)
        {
            *cell = Some(score);
        }
    }

    fn rows(&self) -> usize {
        self.cells.len().checked_div(self.columns).unwrap_or(0)
    }
}

/// Gives every visit to at most one candidate and every candidate at most one visit: as many visits as can be, and of
/// those ways the one with the best sum.
pub fn assign(scores: &Scores) -> Assigned {
    if scores.cells.len() > ASSIGN_CELLS_MAX {
        return greedy(scores);
    }
    let (rows, columns) = (scores.rows(), scores.columns);
    // One more visit is worth more than any change of scores.
    let one_more = (i64::from(u16::MAX) + 1) * rows.min(columns) as i64;
    let cost = |cell: &Option<u16>| cell.map_or(0, |score| -(one_more + i64::from(score)));
    let solved = if rows <= columns {
        Solver::new(rows, columns, scores.cells.iter().map(cost).collect()).solve()
    } else {
        let cells =
            (0..columns).flat_map(|column| scores.cells.iter().skip(column).step_by(columns).map(cost));
        let mut solved = vec![FREE; rows];
        for (column, row) in Solver::new(columns, rows, cells.collect()).solve().into_iter().enumerate() {
            solved[row] = column;
        }
        solved
    };
    let could = |row: usize, column: usize| column != FREE && scores.cells[row * columns + column].is_some();
    let candidates = solved.into_iter().enumerate().map(|(row, column)| could(row, column).then_some(column));
    Assigned { candidates: candidates.collect(), is_optimal: true }
}

/// Gives out the best pair, then the best of what is left, and so on.
pub fn greedy(scores: &Scores) -> Assigned {
    let rows = scores.rows();
    let mut pairs: Vec<(Reverse<u16>, usize)> =
        scores.cells.iter().enumerate().filter_map(|(at, cell)| Some((Reverse((*cell)?), at))).collect();
    pairs.sort_unstable();
    let (mut candidates, mut taken) = (vec![None; rows], vec![false; scores.columns]);
    for (_, at) in pairs {
        let (row, column) = (at / scores.columns, at % scores.columns);
        if candidates[row].is_none() && !taken[column] {
            candidates[row] = Some(column);
            taken[column] = true;
        }
    }
    Assigned { candidates, is_optimal: false }
}

/// No row, or no column.
const FREE: usize = usize::MAX;

/// Shortest augmenting paths over costs that the duals keep from falling below zero: one Dijkstra for each row.
/// D. F. Crouse, "On implementing 2D rectangular assignment algorithms", IEEE TAES 52 (2016).
struct Solver {
    columns: usize,
    cost: Vec<i64>,
    of_row: Vec<i64>,
    of_column: Vec<i64>,
    column_of: Vec<usize>,
    row_of: Vec<usize>,
}

impl Solver {
    /// For at least as many columns as rows.
    fn new(rows: usize, columns: usize, cost: Vec<i64>) -> Self {
        Self {
            columns,
            cost,
            of_row: vec![0; rows],
            of_column: vec![0; columns],
            column_of: vec![FREE; rows],
            row_of: vec![FREE; columns],
        }
    }

    /// The column of each row.
    fn solve(mut self) -> Vec<usize> {
        let mut path = Path::new(self.column_of.len(), self.columns);
        for row in 0..self.column_of.len() {
            let (sink, length) = path.find(&self, row);
            for reached in path.rows.drain(..) {
                let along = self.column_of[reached];
                self.of_row[reached] += if along == FREE { length } else { length - path.shortest[along] };
            }
            for column in path.columns.drain(..) {
                self.of_column[column] -= length - path.shortest[column];
            }
            let mut column = sink;
            loop {
                let from = path.before[column];
                self.row_of[column] = from;
                std::mem::swap(&mut self.column_of[from], &mut column);
                if from == row {
                    break;
                }
            }
        }
        self.column_of
    }
}

/// What one search needs, kept from one to the next.
struct Path {
    /// Length of the shortest way known to each column.
    shortest: Vec<i64>,
    /// The row it comes from.
    before: Vec<usize>,
    /// Columns not reached yet.
    left: Vec<usize>,
    /// Rows and columns that were reached.
    rows: Vec<usize>,
    columns: Vec<usize>,
}

impl Path {
    fn new(rows: usize, columns: usize) -> Self {
        Self {
            shortest: vec![0; columns],
            before: vec![FREE; columns],
            left: Vec::with_capacity(columns),
            rows: Vec::with_capacity(rows),
            columns: Vec::with_capacity(rows),
        }
    }

    /// The nearest column that nobody has, from `row`, and how far it is.
    fn find(&mut self, solver: &Solver, row: usize) -> (usize, i64) {
        self.shortest.fill(i64::MAX);
        self.left.clear();
        self.left.extend(0..solver.columns);
        let (mut row, mut so_far) = (row, 0);
        loop {
            self.rows.push(row);
            let costs = &solver.cost[row * solver.columns..][..solver.columns];
            let base = so_far - solver.of_row[row];
            let (mut best, mut nearest) = (i64::MAX, 0);
            for (place, &column) in self.left.iter().enumerate() {
                let length = base + costs[column] - solver.of_column[column];
                if length < self.shortest[column] {
                    self.shortest[column] = length;
                    self.before[column] = row;
                }
                let length = self.shortest[column];
                if length < best || (length == best && solver.row_of[column] == FREE) {
                    (best, nearest) = (length, place);
                }
            }
            let column = self.left.swap_remove(nearest);
            so_far = best;
            if solver.row_of[column] == FREE {
                return (column, so_far);
            }
            self.columns.push(column);
            row = solver.row_of[column];
        }
    }
}
