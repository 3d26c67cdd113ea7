import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppError } from '../../src/errors.js';
import { promised, shown, type BenchContext, type Benchmark } from '../frame/benchmark.js';
import { cpuByPart, readProfile } from '../million/cpuByPart.js';
import { measureMillion, SHIPPED, type MillionOptions } from '../million/measure.js';
import { grouped, judge, MEBIBYTE, USERS_PER_CALL, type Measured } from '../million/promises.js';

/** A profile grows with time, and its memory would be the sweep's. */
const PROFILED_USERS = 100_000;
const QUICK_USERS = 5_000;

/** Throws where a promise beside the figures is broken: users skipped, entries that are missing. */
async function measure(context: BenchContext, options: MillionOptions): Promise<Measured> {
  const measured = await measureMillion(options, { say: context.say }, context.interrupted);
  const broken = judge(measured).filter((each) => !each.kept && !FIGURES.includes(each.name));
  if (broken.length > 0) throw new AppError('data', `the sweep broke its promises: ${broken.map((each) => `${each.name}: ${each.measured}`).join('; ')}`, { where: 'million' });
  return measured;
}
/** Those of its promises that are figures. */
const FIGURES = ['script calls', 'resident memory of the process'];

export const million: Benchmark = {
  name: 'million',
  title: 'Million',
  measures: 'One sweep of 1,000,000 users in a real Postgres against a simulated access node with the public limits, while 1,000 users come and 1,000 go.',
  async run(context) {
    const users = context.isQuick ? QUICK_USERS : SHIPPED.users;
    const measured = await measure(context, { ...SHIPPED, users });
    const profileFolder = await mkdtemp(join(tmpdir(), 'wallet-sync-bench-profile-'));
    context.onEnd(() => rm(profileFolder, { recursive: true, force: true }));
    const profiled = await measure(context, { ...SHIPPED, users: context.isQuick ? QUICK_USERS : PROFILED_USERS, profileFolder });
    const parts = cpuByPart(await readProfile(profileFolder));
    const busy = [...parts.values()].reduce((sum, seconds) => sum + seconds, 0);
    const promises = judge(measured);
    const kept = (name: string): boolean => promises.find((each) => each.name === name)?.kept ?? false;
    const calls = measured.users / USERS_PER_CALL;
    return {
      figures: [
        promised('resident memory', measured.peakMemory / MEBIBYTE, 'MiB', '< 256 MiB', kept('resident memory of the process')),
        promised('script calls', measured.node.scriptCalls, 'calls', `≤ ${grouped(calls + 50)}`, kept('script calls')),
        promised('users skipped', measured.skipped, 'users', '0', measured.skipped === 0),
        shown('time', measured.wallMs / 1_000, 's'),
        shown('addresses a second', measured.node.checked / (measured.wallMs / 1_000), 'addresses/s'),
        shown('processor time of the daemon', measured.cpuMs / 1_000, 's'),
        shown('processor time of the database', measured.database.ms / 1_000, 's'),
        ...stagesOf(measured),
        ...[...parts].map(([part, seconds]) => shown(`processor time for 1,000 users: ${part}`, (seconds / profiled.users) * 1e6, 'ms')),
      ],
      series: [
        { contender: 'this', unit: 'MiB', samples: [measured.peakMemory / MEBIBYTE] },
      ],
      remarks: [
        `${grouped(measured.node.tooLarge)} of the calls were too large: what a script can look at falls from ${grouped(SHIPPED.scriptLimit)} to ${grouped(SHIPPED.lowered)} addresses when half are checked. A script takes ${SHIPPED.scriptMs} ms, five a second are let through: with ${grouped(Math.round(measured.node.checked / measured.node.scriptCalls))} users a call ${grouped(Math.round(measured.node.scriptCalls / 5))} s are the limit's own.`,
        'Time by stage is from begin to end of each page in it, pages overlap: it adds up to more than the whole.',
        `Processor time by part is V8's profile of a sweep of ${grouped(profiled.users)} users, ${busy.toFixed(1)} s in all; the profiler's own cost is in it.`,
      ],
    };
  },
};

/** What the sweep itself records of its stages. */
function stagesOf({ end }: Measured) {
  const stages = (end.answer?.['stages'] ?? {}) as Readonly<Record<string, number>>;
  return Object.entries(stages).map(([stage, ms]) => shown(`time of stage ${stage}, pages overlapping`, ms / 1_000, 's'));
}
