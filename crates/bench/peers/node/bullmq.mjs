// BullMQ, tuned: 100 jobs at once in each process, nothing kept of finished ones.
import { createRequire } from 'node:module';
import { Queue, Worker } from 'bullmq';
import { counter, enqueue, main, send } from './words.mjs';

const { version } = createRequire(import.meta.url)('bullmq/package.json');
const { hostname: host, port } = new URL(process.env.REDIS_URL ?? 'redis://127.0.0.1:6379');
const connection = { host, port: Number(port) };
const options = { removeOnComplete: true, removeOnFail: true };
const queue = () => new Queue('bench', { connection, defaultJobOptions: options });

main(`BullMQ ${version}`, {
  prepare: async () => {},
  enqueue: async (numbers) => {
    const into = queue();
    await into.waitUntilReady();
    await enqueue(numbers, (size) =>
      into.addBulk(Array.from({ length: size }, () => ({ name: 'noop', data: {} }))));
  },
  send: async (numbers) => {
    const into = queue();
    await into.waitUntilReady();
    await send(numbers, (data) => into.add('noop', data));
  },
  work: async () => {
    const ran = counter();
    const worker = new Worker('bench', async (job) => ran(job.data), { connection, concurrency: 100 });
    worker.on('error', (error) => console.error(error));
    await worker.waitUntilReady();
  },
});
