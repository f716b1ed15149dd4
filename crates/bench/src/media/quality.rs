//! How good the pictures are: SSIMULACRA2 at the same bytes.
//!
//! Two encoders never give files of one size. So sharp makes every rung at two qualities, and the points it would have
//! with as many bytes as ours has are read from the line between them.

use std::{collections::BTreeMap, path::Path};

use anyhow::Context;
use serde_json::Value;
use ssimulacra2::LinearRgb;
use testkit::number;

use super::{
    hand::Hand,
    judge::Judge,
    makers::{Maker, Who},
    studio::Studio,
    task::{LONG_EDGES_PX, QUALITY, request, rung},
};
use crate::{
    figure::Figure,
    goals::{self, Goal},
};

/// What sharp is asked for: its files at one are smaller than ours, at the other larger.
const QUALITIES: [u8; 2] = [QUALITY - 3, QUALITY + 3];
/// What is judged, and how good it has to be.
const FORMATS: [(&str, &str, Option<Goal>); 2] =
    [("jpeg", "JPEG", Some(goals::QUALITY_POINTS)), ("webp", "WebP", None)];

/// Bytes and points of a picture.
type Seen = (f64, f64);

/// The points of each format, mean over rungs and photographs.
pub(crate) async fn measure(studio: &Studio) -> anyhow::Result<Vec<Figure>> {
    let find = |who| studio.makers.iter().find(|maker| maker.who == who);
    let (Some(ours), Some(sharp), Some(peers)) = (find(Who::Ours), find(Who::Sharp), &studio.peers) else {
        studio.say("quality is left out: it is told beside sharp");
        return Ok(Vec::new());
    };
    let mut judge = Judge::start(studio, peers)?;
    let (mut our_hand, mut their_hand) = (ours.start(0, &studio.logs)?, sharp.start(0, &studio.logs)?);
    let mut points = BTreeMap::new();
    // The judge takes its time, and a quick run is a quick run.
    let count = if studio.quick { 1 } else { studio.photographs.len() };
    for (place, photograph) in studio.photographs.iter().take(count).enumerate() {
        studio.say(&format!("quality, photograph {} of {}", place + 1, count));
        let mut ideals = Vec::new();
        for edge in LONG_EDGES_PX {
            ideals.push((rung(edge), judge.ideal(photograph, edge).await?));
        }
        let mut looker = Looker { studio, judge: &mut judge, photograph, ideals };
        let ours = looker.look(&mut our_hand, &[QUALITY]).await?;
        let theirs = looker.look(&mut their_hand, &QUALITIES).await?;
        for ((rung, format), seen) in &ours {
            let (bytes, our_points) = *seen.first().context("nothing was made")?;
            let theirs = theirs.get(&(rung.clone(), format.clone())).context("sharp left out a picture")?;
            let their_points = at(theirs, bytes);
            studio.say(&format!(
                "{rung} as {format}, {} bytes: {our_points:.2} points, sharp {their_points:.2}",
                number(bytes)
            ));
            let both: &mut Vec<(f64, f64)> = points.entry(format.clone()).or_default();
            both.push((our_points, their_points));
        }
    }
    Ok(FORMATS.iter().filter_map(|format| told(*format, &points, sharp)).collect())
}

fn told(
    (format, name, goal): (&str, &str, Option<Goal>),
    points: &BTreeMap<String, Vec<(f64, f64)>>,
    sharp: &Maker,
) -> Option<Figure> {
    let both = points.get(format)?;
    let mean = |of: fn(&(f64, f64)) -> f64| both.iter().map(of).sum::<f64>() / both.len() as f64;
    let (ours, theirs) = (mean(|both| both.0), mean(|both| both.1));
    let figure = Figure::of(format!("SSIMULACRA2 of {name} at the same bytes"), ours, "points").beside(
        &sharp.name,
        theirs,
        ours / theirs,
    );
    Some(goal.map_or(figure.clone(), |goal| figure.towards(goal)))
}

/// Looks at what was made of one photograph.
struct Looker<'a> {
    studio: &'a Studio,
    judge: &'a mut Judge,
    photograph: &'a Path,
    ideals: Vec<(String, LinearRgb)>,
}

impl Looker<'_> {
    /// Has a ladder made at each quality; what each rung and format became.
    async fn look(
        &mut self,
        hand: &mut Hand,
        qualities: &[u8],
    ) -> anyhow::Result<BTreeMap<(String, String), Vec<Seen>>> {
        let mut seen: BTreeMap<_, Vec<Seen>> = BTreeMap::new();
        let formats = FORMATS.map(|(format, ..)| format);
        for quality in qualities {
            let folder = self.studio.folder("quality")?;
            let answer = hand.ask(&request(self.photograph, &folder, &formats, *quality)).await?;
            let pictures = answer["pictures"]["pictures"].as_array().context("an answer without pictures")?;
            for picture in pictures {
                let text = |name: &str| picture[name].as_str().unwrap_or_default().to_owned();
                let (rung, format) = (text("rung"), text("format"));
                let ideal = self.ideals.iter().find(|(name, _)| *name == rung).context("an unknown rung")?;
                let points = self.judge.points(Path::new(&text("path")), &ideal.1).await?;
                seen.entry((rung, format)).or_default().push((bytes(picture)?, points));
            }
        }
        Ok(seen)
    }
}

fn bytes(picture: &Value) -> anyhow::Result<f64> {
    picture["bytes"].as_f64().context("a picture without a size")
}

/// The points at so many bytes, on the line between the two nearest that were seen: points grow with the logarithm.
fn at(seen: &[Seen], bytes: f64) -> f64 {
    let mut seen: Vec<Seen> = seen.iter().map(|(bytes, points)| (bytes.ln(), *points)).collect();
    seen.sort_by(|a, b| a.0.total_cmp(&b.0));
    let above = seen.partition_point(|(at, _)| *at < bytes.ln()).clamp(1, seen.len().max(2) - 1);
    match (seen.get(above - 1), seen.get(above)) {
        (Some(low), Some(high)) if high.0 > low.0 => {
            low.1 + (high.1 - low.1) * (bytes.ln() - low.0) / (high.0 - low.0)
        }
        (Some((_, points)), _) => *points,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_at_other_bytes_lie_on_the_line_between() {
        let e = std::f64::consts::E;
        let seen = [(e.powi(3), 80.0), (e, 60.0), (e.powi(2), 72.0)];
        let near = |bytes: f64, points: f64| assert!((at(&seen, bytes) - points).abs() < 1e-9, "{points}");
        near(e, 60.0);
        near(e.powf(1.5), 66.0);
        near(e.powf(2.5), 76.0);
        near(e.powi(4), 88.0);
        near(1.0, 48.0);
        assert!((at(&seen[..1], 5.0) - 80.0).abs() < 1e-9);
    }
}
