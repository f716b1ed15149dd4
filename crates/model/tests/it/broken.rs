//! Every broken variant is caught, by the promise that it breaks.

use clap::ValueEnum;
use model::{bound::Bound, check::shortest, properties, step::Step, variant::Variant};

fn caught(variant: Variant, promise: &str) -> Vec<Step> {
    assert_eq!(variant.breaks(), Some(promise));
    let way = shortest(variant, Bound::SMALL);
    way.unwrap_or_else(|| {
        panic!("{variant:?} keeps {promise:?}: a promise that cannot be broken says nothing")
    })
}

macro_rules! each_is_caught {
    ($($test:ident: $variant:ident breaks $promise:ident;)*) => {
        $(
            #[test]
            fn $test() {
                caught(Variant::$variant, properties::$promise);
            }
        )*

        #[test]
        fn no_variant_is_left_out() {
            let tested = [$(Variant::$variant),*];
            let left: Vec<Variant> = Variant::broken().filter(|variant| !tested.contains(variant)).collect();
            assert!(left.is_empty(), "{left:?}");
            let promises = [$(properties::$promise),*];
            for promise in properties::PROMISES {
                assert!(promises.contains(&promise), "nothing breaks {promise:?}");
            }
        }
    };
}

each_is_caught! {
    a_verdict_under_an_older_fence: SettleIgnoresFence breaks CURRENT_FENCE;
    a_verdict_without_a_lease: SettleIgnoresLease breaks STANDING_LEASE;
    history_that_does_not_ask_for_the_row: HistoryWithoutTheRow breaks ENDS_ONCE;
    a_claim_that_does_not_move_the_cursor: ClaimLeavesTheCursor breaks ONE_LEASE;
    a_ticket_that_is_the_right_to_run: TicketIsTheRight breaks FENCE_ONCE;
    rescue_under_the_same_fence: RescueKeepsTheFence breaks FENCE_ONCE;
    rescue_that_uses_up_no_attempt: RescueForgetsTheAttempt breaks ATTEMPTS;
    rescue_that_leaves_empty_leases: RescueSkipsEmptyLeases breaks LEASES_GO;
    a_put_back_under_the_same_fence: PutBackKeepsTheFence breaks ONE_PLACE;
    a_lease_dropped_with_a_job_unsettled: UnsettledLeaseIsDropped breaks FENCE_ONCE;
    a_cancel_that_does_not_stop_claims: CancelWithoutTheLock breaks CANCELLED_RESTS;
    an_unstrand_that_moves_what_runs: UnstrandIgnoresLeases breaks ONE_PLACE;
    a_ledger_without_unstrand: NothingIsUnstranded breaks EVERY_JOB_ENDS;
    tickets_that_are_rung_once: TicketsAreRungOnce breaks EVERY_JOB_ENDS;
}

#[test]
fn the_protocol_as_it_is_breaks_nothing() {
    assert_eq!(Variant::Sound.breaks(), None);
    assert_eq!(Variant::broken().count(), Variant::value_variants().len() - 1);
}
