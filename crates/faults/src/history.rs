//! What a row wrote into the ledger, walked through the rules of the model.

use store::testing::TestDatabase;
use testkit::line;

use crate::{figure::Figure, ledger};

/// Runs whose history is still read as a whole. The statement sorts all of it.
const RUNS_MAX: usize = 1_000_000;

/// Whether the model allows what happened. It cannot know how many jobs were begun again by hand, so that is counted.
pub(crate) async fn figures(database: &TestDatabase, revived: usize) -> anyhow::Result<Vec<Figure>> {
    let runs = ledger::number(database, "select count(*) from attempt").await?;
    if runs > RUNS_MAX {
        return Ok(vec![Figure::tell("runs, too many to be walked through the model", runs)]);
    }
    let trace = database.trace().await?;
    let walked = tokio::task::spawn_blocking(move || model::replay(&trace)).await?;
    Ok(match walked {
        Ok(walked) => {
            vec![Figure::none("refused by the model", 0), Figure::be("second lives", walked.revived, revived)]
        }
        Err(refused) => {
            line(&format!("       the model refuses {refused}"));
            vec![Figure::none("refused by the model", 1)]
        }
    })
}
