import type { Command } from 'commander';
import { bareProgram } from './bare-program.ts';
import { registerCga } from './cga.ts';
import { registerCleanup } from './cleanup.ts';
import { registerConfig } from './config.ts';
import { registerDissect } from './dissect.ts';
import { registerDoctor } from './doctor.ts';
import { registerHit } from './hit.ts';
import { registerKeygen } from './keygen.ts';
import { registerOnline } from './online.ts';
import type { Terminal } from './terminal.ts';
import { registerVersion } from './version.ts';
import { registerWhy } from './why.ts';

/** The command line of `loci`, writing to `terminal`. */
export function lociProgram(terminal: Terminal): Command {
  const program = bareProgram(terminal);
  registerOnline(program, terminal);
  registerDoctor(program, terminal);
  registerWhy(program, terminal);
  registerConfig(program, terminal);
  registerCleanup(program, terminal);
  registerKeygen(program);
  registerHit(program, terminal);
  registerCga(program);
  registerDissect(program, terminal);
  registerVersion(program, terminal);
  return program;
}
