import { fileURLToPath } from 'node:url';
import { start } from '../../../src/cli/demo/program.ts';
import type { Program } from '../../../src/cli/demo/program.ts';

const LOADER = fileURLToPath(new URL('../../node/support/typescript.mjs', import.meta.url));

/** Starts a program of this folder inside a namespace, and waits until it is ready. */
export async function startSupport(name: string, args: readonly string[], namespace: string): Promise<Program> {
  const file = fileURLToPath(new URL(`${name}.ts`, import.meta.url));
  const program = start([process.execPath, '--import', LOADER, file, ...args], { namespace, name });
  await program.next('ready');
  return program;
}

/** How often a test repeats what depends on chance: `LOCI_TRIES`. */
export function tries(usually: number): number {
  const wanted = Number(process.env['LOCI_TRIES'] ?? usually);
  if (!Number.isInteger(wanted) || wanted < 1) throw new RangeError('LOCI_TRIES must be a positive integer');
  return wanted;
}
