import { existsSync } from 'node:fs';
import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import type { Config } from '../daemon/config.ts';
import { DEFAULT_CONFIG_FILE, loadConfig } from '../daemon/load.ts';
import { configOf } from '../daemon/schema.ts';
import { Checks } from '../node/doctor/check.ts';
import type { Check, CheckStatus } from '../node/doctor/check.ts';
import { errorText, LociError } from '../node/error.ts';
import { ask } from './client.ts';
import { addressesOf } from './named-address.ts';
import type { Globals } from './online.ts';
import { table } from './terminal.ts';
import type { Mood, Row, Terminal } from './terminal.ts';

/** What `loci doctor` prints with `--json`; `ok`: nothing failed. */
export interface DoctorReport {
  readonly ok: boolean;
  readonly checks: readonly Check[];
}

interface Options extends Globals {
  readonly config?: string;
}

/** `loci doctor [PEER]`: what keeps Loci from working here, and what to do about it. */
export function registerDoctor(program: Command, terminal: Terminal): void {
  program
    .command('doctor')
    .description('look for what keeps Loci from working here, or with a peer, and say what to do about it')
    .argument('[peer]', 'an address, several with commas between, or a name')
    .option('--config <file>', `configuration of locid (default: ${DEFAULT_CONFIG_FILE})`, nonEmpty)
    .action(async (peer: string | undefined, _: unknown, command: Command) => {
      const { socket, json, config: file } = command.optsWithGlobals<Options>();
      const peers = peer === undefined ? [] : await addressesOf(peer);
      const { check: configuration, config } = configCheck(file);
      const daemon = await daemonCheck(socket);
      const { examine } = await import('./doctor-examination.ts'); // pulls in the addon
      const checks = [configuration, daemon, ...(await examine(config, daemon.status === 'ok', peers))];
      const report: DoctorReport = { ok: checks.every(({ status }) => status !== 'failed'), checks };
      terminal.out(json === true ? `${JSON.stringify(report)}\n` : doctorView(report, terminal.coloured));
      if (!report.ok) process.exitCode = 1;
    });
}

function nonEmpty(text: string): string {
  if (text === '') throw new InvalidArgumentError('give a file');
  return text;
}

/** The configuration, or its defaults where there is none or it has mistakes. */
export function configCheck(file: string | undefined): { readonly check: Check; readonly config: Config } {
  const checks = new Checks('config');
  const at = file ?? DEFAULT_CONFIG_FILE;
  if (file === undefined && !existsSync(at))
    return { check: checks.skipped(`there is no ${at}, so defaults are assumed`), config: defaults() };
  try {
    return { check: checks.ok(`${at} has no mistakes`), config: loadConfig(at) };
  } catch (error) {
    if (!(error instanceof LociError)) throw error;
    return { check: checks.failed(errorText(error), `correct it, then: loci config check ${at}`), config: defaults() };
  }
}

function defaults(): Config {
  const checked = configOf({});
  if ('config' in checked) return checked.config;
  throw new TypeError('the defaults are no configuration');
}

async function daemonCheck(socket: string): Promise<Check> {
  const checks = new Checks('locid');
  try {
    const { version, pid } = await ask(socket, { id: 1, command: 'status' });
    return checks.ok(`locid ${version} runs (pid ${String(pid)}) and answers at ${socket}`);
  } catch (error) {
    if (!(error instanceof LociError)) throw error;
    switch (error.code) {
      case 'not-running':
        return checks.warning(
          `locid does not run: nobody answers at ${socket}`,
          `locid --config ${DEFAULT_CONFIG_FILE}`,
        );
      case 'privilege':
        return checks.warning(`the control socket ${socket} may not be opened`, 'run as root: loci doctor');
      default:
        return checks.failed(
          `locid does not answer properly: ${error.message}`,
          'see its log, and start it again: systemctl restart locid',
        );
    }
  }
}

const MOODS: Readonly<Record<CheckStatus, Mood>> = { ok: 'good', warning: 'doubtful', failed: 'bad', skipped: 'plain' };

/** What `loci doctor` prints for people. */
export function doctorView({ ok, checks }: DoctorReport, coloured: boolean): string {
  const rows = checks.flatMap(({ status, id, what, remedy }): Row[] => [
    [{ text: status, mood: MOODS[status] }, id, what],
    ...(remedy === undefined || status === 'ok' ? [] : [{ remark: `→ ${remedy}` }]),
  ]);
  const failed = checks.filter(({ status }) => status === 'failed').length;
  const warnings = checks.filter(({ status }) => status === 'warning').length;
  const end = ok
    ? `nothing failed, ${String(warnings)} warnings\n`
    : `${String(failed)} failed, ${String(warnings)} warnings\n`;
  return table(['STATUS', 'CHECK', 'FINDING'], rows, coloured) + end;
}
