//! Where Postgres spends its time, statement by statement, for whoever wants to make it less. Watching costs a little, so
//! it has to be asked for.

use testkit::line;

use crate::servers::Servers;

/// Makes Postgres count.
pub(crate) const SETTINGS: [&str; 3] = [
    "shared_preload_libraries=pg_stat_statements",
    "pg_stat_statements.track=all",
    "pg_stat_statements.track_utility=on",
];
/// Statements shown.
const SHOWN: u32 = 12;

/// Begins to count, or begins again.
pub(crate) async fn count(servers: &Servers) -> anyhow::Result<()> {
    servers.admin.run("create extension if not exists pg_stat_statements").await?;
    servers.admin.run("select pg_stat_statements_reset()").await
}

/// Shows the statements that took longest since then.
pub(crate) async fn show(servers: &Servers) -> anyhow::Result<()> {
    let longest = format!(
        "select to_char(total_exec_time, '99999990') || ' ms  ' || to_char(calls, '99999990') || ' calls  '
                || to_char(mean_exec_time, '99990.000') || ' ms each  ' || to_char(rows, '99999990') || ' rows  '
                || to_char(wal_bytes / 1024, '9999990') || ' KiB WAL  ' || case when toplevel then '' else '(inside) ' end
                || left(regexp_replace(query, '\\s+', ' ', 'g'), 120)
         from pg_stat_statements where query !~* '^(--|create|alter|drop|checkpoint|vacuum|analyze)'
         order by total_exec_time desc limit {SHOWN}"
    );
    line("  Where Postgres spent its time:");
    for row in servers.admin.rows(&longest).await? {
        line(&format!("  {row}"));
    }
    count(servers).await
}
