//! A database whose clock is set by hand, so that a day takes as long as writing its work down.
//!
//! The ledger asks for the time by the bare name `clock_timestamp()`. Where a schema that has a function of that name
//! comes before Postgres' own, every statement and every function of the ledger lives in the time that this one tells.
//! What names Postgres' schema itself keeps to real time: making partitions, and explaining to a tenant why a job waits.

use chrono::{DateTime, Utc};

use super::TestDatabase;
use crate::{
    db::{Db, Role},
    error::{OrFailed, StoreError},
};

/// The moment is a sequence, because all connections see it change at once, transactions that are under way included.
/// Defaults of columns were bound to Postgres' own clock when their tables were made. Commits need not reach the disk:
/// a day that never was cannot be lost.
const SET_UP: &str = "
    create schema sim;
    create sequence sim.moment as bigint;
    create function sim.clock_timestamp() returns timestamptz language plpgsql volatile as $$
    begin
        return timestamptz 'epoch' + (select last_value from sim.moment) * interval '1 us';
    end $$;
    create function sim.now() returns timestamptz language sql volatile return sim.clock_timestamp();
    grant usage on schema sim to public;
    grant select on sequence sim.moment to public;
    do $$
    declare
        bound record;
    begin
        for bound in
            select c.oid::regclass as of_table, a.attname as named
            from pg_attrdef d
            join pg_class c on c.oid = d.adrelid and c.relnamespace = 'public'::regnamespace
            join pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum
            where pg_get_expr(d.adbin, d.adrelid) in ('clock_timestamp()', 'now()')
        loop
            execute format('alter table %s alter %I set default sim.clock_timestamp()', bound.of_table, bound.named);
        end loop;
        execute format('alter database %I set search_path = sim, pg_catalog, public', current_database());
        execute format('alter database %I set synchronous_commit = off', current_database());
    end $$;";

/// The clock of one [`TestDatabase`].
pub struct VirtualClock {
    owner: Db,
}

impl TestDatabase {
    /// From here on it is the time that the clock says, for every connection opened after this.
    ///
    /// # Errors
    /// When the database refuses, or has such a clock already.
    pub async fn stop_time(&self, at: DateTime<Utc>) -> Result<VirtualClock, StoreError> {
        self.execute(SET_UP).await?;
        let clock = VirtualClock { owner: self.db(Role::Owner)? };
        clock.set(at).await?;
        Ok(clock)
    }
}

impl VirtualClock {
    /// It is `now`, for everybody.
    ///
    /// # Errors
    /// When the database fails, or `now` lies before 1970.
    pub async fn set(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        sqlx::query("select setval('sim.moment', $1)")
            .bind(now.timestamp_micros())
            .execute(self.owner.pool())
            .await
            .or_failed("set the clock")?;
        Ok(())
    }
}
