//! Assignment beside every way there is where they can be counted, and beside SciPy where they cannot.

use std::{
    fmt::Write as _,
    io::Write as _,
    process::{Command, Stdio},
};

use matching::{Assigned, Scores, assign, greedy};
use proptest::prelude::*;

type Cells = Vec<Vec<Option<u16>>>;

fn scores(cells: &Cells) -> Scores {
    let columns = cells.first().map_or(0, Vec::len);
    let mut scores = Scores::new(cells.len(), columns);
    for (visit, row) in cells.iter().enumerate() {
        for (candidate, score) in row.iter().enumerate() {
            if let Some(score) = score {
                scores.set(visit, candidate, *score);
            }
        }
    }
    scores
}

/// Visits given out and what they come to. Panics where somebody has two of them, or one they cannot do.
fn worth(cells: &Cells, assigned: &Assigned) -> (usize, u64) {
    let mut taken: Vec<usize> = assigned.candidates.iter().flatten().copied().collect();
    taken.sort_unstable();
    assert!(taken.windows(2).all(|pair| pair[0] != pair[1]), "{assigned:?}");
    let each = cells.iter().zip(&assigned.candidates);
    let sum =
        each.filter_map(|(row, candidate)| Some(u64::from(row[(*candidate)?].expect("a shut gate")))).sum();
    (taken.len(), sum)
}

/// The best of every way there is.
fn best(cells: &[Vec<Option<u16>>], taken: u32) -> (usize, u64) {
    let Some((row, rest)) = cells.split_first() else { return (0, 0) };
    let with = row.iter().enumerate().filter_map(|(candidate, score)| {
        let free = taken & (1 << candidate) == 0;
        let (given, sum) = score.filter(|_| free).map(|_| best(rest, taken | 1 << candidate))?;
        Some((given + 1, sum + u64::from((*score)?)))
    });
    with.chain([best(rest, taken)]).max().unwrap()
}

fn cells() -> impl Strategy<Value = Cells> {
    let cell =
        prop_oneof![1 => Just(None), 2 => (0..=10_000u16).prop_map(Some), 1 => (0..3u16).prop_map(Some)];
    (0..6usize, 1..6usize).prop_flat_map(move |(rows, columns)| {
        proptest::collection::vec(proptest::collection::vec(cell.clone(), columns), rows)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn no_way_is_better(cells in cells()) {
        let assigned = assign(&scores(&cells));
        prop_assert_eq!(worth(&cells, &assigned), best(&cells, 0));
        prop_assert!(worth(&cells, &greedy(&scores(&cells))) <= worth(&cells, &assigned));
    }
}

#[test]
fn greed_gives_the_best_pair_away_too_soon() {
    let cells: Cells = vec![vec![Some(9_500), Some(9_000)], vec![Some(9_400), Some(100)]];
    assert_eq!((worth(&cells, &greedy(&scores(&cells))), best(&cells, 0)), ((2, 9_600), (2, 18_400)));
    assert_eq!(worth(&cells, &assign(&scores(&cells))), best(&cells, 0));
    assert!(
        assign(&Scores::new(0, 5)).candidates.is_empty() && assign(&Scores::new(5, 0)).candidates.is_empty()
    );
}

#[test]
fn too_many_pairs_are_given_out_greedily() {
    let mut many = Scores::new(2, matching::ASSIGN_CELLS_MAX / 2 + 1);
    many.set(0, 7, 1);
    let assigned = assign(&many);
    assert_eq!((assigned.is_optimal, assigned.candidates), (false, vec![Some(7), None]));
}

/// Numbers that look like chance and are the same every time.
fn noise(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    }
}

/// What SciPy finds for the same scores. A shut gate is worth so little there that one more visit is always better.
fn scipy(worlds: &[Cells]) -> Vec<(usize, u64)> {
    const PROGRAM: &str = "
import json, sys
import numpy
from scipy.optimize import linear_sum_assignment
for line in sys.stdin:
    scores = numpy.array(json.loads(line))
    rows, columns = linear_sum_assignment(numpy.where(scores < 0, -10**8, scores), maximize=True)
    found = scores[rows, columns]
    print(int((found >= 0).sum()), int(found[found >= 0].sum()))
";
    let mut python = Command::new("/usr/bin/python3")
        .args(["-c", PROGRAM])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("./dev test installs python3 and python3-scipy");
    let mut questions = String::new();
    for cells in worlds {
        let rows: Vec<Vec<i32>> =
            cells.iter().map(|row| row.iter().map(|cell| cell.map_or(-1, i32::from)).collect()).collect();
        writeln!(questions, "{}", serde_json::to_string(&rows).unwrap()).unwrap();
    }
    python.stdin.take().unwrap().write_all(questions.as_bytes()).unwrap();
    let told = python.wait_with_output().unwrap();
    assert!(told.status.success(), "python3-scipy did not answer");
    let pair = |line: &str| {
        let (given, sum) = line.split_once(' ').unwrap();
        (given.parse().unwrap(), sum.parse().unwrap())
    };
    String::from_utf8(told.stdout).unwrap().lines().map(pair).collect()
}

#[test]
fn scipy_finds_nothing_better() {
    let mut random = noise(7);
    let mut worlds: Vec<Cells> = Vec::new();
    for (rows, columns, shut) in
        [(1, 1, 0), (30, 30, 10), (40, 90, 50), (90, 40, 80), (120, 300, 97), (200, 200, 0)]
    {
        for _ in 0..5 {
            let mut cell = || (random() % 100 >= shut).then(|| (random() % 10_001) as u16);
            worlds.push((0..rows).map(|_| (0..columns).map(|_| cell()).collect()).collect());
        }
    }
    let theirs = scipy(&worlds);
    assert_eq!(theirs.len(), worlds.len());
    for (cells, theirs) in worlds.iter().zip(theirs) {
        assert_eq!(worth(cells, &assign(&scores(cells))), theirs, "{} × {}", cells.len(), cells[0].len());
    }
}
