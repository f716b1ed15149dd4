//! The ladder of one photograph, by a process that has made one before and has nothing else to do.

use std::path::PathBuf;

use super::{
    hand::Hand,
    studio::Studio,
    task::{QUALITY, TASKS, Task, request},
};
use crate::figure::Figure;

/// The milliseconds of each ladder.
pub(crate) async fn measure(studio: &Studio) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for task in &TASKS {
        let mut hands = Vec::new();
        for maker in &studio.makers {
            let mut hand = maker.start(0, &studio.logs)?;
            hand.ask(&request(&studio.plain, &studio.folder("single")?, task.formats, QUALITY)).await?;
            hands.push(hand);
        }
        let what = format!("{} of one photograph", task.what);
        let took_ms = in_turns(studio, task, &mut hands, &studio.photographs).await?;
        figures.extend(studio.beside_each(&what, "ms", &took_ms, Some(task.single)));
        let took_ms = in_turns(studio, task, &mut hands, std::slice::from_ref(&studio.plain)).await?;
        let what = format!("{what} without a colour profile");
        figures.extend(studio.beside_each(&what, "ms", &took_ms, None));
    }
    Ok(figures)
}

/// Ours, theirs, ours, theirs, of every photograph in every round.
async fn in_turns(
    studio: &Studio,
    task: &Task,
    hands: &mut [Hand],
    photographs: &[PathBuf],
) -> anyhow::Result<Vec<Vec<f64>>> {
    let folder = studio.folder("single")?;
    let mut took_ms = vec![Vec::new(); hands.len()];
    for round in 1..=studio.rounds {
        let count = photographs.len();
        studio.say(&format!("{}, one at a time, {count} photographs, round {round}", task.what));
        for photograph in photographs {
            let request = request(photograph, &folder, task.formats, QUALITY);
            for (hand, took_ms) in hands.iter_mut().zip(&mut took_ms) {
                took_ms.push(hand.timed(&request).await?);
            }
        }
    }
    Ok(took_ms)
}
