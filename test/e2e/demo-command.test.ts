import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { isRunning, stat } from '../lab/processes.ts';

const MAIN = new URL('../../dist/cli/demo/main.js', import.meta.url).pathname;

const Failed = z.strictObject({ error: z.looseObject({ code: z.string(), message: z.string() }) });
const Held = z.object({
  tag: z.string(),
  namespaces: z.record(z.string(), z.string()),
  identifiers: z.object({ client: z.string(), server: z.string() }),
});

function demo(...args: readonly string[]): { readonly status: number | null; readonly stdout: string; stderr: string } {
  return spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8' });
}

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** Starts `--hold` and returns what it prints once everything stands. */
async function held(): Promise<{
  readonly child: ChildProcess;
  readonly pid: number;
  readonly shown: z.infer<typeof Held>;
}> {
  const child = spawn(process.execPath, [MAIN, '--without-loci', '--hold'], { stdio: ['ignore', 'pipe', 'ignore'] });
  children.push(child);
  let text = '';
  for await (const chunk of child.stdout) {
    text += String(chunk);
    if (text.endsWith('}\n')) break;
  }
  return { child, pid: child.pid ?? -1, shown: Held.parse(JSON.parse(text)) };
}

function namespacesOf(tag: string): readonly string[] {
  return existsSync('/run/netns') ? readdirSync('/run/netns').filter((name) => name.startsWith(`${tag}-`)) : [];
}

function childrenOf(pid: number): readonly number[] {
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return all.map(Number).filter((candidate) => stat(candidate)?.parent === pid);
}

describe('the command line of the demonstration', () => {
  it.each([
    ['an unknown failure', ['--failure', 'earthquake', '--json']],
    ['a repetition that is no number', ['--repeat', 'often', '--json']],
    ['an unknown option', ['--colour', '--json']],
    ['HIP, which is not there yet', ['--protocol', 'hip', '--json']],
    ['mobility, which needs HIP', ['--failure', 'mobility', '--json']],
    ['to hold what is only simulated', ['--simulate', '--hold', '--json']],
  ])('refuses %s with status 2 and one document', (_, args) => {
    const { status, stdout } = demo(...args);
    expect(status).toBe(2);
    expect(Failed.parse(JSON.parse(stdout)).error.code).toBe('usage');
  });

  it('simulates without any privilege, and says that it did', () => {
    const { status, stdout } = demo('--simulate', '--failure', 'linkdown', '--rate', '20', '--json');
    expect(status).toBe(0);
    const report = z.looseObject({ mode: z.string(), ok: z.boolean() }).parse(JSON.parse(stdout));
    expect(report).toMatchObject({ mode: 'simulated', ok: true });
  });

  it('names what is missing, with the command that installs it', () => {
    const args = [MAIN, '--failure', 'blackhole', '--json'];
    const { status, stdout } = spawnSync(process.execPath, args, { encoding: 'utf8', env: { PATH: '/nowhere' } });
    expect(status).toBe(2);
    const { error } = Failed.parse(JSON.parse(stdout));
    expect(error).toMatchObject({ code: 'missing-tool' });
    expect(error.message).toContain('apt-get install iproute2');
  });

  it('prints its help with status 0', () => {
    const { status, stdout } = demo('--help');
    expect(status).toBe(0);
    expect(stdout).toContain('--failure');
  });
});

describe('namespaces of --hold', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)('%s leaves no namespace and no process', async (signal) => {
    const { child, pid, shown } = await held();
    expect(Object.keys(shown.namespaces).sort()).toEqual(['client', 'router1', 'router2', 'server']);
    expect(namespacesOf(shown.tag)).toHaveLength(4);
    const helpers = childrenOf(pid);
    expect(helpers.length).toBeGreaterThan(0);
    child.kill(signal);
    await once(child, 'exit');
    expect(namespacesOf(shown.tag)).toEqual([]);
    expect(existsSync(`/run/${shown.tag}`)).toBe(false);
    await expect.poll(() => helpers.filter(isRunning)).toEqual([]);
  });

  it('what SIGKILL leaves behind goes at the next start, and only that', async () => {
    const [killed, alive] = [await held(), await held()];
    killed.child.kill('SIGKILL');
    await once(killed.child, 'exit');
    expect(namespacesOf(killed.shown.tag)).toHaveLength(4);
    const next = await held();
    await pause(100);
    expect(namespacesOf(killed.shown.tag)).toEqual([]);
    expect(namespacesOf(alive.shown.tag)).toHaveLength(4);
    for (const { child } of [alive, next]) {
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
  });
});
