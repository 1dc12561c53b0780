import { readdirSync, readFileSync } from 'node:fs';
import { systemCode } from '../../node/error.ts';

/** USER_HZ: the unit of /proc/PID/stat, the same on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** How processor time is counted; part of every report that has such figures. */
export const CPU_METHOD =
  'user and system time of both iperf3 (getrusage) and both locid (/proc/PID/stat, all threads), and of ksoftirqd where /proc shows it; soft interrupts count for the process that they run in';

/** Seconds of processor time that these processes have used, all their threads; a process that has gone counts as nothing. */
export function cpuSeconds(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of pids) ticks += ticksOf(pid);
  return ticks / TICKS_PER_SECOND;
}

function ticksOf(pid: number): number {
  let line: string;
  try {
    line = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes(systemCode(error))) return 0;
    throw error;
  }
  return ticksIn(line);
}

/** utime and stime (fields 14 and 15 of proc_pid_stat(5)); the name before them may hold blanks and brackets. */
export function ticksIn(line: string): number {
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

/** The kernel threads that take over soft interrupts when there are many; none inside a process namespace. */
export function softInterruptThreads(): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => nameOf(pid).startsWith('ksoftirqd/'));
}

function nameOf(pid: number): string {
  try {
    return readFileSync(`/proc/${String(pid)}/comm`, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes(systemCode(error))) return ''; // it ended meanwhile
    throw error;
  }
}
