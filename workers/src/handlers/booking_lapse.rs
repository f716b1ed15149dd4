//! Does `booking.lapse`. The ledger says whether its time is up.

use jobs::{
    Outcome,
    kinds::booking_lapse::{BookingLapse, BookingLapsed},
};
use store::bookings::{self, Lapsed};

use crate::{cx::Cx, registry::Handle};

impl Handle for BookingLapse {
    async fn run(self, cx: &Cx<'_>) -> Outcome<BookingLapsed> {
        let lapsed = bookings::lapse(&cx.deps.db, cx.tenant(), self.booking, self.version).await?;
        Ok(BookingLapsed { booking: self.booking, released: lapsed == Lapsed::Released })
    }
}
