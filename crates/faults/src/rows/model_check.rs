//! F29: the ledger's protocol as a model: every state of it within a bound, and variants with a rule left out.

use model::{bound::Bound, check, variant::Variant};

use super::Ended;
use crate::{figure::Figure, stage::Stage};

pub(super) async fn run(stage: &Stage) -> anyhow::Result<Ended> {
    let bounds: &[(&str, Bound)] = stage.pace.pick(&Bound::NAMED[..1], &Bound::NAMED[..3], &Bound::NAMED[..]);
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let (mut figures, mut broken) = (Vec::new(), 0);
    for (name, bound) in bounds {
        stage.say(&format!("every state within the bound {name}"));
        let bound = *bound;
        let found = tokio::task::spawn_blocking(move || check::exhaust(bound, threads)).await?;
        figures.push(Figure::tell(format!("states within {name}"), found.states));
        broken += found.broken.len();
    }
    figures.push(Figure::none("promises broken", broken));
    stage.say("variants with a rule left out");
    let variants: Vec<Variant> = Variant::broken().collect();
    let wanted = variants.len();
    let shortest = |variant| check::shortest(variant, Bound::SMALL).is_some();
    let caught =
        tokio::task::spawn_blocking(move || variants.into_iter().filter(|v| shortest(*v)).count()).await?;
    figures.push(Figure::be("broken variants that are caught", caught, wanted));
    Ok(Ended::Seen(figures))
}
