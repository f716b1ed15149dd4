//! The rows of the table: one fault each, in a file of its own.

use futures::future::BoxFuture;

use crate::{figure::Figure, stage::Stage};

mod killed_workers;

/// What a row came to.
pub(crate) enum Ended {
    /// It ran; these are its figures.
    Seen(Vec<Figure>),
    /// This machine cannot show it, for this reason.
    NotHere(String),
}

/// A fault, and what must hold all the same.
pub(crate) struct Row {
    /// Its name.
    pub(crate) id: &'static str,
    /// What is done.
    pub(crate) fault: &'static str,
    /// What must hold, besides that nothing is lost and nothing accepted twice.
    pub(crate) must_hold: &'static str,
    /// Does it.
    pub(crate) run: for<'a> fn(&'a Stage) -> BoxFuture<'a, anyhow::Result<Ended>>,
}

macro_rules! rows {
    ($($id:literal $module:ident $fault:literal => $must_hold:literal;)+) => {
        /// Every row, in order.
        pub(crate) const ROWS: &[Row] = &[$(Row {
            id: $id,
            fault: $fault,
            must_hold: $must_hold,
            run: |stage| Box::pin($module::run(stage)),
        }),+];
    };
}

rows! {
    "F1" killed_workers "One of four workers is killed every 10 s under 200 jobs/s"
        => "its jobs run again within lease + sweep + 1 s; every crash uses up an attempt";
}
