// graphile-worker, tuned: 24 jobs at once in each process, 500 fetched at a time, completions batched.
import { createRequire } from 'node:module';
import { makeWorkerUtils, run, runMigrations } from 'graphile-worker';
import pg from 'pg';
import { counter, enqueue, main, send } from './words.mjs';

const { version } = createRequire(import.meta.url)('graphile-worker/package.json');
const connectionString = process.env.DATABASE_URL;

main(`graphile-worker ${version} (Node)`, {
  prepare: () => runMigrations({ connectionString }),
  enqueue: async (numbers) => {
    const pool = new pg.Pool({ connectionString, max: 16 });
    const sql = `select graphile_worker.add_jobs(array(
        select ('noop', '{}'::json, null, null, null, null, null, null)::graphile_worker.job_spec
        from generate_series(1, $1::int)))`;
    await enqueue(numbers, (size) => pool.query(sql, [size]));
  },
  send: async (numbers) => {
    const utils = await makeWorkerUtils({ connectionString });
    await send(numbers, (payload) => utils.addJob('noop', payload));
  },
  work: async () => {
    const ran = counter();
    await run({
      connectionString,
      noHandleSignals: true,
      taskList: { noop: async (payload) => ran(payload) },
      preset: {
        worker: { concurrentJobs: 24, maxPoolSize: 16, localQueue: { size: 500 }, completeJobBatchDelay: 0 },
      },
      logger: undefined,
    });
  },
});
