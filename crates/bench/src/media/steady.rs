//! Photograph after photograph, two at once on two cores.

use std::{cell::RefCell, collections::VecDeque, time::Instant};

use futures::future::try_join_all;
use serde_json::Value;

use super::{
    hand::Hand,
    makers::Maker,
    studio::Studio,
    task::{QUALITY, TASKS, Task, request},
};
use crate::figure::Figure;

/// The milliseconds of each ladder, by the clock and of the processors.
pub(crate) async fn measure(studio: &Studio) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for task in &TASKS {
        figures.extend(in_turns(studio, task).await?);
    }
    Ok(figures)
}

async fn in_turns(studio: &Studio, task: &Task) -> anyhow::Result<Vec<Figure>> {
    let mut crews = Vec::new();
    for maker in &studio.makers {
        let mut crew = Crew::start(maker, studio)?;
        crew.work(requests(studio, task)?).await?;
        crews.push(crew);
    }
    let (mut took_ms, mut cpu_ms) = (vec![Vec::new(); crews.len()], vec![Vec::new(); crews.len()]);
    for round in 1..=studio.rounds {
        studio.say(&format!("{}, two photographs at once, round {round}", task.what));
        for (place, crew) in crews.iter_mut().enumerate() {
            let requests = requests(studio, task)?;
            let count = requests.len() as f64;
            let (begun, used_ms) = (Instant::now(), crew.cpu_ms()?);
            crew.work(requests).await?;
            took_ms[place].push(begun.elapsed().as_secs_f64() * 1e3 / count);
            cpu_ms[place].push((crew.cpu_ms()? - used_ms) / count);
        }
    }
    let what = format!("{}, two photographs at once", task.what);
    let mut figures = studio.beside_each(&what, "ms/photograph", &took_ms, Some(task.steady));
    figures.extend(studio.beside_each(&format!("{what}: CPU"), "ms/photograph", &cpu_ms, None));
    Ok(figures)
}

/// Each photograph into a folder of its own: two of them are written at once.
fn requests(studio: &Studio, task: &Task) -> anyhow::Result<VecDeque<Value>> {
    let places = studio.photographs.iter().enumerate();
    places
        .map(|(place, source)| {
            let folder = studio.folder(&format!("steady-{place}"))?;
            Ok(request(source, &folder, task.formats, QUALITY))
        })
        .collect()
}

/// The processes of one maker.
struct Crew {
    hands: Vec<Hand>,
    at_once: usize,
}

impl Crew {
    fn start(maker: &Maker, studio: &Studio) -> anyhow::Result<Self> {
        let (processes, at_once) = maker.steady();
        let hands =
            (0..processes).map(|number| maker.start(number, &studio.logs)).collect::<Result<_, _>>()?;
        Ok(Self { hands, at_once })
    }

    async fn work(&mut self, requests: VecDeque<Value>) -> anyhow::Result<()> {
        let requests = RefCell::new(requests);
        try_join_all(self.hands.iter_mut().map(|hand| hand.work_through(&requests, self.at_once))).await?;
        Ok(())
    }

    fn cpu_ms(&self) -> anyhow::Result<f64> {
        self.hands.iter().map(Hand::cpu_ms).sum()
    }
}
