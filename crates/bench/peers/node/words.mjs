// What every driver says, on stdout: see src/peers.rs.

export const now = () => Math.round((performance.timeOrigin + performance.now()) * 1000);

// Counts jobs as they run and says how many, ten times a second.
export function counter() {
  let count = 0, first = 0, last = 0, told = 0;
  setInterval(() => {
    if (count === told) return;
    told = count;
    console.log(`ran ${count} ${first} ${last}`);
  }, 100);
  return ({ sent }) => {
    last = now();
    if (count++ === 0) first = last;
    if (sent) console.log(`late ${last - sent}`);
  };
}

// Makes `jobs` calls worth of jobs, `aCall` at a time and `atOnce` calls in flight, and says how long that took.
export async function enqueue([jobs, aCall, atOnce], add) {
  let left = jobs;
  const began = performance.now();
  const caller = async () => {
    while (left > 0) {
      const size = Math.min(aCall, left);
      left -= size;
      await add(size);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, caller));
  console.log(`seconds ${(performance.now() - began) / 1000}`);
}

// One job at a time on an idle system.
export async function send([jobs, pauseMs], add) {
  for (let n = 0; n < jobs; n++) {
    await add({ sent: now() });
    await new Promise((wake) => setTimeout(wake, pauseMs));
  }
}

// Does what the command line says; the driver ends by itself unless it works.
export async function main(name, deeds) {
  const [deed, ...rest] = process.argv.slice(2);
  if (deed === 'name') return console.log(name);
  await deeds[deed](rest.map(Number));
  if (deed === 'work') return console.log('ready');
  console.log('done');
  process.exit(0);
}
