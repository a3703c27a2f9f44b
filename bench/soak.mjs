// Measures the product's memory under a long mixed load of reads.
import { setTimeout as sleep } from 'node:timers/promises';
import { machine, saveFigures } from './report.mjs';
import { residentMb } from './server.mjs';
import { withStand } from './stand.mjs';
import { workloads } from './workloads.mjs';

const samplesEachMinute = 4;

/** @param {{ size: object, options: { connections: number }, minutes: number, file?: string }} settings */
export async function soak({ size, options, minutes, file }) {
  const names = Object.keys(workloads).filter((name) => !workloads[name].isWriting);
  const figures = { at: new Date().toISOString(), machine: machine(), minutes, samplesMb: [] };
  console.log(figures.machine);
  await withStand({ size, who: ['product'], names }, async ({ generator, started, factsOf }) => {
    const [{ port, pid, headers, bodiesOf }] = started;
    const bodies = names.flatMap((name) => bodiesOf(name, factsOf(started[0])).slice(0, 10));
    figures.atRestMb = residentMb(pid);
    console.log(`at rest ${figures.atRestMb} MB`);
    const load = { port, path: '/graphql', headers, bodies, firstNumber: 0 };
    const running = generator.run({ ...load, connections: options.connections, seconds: minutes * 60 });
    for (let sample = 0; sample < minutes * samplesEachMinute; sample += 1) {
      await Promise.race([running, sleep((60_000 / samplesEachMinute) * 0.98)]);
      figures.samplesMb.push(residentMb(pid));
    }
    figures.perSecond = (await running).perSecond;
  });
  const { samplesMb } = figures;
  console.log(`\nResident memory each ${60 / samplesEachMinute} s, MB: ${samplesMb.join(' ')}`);
  console.log(`highest ${Math.max(...samplesMb)} MB at ${Math.round(figures.perSecond)} requests/s`);
  await saveFigures(figures, file);
}
